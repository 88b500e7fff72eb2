// Several faults at once, decoys, and the traps in which a healthy installation looks ill.

import { backendCases, neverOpened } from './backend.ts';
import type { Case } from './case.ts';
import { agentGone, backendDown, directGets, offline, publicGets, worldOf } from './case.ts';
import { gatewayCases } from './gateway.ts';
import { healthy, healthyDocker } from './healthy.ts';
import { site, withoutWsLocation } from './nginx.ts';
import { tooManyTasks, tooManyTasksInWords } from './telltale.ts';
import * as w from './world.ts';

/** The incident: nothing listens on 8081, nginx routes to 8080 (so the 404 is real), the gateway was never installed. */
export function incident(): w.World {
  const world = neverOpened(healthy());
  world.put('nginx.files', 'be', '', w.nginxSite(withoutWsLocation(w.goodServer), Date.UTC(2026, 10, 1)));
  publicGets(world, w.answered(404));
  agentGone(world).put('unit.state', w.gw, 'gateway', w.unit('viworks-gateway-agent.service', w.missing));
  return world.write('log.tail', w.gw, 'gateway', { status: 'unknown', reason: 'not-run', detail: 'no unit' });
}

export const combinedCases: readonly Case[] = [
  { name: 'the incident triple', causes: ['BE-01', 'NGX-01', 'SYS-01'], proven: true, world: incident },
  {
    name: 'DOC-01 and NGX-02',
    causes: ['DOC-01', 'NGX-02'],
    world: () => {
      const world = worldOf(backendCases, 'DOC-01');
      const text = w.goodServer
        .replace(/.*proxy_set_header (Upgrade|Connection).*\n/g, '')
        .replaceAll('127.0.0.1', 'viworks-backend');
      return world.put('nginx.files', 'be', '', w.nginxSite(text, Date.UTC(2026, 10, 1)));
    },
  },
  {
    name: 'NGX-15 a masked status hides a stopped backend',
    causes: ['BE-05'],
    proven: true,
    world: () => {
      const world = backendDown(healthy()).put('unit.state', 'be', 'backend', w.unit(w.backendUnit, w.stopped));
      world.put(
        'nginx.files',
        'be',
        '',
        w.nginxSite(
          w.goodServer.replace('location / {', 'error_page 502 =503 /busy.html;\n    location / {'),
          Date.UTC(2026, 10, 1),
        ),
      );
      return publicGets(world, w.answered(503));
    },
  },
  {
    name: 'CFG-06 and NGX-01: the agent is connected round a broken nginx',
    causes: ['NGX-01'],
    latent: ['CFG-06'],
    whenBlind: [],
    world: () => {
      const world = healthy().put(
        'nginx.files',
        'be',
        '',
        w.nginxSite(withoutWsLocation(w.goodServer), Date.UTC(2026, 10, 1)),
      );
      publicGets(world, w.answered(404));
      return world.put('agent.config', w.gw, 'gateway', w.config({ url: 'ws://192.0.2.10:8081/ws/agent' }));
    },
  },
  {
    name: 'BE-01 and CMD-01',
    causes: ['BE-01', 'CMD-01'],
    world: () =>
      neverOpened(healthy()).put('unit.state', w.gw, 'launcher', w.unit('viworks-launcher.service', w.stopped)),
  },
  {
    name: 'two gateways: what they share is one cause, what one has is its own',
    causes: ['NGX-01', 'SYS-01'],
    world: () => {
      const [first] = w.topology.gateways;
      const second = {
        ...first,
        id: 'gw-2',
        host: { name: 'gw2', address: '192.0.2.21', transport: 'ssh' },
      } as NonNullable<typeof first>;
      const world = site(
        withoutWsLocation,
        404,
        healthy({ ...w.topology, gateways: [...w.topology.gateways, second] }),
      );
      for (const item of world.facts().filter((one) => one.vantage === w.gw)) {
        world.write(item.key, 'gw:gw-2', item.subject, item.reading as never);
      }
      world.put('unit.state', 'gw:gw-2', 'gateway', w.unit('viworks-gateway-agent.service', w.missing));
      return world.put('process.state', 'gw:gw-2', 'gateway', { running: false });
    },
  },
];

/** Healthy, whatever it looks like. */
export const trapCases: readonly Case[] = [
  {
    name: 'trap: no proxy_http_version on 1.22',
    causes: [],
    world: () =>
      healthy().put('nginx.files', 'be', '', w.nginxSite(w.goodServer.replace('proxy_http_version 1.1;', ''))),
  },
  {
    name: 'trap: hard-coded Connection upgrade',
    causes: [],
    world: () =>
      healthy().put('nginx.files', 'be', '', w.nginxSite(w.goodServer.replace('$connection_upgrade;', '"upgrade";'))),
  },
  {
    name: 'trap: http2 on',
    causes: [],
    world: () =>
      healthy().put('nginx.files', 'be', '', w.nginxSite(w.goodServer.replace('443 ssl;', '443 ssl http2;'))),
  },
  {
    name: 'trap: a plain GET on 8081 gets 426',
    causes: [],
    world: () =>
      healthy().put('http.response', 'be', 'agents-health', {
        url: '',
        outcome: 'response',
        status: 426,
        headers: {},
        body: '',
        milliseconds: 1,
      }),
  },
  {
    name: 'trap: the agent was restarted 2 s ago and is not back yet',
    causes: [],
    exitCode: 5,
    world: () =>
      offline(healthy())
        .put(
          'unit.state',
          w.gw,
          'gateway',
          w.unit('viworks-gateway-agent.service', { mainStartedAtMs: w.meta.startedAtMs - 2000 }),
        )
        .put('canary', 'op', w.gatewayId, { outcome: 'ok', code: null, message: '', exitCode: 0, milliseconds: 1 }),
  },
  {
    name: 'trap: NRestarts=1 from last week',
    causes: [],
    world: () => healthy().put('unit.state', 'be', 'backend', w.unit(w.backendUnit, { restarts: 1 })),
  },
  {
    name: 'trap: SYS-04, the agent runs under another unit name',
    causes: [],
    world: () => healthy().put('unit.state', w.gw, 'gateway', w.unit('viworks-gateway-agent.service', w.missing)),
  },
  {
    name: 'trap: two server blocks for different names',
    causes: [],
    world: () =>
      healthy().put(
        'nginx.files',
        'be',
        '',
        w.nginxSite(
          `server { listen 443 ssl; server_name www.example.test; return 301 https://example.test; }\n${w.goodServer}`,
        ),
      ),
  },
  {
    name: 'trap: certificate expires in 12 days',
    causes: [],
    world: () =>
      healthy().put(
        'tls.certificate',
        w.gw,
        'public',
        w.certificate({
          chain: w.certificate().chain.map((item) => ({ ...item, notAfterMs: w.meta.startedAtMs + 12 * 86_400_000 })),
        }),
      ),
  },
  {
    name: 'trap: errors of yesterday in the log of nginx',
    causes: [],
    world: () =>
      healthy().put('log.tail', 'be', 'nginx-error', {
        ...w.log('[emerg] 1#1: host not found in upstream "x"', '[alert] worker_connections are not enough'),
        sinceMs: null,
      }),
  },
  {
    name: 'trap: no token, so no registry and no canary',
    causes: [],
    world: () =>
      healthy()
        .write('registry.entry', 'op', w.gatewayId, { status: 'unknown', reason: 'no-token', detail: '' })
        .write('canary', 'op', w.gatewayId, { status: 'unknown', reason: 'no-token', detail: '' }),
  },
  {
    name: 'trap: nginx in a container with host networking',
    causes: [],
    world: () =>
      healthyDocker().write('tcp.listeners', 'be/ns:nginx', '', { status: 'not-applicable', why: 'host networking' }),
  },
  {
    name: 'trap: systemd holds the sockets of a running backend',
    causes: [],
    world: () =>
      healthy().put('tcp.listeners', 'be', '', [
        w.sshd,
        w.https,
        w.listener(8080, 'init.scope', { process: 'systemd' }),
        w.listener(8081, 'init.scope', { process: 'systemd' }),
      ]),
  },
  {
    name: 'BE-19 started by hand (latent), its unit inactive',
    causes: [],
    latent: ['BE-19'],
    world: () => {
      const own = { process: 'node', uid: 0 };
      const world = healthy().put('unit.state', 'be', 'backend', w.unit(w.backendUnit, w.stopped));
      return directGets(
        world.put('tcp.listeners', 'be', '', [
          w.sshd,
          w.https,
          w.listener(8080, 'session-7.scope', own),
          w.listener(8081, 'session-7.scope', own),
        ]),
        {},
      );
    },
  },
];

/** Faults without a row in the catalogue: no cause may be named, and the last good and first bad hop are. */
export const uncharted: readonly {
  readonly name: string;
  readonly world: () => w.World;
  readonly lastGood: string;
  readonly firstBad: string;
}[] = [
  {
    name: 'the gateway ended by a signal that nobody sent, as far as anybody can see',
    world: () =>
      worldOf(gatewayCases, 'SYS-02').put(
        'unit.state',
        w.gw,
        'gateway',
        w.unit('viworks-gateway-agent.service', { ...w.failed, mainCode: 'killed', mainStatus: 11, result: 'signal' }),
      ),
    lastGood: '',
    firstBad: 'gateway',
  },
  {
    name: 'the backend answers every upgrade with 500',
    world: () => offline(publicGets(directGets(healthy(), w.answered(500)), w.answered(500))),
    lastGood: 'ws port',
    firstBad: 'upgrade',
  },
  {
    name: 'the gateway is at its task limit, and refuses with the code of a full disk',
    world: tooManyTasks,
    lastGood: 'registry',
    firstBad: 'canary',
  },
  {
    name: 'the same of a gateway that has only the sentence for it',
    world: tooManyTasksInWords,
    lastGood: 'registry',
    firstBad: 'canary',
  },
];
