// Cases of the gateway's one URL, of units that nobody runs, of agents that say themselves why they end or are refused, and of filters.
import { MESSAGES } from '../../../agents/gateway/messages.ts';
import { RUNTIME_MESSAGES } from '../../../agents/runtime/messages.ts';
import type { UnitState } from '../../../doctor/engine/index.ts';
import { agentGone, backendDown, type Case, offline } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

const gatewayUnit = 'viworks-gateway-agent.service';
const restarting: Partial<UnitState> = {
  ...w.failed,
  activeState: 'activating',
  subState: 'auto-restart',
  restarts: 9,
  mainStatus: 64,
};

const lastWords = (code: string, reason: string, hint: string) =>
  w.said(RUNTIME_MESSAGES.programEnds, { level: 'error', code, reason, hint });

function gatewayEnds(...lines: readonly string[]): w.World {
  return agentGone(healthy())
    .put('unit.state', w.gw, 'gateway', w.unit(gatewayUnit, restarting))
    .put('log.tail', w.gw, 'gateway', w.log(...lines));
}

function backendEnds(change: Partial<UnitState>, ...lines: readonly string[]): w.World {
  return backendDown(healthy())
    .put('unit.state', 'be', 'backend', w.unit(w.backendUnit, change))
    .put('log.tail', 'be', 'backend', w.log(...lines));
}

/** Refused HELLOs: the path is fine, the gateway waits until somebody acts. */
export function refused(name: string, hint: string, fields: object = {}): w.World {
  const line = w.said(MESSAGES.gatewayRefused, { code: 4100, name, reason: name, hint, ...fields });
  return offline(healthy(), { trying: false }).put('log.tail', w.gw, 'gateway', w.log(line));
}

const configured = (url: string) => w.config({ url, gatewayId: w.gatewayId, urlPlace: { key: 'url', line: 3 } });

/** The gateway dials a place that is not the inventory's, and this is what it gets there. */
export function dials(url: string, gets: Parameters<typeof w.upgrade>[0]): w.World {
  return offline(healthy())
    .put('agent.config', w.gw, 'gateway', configured(url))
    .put('ws.upgrade', w.gw, 'agent-url', w.upgrade({ url, ...gets }));
}

/** A live socket of the agent. */
export const linkTo = (remoteAddress: string, remotePort: number) => ({
  ...{ localAddress: '192.0.2.20', localPort: 40002, remoteAddress, remotePort },
  ...{ state: 'ESTABLISHED', uid: 998, pid: 500, unit: gatewayUnit },
});

const unreachable: Partial<ReturnType<typeof w.upgrade>> = { ...w.nothing, reached: 'none', ended: 'unreachable' };

export const rule = {
  chain: 'INPUT',
  direction: 'in',
  action: 'reject',
  port: 443,
  source: null,
  destination: null,
  interface: null,
  packets: 7,
  text: '-A INPUT -j REJECT',
} as const;
const noAnswer = { url: '', outcome: 'refused', status: null, headers: {}, body: '', milliseconds: 1 } as const;

export const ownWordsCases: readonly Case[] = [
  {
    name: 'CFG-11 another port',
    causes: ['CFG-11'],
    proven: true,
    world: () => dials('wss://agents.example.test:9443/ws/agent', { ...w.refused, port: 9443 }),
  },
  {
    name: 'CFG-11 another host, which does not exist',
    causes: ['CFG-11'],
    proven: true,
    world: () => dials('wss://agnts.example.test/ws/agent', unreachable),
  },
  {
    name: 'CFG-11 host and path: one cause, since the path is never asked for',
    causes: ['CFG-11'],
    proven: true,
    world: () => dials('wss://old.example.test/agent', unreachable),
  },
  {
    name: 'CFG-11 another backend takes it in, and ours does not know of it',
    causes: ['CFG-11'],
    proven: true,
    whenBlind: [],
    world: () =>
      dials('wss://staging.example.test/ws/agent', {})
        .put('gateway.health', w.gw, '', { status: 200, healthy: true, link: 'up', launcher: 'up', version: '0.1.0' })
        .put('tcp.connections', w.gw, '', [linkTo('192.0.2.77', 443)]),
  },
  {
    name: 'CFG-11 with the unit stopped on top',
    causes: ['CFG-11', 'SYS-23'],
    world: () => {
      const world = agentGone(dials('wss://agents.example.test:9443/ws/agent', { ...w.refused, port: 9443 }));
      return world.put('unit.state', w.gw, 'gateway', w.unit(gatewayUnit, w.stopped));
    },
  },
  {
    name: 'CFG-05, and the agent ends over it: the URL is the one cause',
    causes: ['CFG-05'],
    proven: true,
    whenBlind: ['CFG-03'],
    world: () =>
      gatewayEnds(
        '/opt/viworks/current/etc/gateway.toml:3:7  url: ws:// sends everything in the clear; only loopback may be reached this way',
        'exit 64 (VW_RUNTIME_CONFIG)',
      ).put('agent.config', w.gw, 'gateway', configured('ws://agents.example.test:8080/ws/agent')),
  },
  {
    name: 'CFG-05 and another key that is wrong: both are said',
    causes: ['CFG-03', 'CFG-05'],
    world: () =>
      gatewayEnds(
        '/opt/viworks/current/etc/gateway.toml:3:7  url: ws:// sends everything in the clear',
        '/opt/viworks/current/etc/gateway.toml:10:24  max_concurrent_tasks: expected number, received string',
        'exit 64 (VW_RUNTIME_CONFIG)',
      ).put('agent.config', w.gw, 'gateway', configured('ws://agents.example.test:8080/ws/agent')),
  },
  {
    name: 'CFG-06, and the agent ends over it: the URL is the one cause',
    causes: ['CFG-06'],
    whenBlind: ['CFG-03'],
    world: () =>
      gatewayEnds(
        '/opt/viworks/current/etc/gateway.toml:3:7  url: ws:// sends everything in the clear',
        'exit 64 (VW_RUNTIME_CONFIG)',
      ).put('agent.config', w.gw, 'gateway', configured('ws://192.0.2.10:8081/ws/agent')),
  },
  {
    name: 'SYS-02 a link into a release that is not enabled',
    causes: ['SYS-02'],
    proven: true,
    world: () =>
      agentGone(healthy()).put(
        'unit.state',
        w.gw,
        'gateway',
        w.unit(gatewayUnit, { ...w.stopped, unitFileState: 'linked' }),
      ),
  },
  {
    name: 'SYS-03 masked until the next boot',
    causes: ['SYS-03'],
    proven: true,
    world: () =>
      agentGone(healthy()).put(
        'unit.state',
        w.gw,
        'gateway',
        w.unit(gatewayUnit, { ...w.stopped, loadState: 'masked', unitFileState: 'masked-runtime' }),
      ),
  },
  {
    name: 'SYS-23 stopped by hand',
    causes: ['SYS-23'],
    proven: true,
    world: () =>
      agentGone(healthy())
        .put('unit.state', w.gw, 'gateway', w.unit(gatewayUnit, w.stopped))
        .put('log.tail', w.gw, 'gateway', w.log('Deactivated successfully.', 'Stopped viworks gateway agent.')),
  },
  {
    name: 'SYS-26 suspended, and still listed as online',
    causes: ['SYS-26'],
    proven: true,
    world: () => {
      const world = healthy();
      const seen = world.store().get('process.state', w.gw, 'gateway');
      if (seen.status !== 'known' || !seen.value.running) throw new Error('the healthy agent runs');
      world.put('process.state', w.gw, 'gateway', { ...seen.value, state: 'T' });
      world.write('gateway.health', w.gw, '', { status: 'unknown', reason: 'unreachable', detail: 'timeout' });
      const late = { outcome: 'timeout', code: null, message: '', exitCode: null, milliseconds: 5000 } as const;
      return world.put('canary', 'op', w.gatewayId, late);
    },
  },
  {
    name: 'BE-05 masked',
    causes: ['BE-05'],
    proven: true,
    world: () => backendEnds({ ...w.stopped, loadState: 'masked', unitFileState: 'masked' }),
  },
  { name: 'BE-05 not installed', causes: ['BE-05'], proven: true, world: () => backendEnds(w.missing) },
  {
    name: 'BE-20 the store cannot be opened',
    causes: ['BE-20'],
    proven: true,
    world: () =>
      backendEnds(
        restarting,
        lastWords('VW_BACKEND_STORE_OPEN', 'cannot open the store: file is not a database', 'restore it'),
      ),
  },
  {
    name: 'BE-17 the reason for what the backend says is the disk',
    causes: ['BE-17'],
    whenBlind: ['BE-20'],
    world: () =>
      backendEnds(
        restarting,
        lastWords('VW_BACKEND_STORE_OPEN', 'cannot open the store: unable to open database file', ''),
      ).put('host.mounts', 'be', '', [
        {
          path: '/var/lib/viworks',
          fileSystem: 'ext4',
          usedPercent: 40,
          availableBytes: 1e9,
          inodesUsedPercent: 4,
          readOnly: true,
        },
      ]),
  },
  {
    name: 'SYS-05 of the backend, told by the program that stands before it',
    causes: ['SYS-05'],
    proven: true,
    world: () =>
      backendEnds(
        { ...restarting, mainStatus: 2 },
        'notify.pl: cannot run /opt/viworks/current/runtime/node: No such file or directory',
      ),
  },
  {
    name: 'SYS-25 no such user',
    causes: ['SYS-25'],
    proven: true,
    world: () => backendEnds({ ...restarting, mainStatus: 217 }, 'Main process exited, code=exited, status=217/USER'),
  },
  {
    name: 'SYS-24 the trusted certificates cannot be read',
    causes: ['SYS-24'],
    proven: true,
    world: () =>
      gatewayEnds(lastWords('VW_GATEWAY_TRUST_UNREADABLE', 'cannot read the trusted certificates ca.pem', 'ls -l')),
  },
  {
    name: 'SYS-17 the configuration may not be read: told as on a terminal',
    causes: ['SYS-17'],
    proven: true,
    world: () =>
      gatewayEnds(
        'cannot read gateway.toml: EACCES: permission denied',
        '  remedy: check that this user may read it',
        'exit 64 (VW_RUNTIME_CONFIG_UNREADABLE)',
      ),
  },
  {
    name: 'SYS-19 no further process',
    causes: ['SYS-19'],
    proven: true,
    world: () =>
      gatewayEnds('notify.pl: cannot run /opt/viworks/current/runtime/node: Resource temporarily unavailable'),
  },
  {
    name: 'SYS-19 with the status that else means a missing program',
    causes: ['SYS-19'],
    proven: true,
    // Without the log it is still so that systemd could not run it.
    whenBlind: ['SYS-05'],
    world: () =>
      gatewayEnds('Failed to execute /usr/bin/perl: Resource temporarily unavailable').put(
        'unit.state',
        w.gw,
        'gateway',
        w.unit(gatewayUnit, { ...restarting, mainStatus: 203 }),
      ),
  },
  {
    name: 'CFG-09 the identity is another one',
    causes: ['CFG-09'],
    proven: true,
    world: () =>
      gatewayEnds(
        lastWords(
          'VW_GATEWAY_IDENTITY_MISMATCH',
          'the identity is that of gw-lab, but gateway_id is gw-2',
          'correct it',
        ),
      ),
  },
  {
    name: 'WS-02 no common version',
    causes: ['WS-02'],
    proven: true,
    world: () => refused('protocol_too_old', 'no common protocol version: upgrade the older side'),
  },
  {
    name: 'WS-03 not enrolled',
    causes: ['WS-03'],
    proven: true,
    world: () => refused('not_enrolled', 'this gateway is not enrolled, or was revoked'),
  },
  {
    name: 'WS-04 id used twice',
    causes: ['WS-04'],
    proven: true,
    world: () => refused('identity_conflict', 'two machines use the same gateway id'),
  },
  {
    name: 'BE-14 as many gateways as allowed',
    causes: ['BE-14'],
    proven: true,
    world: () => {
      const lines = [w.said(MESSAGES.sessionRefused, { code: 4107 }), w.said(MESSAGES.reconnecting)];
      return offline(healthy()).put('log.tail', w.gw, 'gateway', w.log(...lines));
    },
  },
  {
    name: 'NET-05 dropped for everybody but the host itself',
    causes: ['NET-05'],
    proven: true,
    world: () => {
      const world = offline(healthy());
      for (const seat of ['op', w.gw] as const) {
        world.put('tcp.connect', seat, 'public', { address: '', port: 443, outcome: 'timeout', milliseconds: 5000 });
        world.put('ws.upgrade', seat, 'public', w.upgrade({ ...w.nothing, reached: 'none', ended: 'timeout' }));
        world.write('tls.certificate', seat, 'public', { status: 'unknown', reason: 'unreachable', detail: '' });
      }
      return world;
    },
  },
  {
    name: 'NET-05 turned away by a rule of the backend host',
    causes: ['NET-05'],
    proven: true,
    world: () => {
      const world = offline(healthy()).put('host.addresses', w.gw, '', ['192.0.2.20']);
      world.put('firewall.rules', 'be', '', [{ ...rule, source: '192.0.2.20/32', port: 443 }]);
      world.put('tcp.connect', w.gw, 'public', { address: '', port: 443, outcome: 'refused', milliseconds: 1 });
      world.put('ws.upgrade', w.gw, 'public', w.upgrade(w.refused));
      return world.write('tls.certificate', w.gw, 'public', { status: 'unknown', reason: 'unreachable', detail: '' });
    },
  },
  {
    name: 'NET-06 dropped by the rules of the gateway itself',
    causes: ['NET-06'],
    proven: true,
    whenBlind: ['NET-05'],
    world: () => {
      const world = offline(healthy()).put('firewall.rules', w.gw, '', [
        { ...rule, chain: 'OUTPUT', direction: 'out', action: 'drop' },
      ]);
      world.put('tcp.connect', w.gw, 'public', { address: '', port: 443, outcome: 'timeout', milliseconds: 5000 });
      world.put('ws.upgrade', w.gw, 'public', w.upgrade({ ...w.nothing, reached: 'none', ended: 'timeout' }));
      return world.write('tls.certificate', w.gw, 'public', { status: 'unknown', reason: 'unreachable', detail: '' });
    },
  },
  {
    name: 'NET-17 in /etc/hosts, and nobody looks there',
    causes: ['NET-17'],
    proven: true,
    whenBlind: ['NET-02'],
    world: () => {
      const world = offline(healthy()).put('host.hosts-file', w.gw, '', [
        { line: 3, address: '192.0.2.10', names: [w.topology.serverName], text: '192.0.2.10 agents.example.test' },
      ]);
      const none = { addresses: [], error: 'temporary', source: 'unknown', milliseconds: 9 } as const;
      return world.put('dns.answer', w.gw, '', { name: w.topology.serverName, ...none });
    },
  },
  {
    name: 'NET-16 a rule before the API port',
    causes: ['NET-16'],
    proven: true,
    world: () => {
      const world = healthy().put('firewall.rules', 'be', '', [{ ...rule, port: 8080 }]);
      world.put('http.response', 'be', 'api-health', { ...noAnswer, outcome: 'refused' });
      for (const seat of ['op', 'be', w.gw] as const)
        world.put('http.response', seat, 'public-api', { ...noAnswer, outcome: 'response', status: 502 });
      world.write('registry.entry', 'op', w.gatewayId, { status: 'unknown', reason: 'unreachable', detail: '' });
      return world.write('canary', 'op', w.gatewayId, { status: 'unknown', reason: 'unreachable', detail: '' });
    },
  },
  {
    name: 'BE-13 out of descriptors, and the log is silent about it',
    causes: ['BE-13'],
    proven: true,
    world: () => {
      const cut = { ...w.nothing, reached: 'tcp', ended: 'closed' } as const;
      const world = offline(healthy());
      const seen = world.store().get('process.state', 'be', 'backend');
      if (seen.status !== 'known' || !seen.value.running) throw new Error('the healthy backend runs');
      world.put('process.state', 'be', 'backend', { ...seen.value, openFiles: 39, openFilesLimit: 40 });
      world.put('ws.upgrade', 'be', 'direct', w.upgrade({ ...w.direct, ...cut }));
      for (const seat of ['op', 'be', w.gw] as const)
        world.put('ws.upgrade', seat, 'public', w.upgrade(w.answered(502)));
      return world;
    },
  },
];
