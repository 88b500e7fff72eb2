// The hops that a gateway's connection takes, in order, and which of them an installation has. States are computed in hops.ts.
import type { GatewayTopology, Topology } from './topology.ts';

export type HopId =
  | 'gateway'
  | 'dns'
  | 'tcp'
  | 'tls'
  | 'vhost'
  | 'route'
  | 'ws-port'
  | 'upgrade'
  | 'hello'
  | 'heartbeat'
  | 'registry'
  | 'canary'
  | 'api'
  | 'host'
  | 'access';

export interface Hop {
  readonly id: HopId;
  readonly label: string;
  /** What it stands for in detail: unit, process and configuration are one mark on the path strip. */
  readonly covers: string;
  /** In which order causes are mended: from the backend outwards. */
  readonly order: number;
  readonly onPath: boolean;
}

/** In the order in which a connection meets them; `api`, `host` and `access` are side branches. */
export const hops: readonly Hop[] = [
  { id: 'gateway', label: 'gateway', covers: 'unit, process, configuration', order: 90, onPath: true },
  { id: 'dns', label: 'dns', covers: 'name resolution on the gateway', order: 80, onPath: true },
  { id: 'tcp', label: 'tcp', covers: 'route and TCP to the public port', order: 70, onPath: true },
  { id: 'tls', label: 'tls', covers: 'TLS as the gateway sees it', order: 60, onPath: true },
  { id: 'vhost', label: 'vhost', covers: 'nginx runs and has a server for the name', order: 50, onPath: true },
  { id: 'route', label: 'route', covers: 'nginx location, target and headers', order: 40, onPath: true },
  { id: 'ws-port', label: 'ws port', covers: 'TCP to the target, listener, accepting', order: 20, onPath: true },
  { id: 'upgrade', label: 'upgrade', covers: 'WebSocket upgrade', order: 30, onPath: true },
  { id: 'hello', label: 'hello', covers: 'HELLO is answered', order: 35, onPath: true },
  { id: 'heartbeat', label: 'heartbeat', covers: 'the gateway holds a live link', order: 92, onPath: true },
  { id: 'registry', label: 'registry', covers: 'the backend lists the gateway', order: 94, onPath: true },
  { id: 'canary', label: 'canary', covers: "a command's exit code and bytes come back", order: 96, onPath: true },
  { id: 'host', label: 'host', covers: 'disk, clock, memory', order: 5, onPath: false },
  { id: 'api', label: 'api', covers: 'HTTP API', order: 45, onPath: false },
  { id: 'access', label: 'access', covers: "the doctor's own way to the hosts", order: 99, onPath: false },
];

export function hopOrder(id: HopId): number {
  return hops.find((hop) => hop.id === id)?.order ?? 100;
}

/**
 * A page of the HTTP API that anybody may ask for and the agents port does not have. Our agents port has a /health of its own, which would
 * hide that nginx sends the API there; of another make of backend only /health is known.
 */
export function apiPath(topology: Topology): string {
  return topology.kind === 'viworks' ? '/api/v1/openapi.json' : '/health';
}

/** Whether an installation has a hop at all; null = it has, else the reason why not. */
export function hopAbsence(id: HopId, topology: Topology, gateway: GatewayTopology | null): string | null {
  if (!gateway && (id === 'gateway' || id === 'heartbeat' || id === 'registry')) return 'no gateway named';
  if ((id === 'vhost' || id === 'route') && topology.nginx.supervision === 'none') return 'no nginx here';
  if (topology.kind !== 'viworks' && (id === 'hello' || id === 'registry' || id === 'canary')) {
    return 'not a viworks installation';
  }
  if (id === 'canary' && !gateway) return 'no gateway named';
  return null;
}
