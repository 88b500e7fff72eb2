// The healthy installation itself, in the systemd form and in the Docker form.
import type { Container, Topology } from '../../../doctor/engine/index.ts';
import * as w from './world.ts';

export function healthy(from: Topology = w.topology): w.World {
  const world = w.emptyWorld(from);
  const start = Date.UTC(2026, 10, 19, 3, 12, 7);
  const clock = { epochMs: start + 86_400_000, offsetMs: 3, errorMs: 20 };
  const process = {
    running: true,
    pid: 500,
    state: 'S',
    startedAtMs: start,
    commandLine: 'node main.js',
    unit: null,
    binaryDeleted: false,
    binaryMtimeMs: start - 1e6,
    cpuPercent: 1,
    openFiles: 30,
    openFilesLimit: 1024,
  } as const;
  const access = {
    outcome: 'ok',
    user: 'root',
    address: '192.0.2.10',
    port: 22,
    message: '',
    milliseconds: 88,
    expectedKey: null,
    offeredKey: null,
  } as const;
  const root = {
    path: '/',
    fileSystem: 'ext4',
    usedPercent: 40,
    availableBytes: 1e10,
    inodesUsedPercent: 5,
    readOnly: false,
  };
  world.put('host.access', 'op', 'be', access).put('host.access', 'op', w.gw, access);
  for (const seat of ['be', w.gw] as const) {
    world.put('host.clock', seat, '', clock).put('host.mounts', seat, '', [root]).put('firewall.rules', seat, '', []);
    world.put('host.loopback', seat, '', { up: true, addresses: ['127.0.0.1', '::1'] });
    world.put('host.hosts-file', seat, '', [
      { line: 1, address: '127.0.0.1', names: ['localhost'], text: '127.0.0.1 localhost' },
    ]);
    world.put('http.response', seat, 'public-api', {
      url: 'https://agents.example.test/health',
      outcome: 'response',
      status: 200,
      headers: {},
      body: '',
      milliseconds: 4,
    });
  }
  world.put('host.addresses', 'be', '', ['192.0.2.10']).put('host.addresses', w.gw, '', ['192.0.2.20']);
  world.put('tcp.listeners', 'be', '', [
    w.sshd,
    w.https,
    w.listener(8080, w.backendUnit),
    w.listener(8081, w.backendUnit),
  ]);
  world.put('tcp.listeners', w.gw, '', [w.sshd, w.listener(8443, 'viworks-gateway-agent.service')]);
  world.put('tcp.queue', 'be', 'agents', {
    address: '127.0.0.1',
    port: 8081,
    backlog: 511,
    before: 0,
    during: 0,
    after: 0,
    dialConnected: true,
    heldMs: 200,
  });
  world.put('tcp.connections', w.gw, '', [
    {
      localAddress: '192.0.2.20',
      localPort: 40000,
      remoteAddress: '192.0.2.10',
      remotePort: 443,
      state: 'ESTABLISHED',
      uid: 998,
      pid: 500,
      unit: 'viworks-gateway-agent.service',
    },
  ]);
  world
    .put('unit.state', 'be', 'backend', w.unit(w.backendUnit))
    .put('unit.state', 'be', 'nginx', w.unit('nginx.service'));
  world
    .put('unit.state', w.gw, 'gateway', w.unit('viworks-gateway-agent.service'))
    .put('unit.state', w.gw, 'launcher', w.unit('viworks-launcher.service'));
  world.put('unit.setup', 'be', 'backend', w.setup()).put('unit.setup', 'be', 'nginx', w.setup());
  world.put('unit.setup', w.gw, 'gateway', w.setup()).put('unit.setup', w.gw, 'launcher', w.setup());
  world.write('unit.state', w.gw, 'launcher-socket', { status: 'not-applicable', why: 'no socket unit' });
  world.put('process.state', 'be', 'backend', process).put('process.state', w.gw, 'gateway', process);
  world
    .put('log.tail', 'be', 'backend', w.log('WebSocket server listening'))
    .put('log.tail', w.gw, 'gateway', w.log('HELLO accepted'));
  world.put('log.tail', 'be', 'nginx', w.log()).put('log.tail', 'be', 'nginx-error', { ...w.log(), source: 'file' });
  world.put('nginx.files', 'be', '', w.nginxSite(w.goodServer));
  world.put('nginx.test', 'be', '', {
    ok: true,
    output: 'nginx: configuration file /etc/nginx/nginx.conf test is successful',
  });
  world.put('nginx.processes', 'be', '', {
    version: '1.22.1',
    masterPid: 300,
    masterStartedAtMs: start,
    workers: [{ pid: 301, startedAtMs: start + 1000, shuttingDown: false }],
  });
  world.put(
    'agent.config',
    'be',
    'backend',
    w.config({ path: '/opt/viworks/current/etc/backend.toml', agentsPort: 8081, apiPort: 8080 }),
  );
  world.put('agent.config', w.gw, 'gateway', w.config({ url: w.topology.url, gatewayId: w.gatewayId }));
  for (const seat of ['op', 'be', w.gw] as const) {
    world.put('dns.answer', seat, '', {
      name: w.topology.serverName,
      addresses: ['192.0.2.10'],
      error: null,
      source: 'resolver',
      milliseconds: 2,
    });
    world.put('tcp.connect', seat, 'public', {
      address: '192.0.2.10',
      port: 443,
      outcome: 'connected',
      milliseconds: 1,
    });
    world.put('tls.certificate', seat, 'public', w.certificate());
    world.put('ws.upgrade', seat, 'public', w.upgrade());
  }
  world.put('tcp.connect', 'be', 'agents', { address: '127.0.0.1', port: 8081, outcome: 'connected', milliseconds: 0 });
  world.put('tcp.connect', w.gw, 'agents', { address: '192.0.2.10', port: 8081, outcome: 'refused', milliseconds: 0 });
  world.put('http.response', 'be', 'api-health', {
    url: 'http://127.0.0.1:8080/health',
    outcome: 'response',
    status: 200,
    headers: {},
    body: '{"status":"healthy"}',
    milliseconds: 2,
  });
  world.put('ws.upgrade', 'be', 'direct', w.upgrade(w.direct));
  world.put('ws.upgrade', 'be', 'direct-root', w.upgrade({ ...w.direct, ...w.answered(404), path: '/' }));
  world.put('gateway.health', w.gw, '', { status: 200, healthy: true, link: 'up', launcher: 'up', version: '0.1.0' });
  world.put('registry.entry', 'op', w.gatewayId, {
    listed: true,
    state: 'online',
    online: true,
    lastSeenAtMs: clock.epochMs,
    address: '192.0.2.20',
  });
  world.put('canary', 'op', w.gatewayId, { outcome: 'ok', code: null, message: '', exitCode: 0, milliseconds: 30 });
  return world;
}

export const backendContainer: Container = {
  id: 'abc',
  name: 'viworks-backend',
  image: 'viworks/backend:1',
  state: 'running',
  exitCode: 0,
  restartPolicy: 'unless-stopped',
  restartCount: 0,
  health: 'healthy',
  startedAtMs: Date.UTC(2026, 10, 19),
  pid: 900,
  networkMode: 'viworks',
  networks: [{ name: 'viworks', address: '172.18.0.2', aliases: ['viworks-backend'] }],
  ports: [
    { hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 8080 },
    { hostAddress: '127.0.0.1', hostPort: 8081, containerPort: 8081 },
  ],
};
export const nginxContainer: Container = {
  ...backendContainer,
  id: 'def',
  name: 'viworks-nginx',
  image: 'nginx',
  ports: [{ hostAddress: '0.0.0.0', hostPort: 443, containerPort: 443 }],
};

export const dockerTopology: Topology = {
  ...w.topology,
  backend: { ...w.topology.backend, supervision: 'docker', unit: null, sockets: [], container: 'viworks-backend' },
  nginx: { supervision: 'docker', unit: null, container: 'viworks-nginx' },
};

/** Backend and nginx in containers on a user network, ports published by docker-proxy. */
export function healthyDocker(): w.World {
  const world = healthy(dockerTopology);
  const proxy = (port: number) => w.listener(port, 'docker.service', { process: 'docker-proxy', uid: 0 });
  const absent = { status: 'not-applicable', why: 'runs in Docker' } as const;
  for (const part of ['backend', 'nginx'])
    world.write('unit.state', 'be', part, absent).write('unit.setup', 'be', part, absent);
  world.put('docker.containers', 'be', '', [backendContainer, nginxContainer]);
  world.put('tcp.listeners', 'be', '', [w.sshd, proxy(443), proxy(8080), proxy(8081)]);
  const inside = [w.listener(8080, null, { address: '0.0.0.0' }), w.listener(8081, null, { address: '0.0.0.0' })];
  world.put('tcp.listeners', 'be/ns:agent', '', inside);
  world.put('tcp.queue', 'be/ns:agent', 'agents', {
    address: '0.0.0.0',
    port: 8081,
    backlog: 511,
    before: 0,
    during: 0,
    after: 0,
    dialConnected: true,
    heldMs: 200,
  });
  world.put('nginx.files', 'be', '', w.nginxSite(w.goodServer.replaceAll('127.0.0.1', 'viworks-backend')));
  return world;
}

/** An installation of the same shape that viworks did not make: no HELLO of ours, no registry, no canary, no local health page. */
export function healthyOther(): w.World {
  const [gateway] = w.topology.gateways;
  const world = healthy({
    ...w.topology,
    kind: 'other',
    inferred: ['kind', 'backend.unit'],
    gateways: gateway ? [{ ...gateway, launcherUnit: null }] : [],
  });
  const absent = { status: 'not-applicable', why: 'not a viworks installation' } as const;
  world.write('registry.entry', 'op', w.gatewayId, absent).write('canary', 'op', w.gatewayId, absent);
  world.write('gateway.health', w.gw, '', { status: 'unknown', reason: 'unreachable', detail: 'port 8443: refused' });
  world.write('unit.state', w.gw, 'launcher', absent).write('unit.setup', w.gw, 'launcher', absent);
  const mute = { challenged: null, hello: 'not-sent', refusalCode: null } as const;
  world.put('ws.upgrade', 'be', 'direct', w.upgrade({ ...w.direct, ...mute }));
  for (const seat of ['op', 'be', w.gw] as const) world.put('ws.upgrade', seat, 'public', w.upgrade(mute));
  return world;
}

/** What `viworks up` runs: everything on this machine, nothing supervised, TLS by the backend itself. */
export function healthyLocal(): w.World {
  const here = { name: 'this machine', address: '127.0.0.1', transport: 'local' } as const;
  const world = healthy({
    ...w.topology,
    url: 'wss://localhost:9443/ws/agent',
    serverName: 'localhost',
    publicPort: 9443,
    backend: { ...w.topology.backend, host: here, supervision: 'process', unit: null, sockets: [] },
    nginx: { supervision: 'none', unit: null, container: null },
    gateways: w.topology.gateways.map((gateway) => ({
      ...gateway,
      host: here,
      supervision: 'process' as const,
      unit: null,
      launcherUnit: null,
    })),
  });
  const absent = { status: 'not-applicable', why: 'runs without systemd' } as const;
  for (const part of ['backend', 'nginx'])
    world.write('unit.state', 'be', part, absent).write('unit.setup', 'be', part, absent);
  for (const part of ['gateway', 'launcher'])
    world.write('unit.state', w.gw, part, absent).write('unit.setup', w.gw, part, absent);
  for (const key of ['nginx.files', 'nginx.test', 'nginx.processes'] as const)
    world.write(key, 'be', '', { status: 'not-applicable', why: 'no nginx here' });
  for (const seat of ['be', w.gw] as const) {
    world.write('host.access', 'op', seat, { status: 'not-applicable', why: 'this machine' });
    world.put('dns.answer', seat, '', {
      name: 'localhost',
      addresses: ['127.0.0.1'],
      error: null,
      source: 'hosts-file',
      milliseconds: 0,
    });
  }
  world.put('tcp.listeners', 'be', '', [
    w.sshd,
    w.listener(9443, null),
    w.listener(8080, null),
    w.listener(8081, null),
  ]);
  return world;
}
