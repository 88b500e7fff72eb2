// Cases of the backend, its host and its container.
import { MESSAGES } from '../../../agents/backend/messages.ts';
import type { Case } from './case.ts';
import { backendDown, directGets, offline, publicGets } from './case.ts';
import { backendContainer, healthy, healthyDocker, nginxContainer } from './healthy.ts';
import * as w from './world.ts';

/** The incident's first part: the API answers, port 8081 was never opened, the log says it was. */
export function neverOpened(world: w.World): w.World {
  world.put('tcp.listeners', 'be', '', [w.sshd, w.https, w.listener(8080, w.backendUnit)]);
  world.write('tcp.queue', 'be', 'agents', { status: 'unknown', reason: 'not-run', detail: 'no LISTEN row' });
  world.put('tcp.connect', 'be', 'agents', { address: '127.0.0.1', port: 8081, outcome: 'refused', milliseconds: 0 });
  world.put('log.tail', 'be', 'backend', w.log('WebSocket server started on 0.0.0.0:8081'));
  directGets(world, w.refused);
  publicGets(world, w.answered(502));
  return offline(world);
}

function neverAccepts(world: w.World): w.World {
  world.put('tcp.listeners', 'be', '', [
    w.sshd,
    w.https,
    w.listener(8080, w.backendUnit),
    w.listener(8081, w.backendUnit, { recvQ: 3 }),
  ]);
  world.put('tcp.queue', 'be', 'agents', {
    address: '127.0.0.1',
    port: 8081,
    backlog: 511,
    before: 3,
    during: 4,
    after: 4,
    dialConnected: true,
    heldMs: 200,
  });
  directGets(world, w.silent);
  publicGets(world, w.answered(504));
  return offline(world);
}

const process = {
  running: true,
  pid: 500,
  state: 'S',
  startedAtMs: 0,
  commandLine: 'node',
  unit: null,
  binaryDeleted: false,
  binaryMtimeMs: null,
  cpuPercent: 0,
  openFiles: null,
  openFilesLimit: null,
} as const;

function hung(state: string): w.World {
  const world = neverAccepts(healthy());
  world.put('http.response', 'be', 'api-health', {
    url: '',
    outcome: 'timeout',
    status: null,
    headers: {},
    body: '',
    milliseconds: 3000,
  });
  world.put('process.state', 'be', 'backend', { ...process, state });
  return world;
}

function crashing(...lines: readonly string[]): w.World {
  const world = backendDown(healthy());
  world.put(
    'unit.state',
    'be',
    'backend',
    w.unit(w.backendUnit, {
      ...w.failed,
      activeState: 'activating',
      subState: 'auto-restart',
      mainStatus: 64,
      restarts: 7,
    }),
  );
  return world.put('log.tail', 'be', 'backend', w.log(...lines));
}

export const backendCases: readonly Case[] = [
  {
    name: 'BE-01 the WebSocket port was never opened',
    causes: ['BE-01'],
    proven: true,
    world: () => neverOpened(healthy()),
  },
  {
    name: 'BE-02 listening but never accepting',
    causes: ['BE-02'],
    proven: true,
    world: () => neverAccepts(healthy()),
  },
  { name: 'BE-03 process stopped', causes: ['BE-03'], proven: true, world: () => hung('T') },
  { name: 'BE-04 event loop blocked', causes: ['BE-04'], proven: true, world: () => hung('R') },
  {
    name: 'BE-05 stopped',
    causes: ['BE-05'],
    proven: true,
    world: () => backendDown(healthy()).put('unit.state', 'be', 'backend', w.unit(w.backendUnit, w.stopped)),
  },
  {
    name: 'BE-05 stopped while systemd still holds its sockets: nothing was dialled',
    causes: ['BE-05'],
    proven: true,
    world: () => {
      const world = backendDown(healthy()).put('unit.state', 'be', 'backend', w.unit(w.backendUnit, w.stopped));
      const held = { process: 'systemd', pid: 1, uid: 0 };
      world.put('tcp.listeners', 'be', '', [
        w.sshd,
        w.https,
        w.listener(8080, 'init.scope', held),
        w.listener(8081, 'init.scope', held),
      ]);
      for (const target of ['direct', 'direct-root'])
        world.write('ws.upgrade', 'be', target, {
          status: 'unknown',
          reason: 'not-run',
          detail: 'would start the service',
        });
      world.write('http.response', 'be', 'api-health', {
        status: 'unknown',
        reason: 'not-run',
        detail: 'would start the service',
      });
      return world;
    },
  },
  {
    name: 'BE-06 crash loop over its configuration',
    causes: ['BE-06'],
    proven: true,
    world: () => crashing('{"level":60,"code":"VW_RUNTIME_CONFIG","msg":"backend.toml:4:1  agents.prot: unknown key"}'),
  },
  {
    name: 'BE-07 a squatter on 8081',
    causes: ['BE-07'],
    proven: true,
    world: () => {
      const world = crashing('Error: listen EADDRINUSE: address already in use 127.0.0.1:8081');
      world.put('tcp.listeners', 'be', '', [
        w.sshd,
        w.https,
        w.listener(8081, 'session-4.scope', { process: 'nc', uid: 0 }),
      ]);
      world.put('tcp.connect', 'be', 'agents', {
        address: '127.0.0.1',
        port: 8081,
        outcome: 'connected',
        milliseconds: 0,
      });
      return directGets(world, w.silent);
    },
  },
  {
    name: 'BE-10 another port',
    causes: ['BE-10'],
    proven: true,
    world: () => {
      const world = neverOpened(healthy()).put('log.tail', 'be', 'backend', w.log(w.said(MESSAGES.agentsListening)));
      world.put('tcp.listeners', 'be', '', [
        w.sshd,
        w.https,
        w.listener(8080, w.backendUnit),
        w.listener(8082, w.backendUnit),
      ]);
      return world.put('agent.config', 'be', 'backend', w.config({ agentsPort: 8082, apiPort: 8080 }));
    },
  },
  {
    name: 'BE-13 out of descriptors',
    causes: ['BE-13'],
    proven: true,
    world: () => {
      const world = offline(
        publicGets(directGets(healthy(), { ...w.nothing, reached: 'tcp', ended: 'closed' }), w.answered(502)),
      );
      world.put('log.tail', 'be', 'backend', w.log('accept failed: EMFILE, too many open files'));
      return world.put('process.state', 'be', 'backend', { ...process, openFiles: 40, openFilesLimit: 40 });
    },
  },
  {
    name: 'BE-15 disk full, and the crash that follows is folded into it',
    causes: ['BE-15'],
    proven: true,
    whenBlind: ['BE-06'],
    world: () => {
      const world = crashing('Error: ENOSPC: no space left on device, write');
      return world.put('host.mounts', 'be', '', [
        { path: '/', fileSystem: 'ext4', usedPercent: 100, availableBytes: 0, inodesUsedPercent: 5, readOnly: false },
      ]);
    },
  },
  {
    name: 'BE-15 disk full, nothing fails yet (latent)',
    causes: [],
    latent: ['BE-15'],
    world: () =>
      healthy().put('host.mounts', 'be', '', [
        { path: '/', fileSystem: 'ext4', usedPercent: 100, availableBytes: 0, inodesUsedPercent: 5, readOnly: false },
      ]),
  },
  {
    name: 'BE-15 disk full, running and unwell',
    causes: ['BE-15'],
    proven: true,
    world: () => {
      const world = healthy().put('host.mounts', 'be', '', [
        { path: '/', fileSystem: 'ext4', usedPercent: 100, availableBytes: 0, inodesUsedPercent: 5, readOnly: false },
      ]);
      world.put('http.response', 'be', 'api-health', {
        url: '',
        outcome: 'response',
        status: 503,
        headers: {},
        body: '',
        milliseconds: 3,
      });
      return world.put('log.tail', 'be', 'backend', w.log('database or disk is full'));
    },
  },
  {
    name: 'BE-17 read-only file system',
    causes: ['BE-17'],
    proven: true,
    world: () => {
      const world = crashing('Error: EROFS: read-only file system, open');
      return world.put('host.mounts', 'be', '', [
        { path: '/', fileSystem: 'ext4', usedPercent: 40, availableBytes: 1e10, inodesUsedPercent: 5, readOnly: true },
      ]);
    },
  },
  {
    name: 'BE-18 old program (latent)',
    causes: [],
    latent: ['BE-18'],
    world: () => healthy().put('process.state', 'be', 'backend', { ...process, binaryDeleted: true }),
  },
  {
    name: 'SYS-22 old program on the gateway (latent)',
    causes: [],
    latent: ['SYS-22'],
    world: () =>
      healthy().put('process.state', w.gw, 'gateway', {
        ...process,
        startedAtMs: 1000,
        binaryDeleted: null,
        binaryMtimeMs: 9000,
      }),
  },
  {
    name: 'EXP-01 8081 open to the world (latent)',
    causes: [],
    latent: ['EXP-01'],
    world: () => {
      const world = healthy().put('tcp.connect', w.gw, 'agents', {
        address: '192.0.2.10',
        port: 8081,
        outcome: 'connected',
        milliseconds: 1,
      });
      return world.put('tcp.listeners', 'be', '', [
        w.sshd,
        w.https,
        w.listener(8080, w.backendUnit),
        w.listener(8081, w.backendUnit, { address: '0.0.0.0' }),
      ]);
    },
  },
  {
    name: 'WS-01 HELLO is never answered',
    causes: ['WS-01'],
    proven: true,
    world: () => {
      const mute = {
        challenged: false,
        hello: 'silent',
        refusalCode: null,
        reached: 'accepted',
        ended: 'timeout',
      } as const;
      return offline(publicGets(directGets(healthy(), mute), mute));
    },
  },
  {
    name: 'DOC-01 published, nothing inside',
    causes: ['DOC-01'],
    proven: true,
    world: () => {
      const world = healthyDocker().put('tcp.listeners', 'be/ns:agent', '', [
        w.listener(8080, null, { address: '0.0.0.0' }),
      ]);
      world.write('tcp.queue', 'be/ns:agent', 'agents', { status: 'unknown', reason: 'not-run', detail: '' });
      return offline(publicGets(directGets(world, { ...w.nothing, reached: 'tcp', ended: 'reset' }), w.answered(502)));
    },
  },
  {
    name: 'BE-02 inside a container',
    causes: ['BE-02'],
    proven: true,
    world: () => {
      const world = healthyDocker();
      world.put('tcp.listeners', 'be/ns:agent', '', [
        w.listener(8080, null),
        w.listener(8081, null, { address: '0.0.0.0', recvQ: 2 }),
      ]);
      world.put('tcp.queue', 'be/ns:agent', 'agents', {
        address: '0.0.0.0',
        port: 8081,
        backlog: 128,
        before: 2,
        during: 3,
        after: 3,
        dialConnected: true,
        heldMs: 200,
      });
      return offline(publicGets(directGets(world, w.silent), w.answered(504)));
    },
  },
  {
    name: 'BE-08 loopback of its container only',
    causes: ['BE-08'],
    proven: true,
    world: () => {
      const world = healthyDocker().put('tcp.listeners', 'be/ns:agent', '', [
        w.listener(8080, null, { address: '0.0.0.0' }),
        w.listener(8081, null),
      ]);
      return offline(publicGets(directGets(world, { ...w.nothing, reached: 'tcp', ended: 'reset' }), w.answered(502)));
    },
  },
  {
    name: 'BE-09 IPv6 only',
    causes: ['BE-09'],
    proven: true,
    world: () => {
      const world = healthy().put('tcp.listeners', 'be', '', [
        w.sshd,
        w.https,
        w.listener(8080, w.backendUnit),
        w.listener(8081, w.backendUnit, { address: '::1' }),
      ]);
      return offline(publicGets(directGets(world, w.refused), w.answered(502)));
    },
  },
  {
    name: 'DOC-03 recreated, address moved',
    causes: ['DOC-03'],
    proven: true,
    world: () => {
      const world = healthyDocker().put('docker.containers', 'be', '', [
        {
          ...backendContainer,
          startedAtMs: w.meta.startedAtMs,
          networks: [{ name: 'viworks', address: '172.18.0.9', aliases: [] }],
        },
        nginxContainer,
      ]);
      world.put('log.tail', 'be', 'nginx', {
        ...w.log(
          '[error] connect() failed (111: Connection refused) while connecting to upstream, upstream: "http://172.18.0.2:8081/ws/agent"',
        ),
        source: 'docker',
      });
      return offline(publicGets(world, w.answered(502)));
    },
  },
  {
    name: 'DOC-05 ended, restart policy no',
    causes: ['DOC-05'],
    proven: true,
    world: () => {
      const world = backendDown(healthyDocker());
      world.put('docker.containers', 'be', '', [
        { ...backendContainer, state: 'exited', exitCode: 0, restartPolicy: 'no', pid: null },
        nginxContainer,
      ]);
      world.put('tcp.listeners', 'be', '', [w.sshd, w.listener(443, 'docker.service', { process: 'docker-proxy' })]);
      return world.write('tcp.listeners', 'be/ns:agent', '', {
        status: 'unknown',
        reason: 'not-run',
        detail: 'no container',
      });
    },
  },
];
