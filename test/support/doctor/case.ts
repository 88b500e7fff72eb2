// What a case is, and the symptoms that most faults share.
import type { Seat, UpgradeObservation } from '../../../doctor/engine/index.ts';
import * as w from './world.ts';

export interface Case {
  readonly name: string;
  readonly world: () => w.World;
  /** Exactly these causes, in this order. */
  readonly causes: readonly string[];
  readonly latent?: readonly string[];
  readonly sight?: readonly string[];
  readonly exitCode?: number;
  /** All of them are proven. */
  readonly proven?: boolean;
  /** Causes that are also true, and may be named when a fact is withheld. */
  readonly whenBlind?: readonly string[];
}

/** The world of the first case whose name begins like this. */
export function worldOf(list: readonly Case[], name: string): w.World {
  const found = list.find((item) => item.name.startsWith(name));
  if (!found) throw new Error(`no case ${name}`);
  return found.world();
}

/** What the upgrade through nginx gets, from everywhere. */
export function publicGets(world: w.World, change: Partial<UpgradeObservation>): w.World {
  for (const seat of ['op', 'be', w.gw] as const) world.put('ws.upgrade', seat, 'public', w.upgrade(change));
  return world;
}

/** The gateway has no link: its own page, the registry and the canary say so; it keeps trying unless told otherwise. */
export function offline(world: w.World, { trying = true }: { readonly trying?: boolean } = {}): w.World {
  world.put('gateway.health', w.gw, '', {
    status: 503,
    healthy: false,
    link: 'down',
    launcher: 'up',
    version: '0.1.0',
  });
  world.put('registry.entry', 'op', w.gatewayId, {
    listed: true,
    state: 'offline',
    online: false,
    lastSeenAtMs: 0,
    address: null,
  });
  world.put('canary', 'op', w.gatewayId, {
    outcome: 'offline',
    code: 'gateway_offline',
    message: '',
    exitCode: null,
    milliseconds: 3,
  });
  const attempt = {
    localAddress: '192.0.2.20',
    localPort: 40001,
    remoteAddress: '192.0.2.10',
    remotePort: 443,
    state: 'SYN-SENT',
    uid: 998,
    pid: 500,
    unit: 'viworks-gateway-agent.service',
  };
  world.put('tcp.connections', w.gw, '', trying ? [attempt] : []);
  if (trying) world.put('log.tail', w.gw, 'gateway', w.log('reconnecting'));
  return world;
}

/** No agent process on the gateway, hence no health page either. */
export function agentGone(world: w.World): w.World {
  offline(world, { trying: false });
  world.put('process.state', w.gw, 'gateway', { running: false });
  world.write('gateway.health', w.gw, '', { status: 'unknown', reason: 'unreachable', detail: 'connection refused' });
  return world;
}

/** Nothing of the backend answers; its ports are closed unless listed. */
export function backendDown(world: w.World): w.World {
  world.put('tcp.listeners', 'be', '', [w.sshd, w.https]);
  world.put('http.response', 'be', 'api-health', {
    url: '',
    outcome: 'refused',
    status: null,
    headers: {},
    body: '',
    milliseconds: 0,
  });
  world.put('ws.upgrade', 'be', 'direct', w.upgrade({ ...w.direct, ...w.refused }));
  world.put('ws.upgrade', 'be', 'direct-root', w.upgrade({ ...w.direct, ...w.refused, path: '/' }));
  world.put('tcp.connect', 'be', 'agents', { address: '127.0.0.1', port: 8081, outcome: 'refused', milliseconds: 0 });
  world.put('process.state', 'be', 'backend', { running: false });
  for (const seat of ['be', w.gw] as const) apiThroughNginx(world, seat, 502);
  world.write('registry.entry', 'op', w.gatewayId, { status: 'unknown', reason: 'unreachable', detail: '502' });
  publicGets(world, w.answered(502));
  offline(world);
  world.write('registry.entry', 'op', w.gatewayId, { status: 'unknown', reason: 'unreachable', detail: '502' });
  world.write('canary', 'op', w.gatewayId, { status: 'unknown', reason: 'unreachable', detail: '502' });
  return world;
}

export function apiThroughNginx(world: w.World, seat: Extract<Seat, 'be'> | typeof w.gw, status: number): w.World {
  return world.put('http.response', seat, 'public-api', {
    url: '',
    outcome: 'response',
    status,
    headers: {},
    body: '',
    milliseconds: 2,
  });
}

/** Direct dials of the agents port get this on every path. */
export function directGets(world: w.World, change: Partial<UpgradeObservation>): w.World {
  world.put('ws.upgrade', 'be', 'direct', w.upgrade({ ...w.direct, ...change }));
  world.put('ws.upgrade', 'be', 'direct-root', w.upgrade({ ...w.direct, ...change, path: '/' }));
  return world;
}
