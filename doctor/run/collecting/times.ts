// How often each hop is dialled: what several processes or servers stand behind is not judged by one dial.
import { sharers } from '../../engine/index.ts';
import { deriveRoutes } from '../../nginx/index.ts';
import { DIALS } from '../../probes/several.ts';
import type { NetworkContext } from './network-context.ts';

/**
 * How often a hop is dialled: once where one process stands behind it, several times where the kernel or nginx deals dials out. More would
 * run into the limits that a healthy nginx has.
 */
export function timesOf({ store, topology }: NetworkContext, hop: 'agents' | 'api' | 'public'): number {
  const listening = store.get('tcp.listeners', topology.backend.supervision === 'docker' ? 'be/ns:agent' : 'be');
  const rows = listening.status === 'known' ? listening.value : [];
  const { agentsPort, apiPort } = topology.backend;
  if (hop === 'api') return sharers(rows, apiPort).length > 1 ? DIALS : 1;
  const isShared = sharers(rows, agentsPort).length > 1;
  if (hop === 'agents' || isShared) return isShared ? DIALS : 1;
  const processes = store.get('nginx.processes', 'be');
  const workers = processes.status === 'known' ? processes.value.workers : [];
  const route = deriveRoutes(store, topology).find(({ subject }) => subject === 'agents');
  const servers = route?.key === 'nginx.route' && route.reading.status === 'known' ? route.reading.value.target : null;
  const isDealt = workers.some(({ state }) => /^[TtDZ]/.test(state ?? '')) || (servers?.addresses.length ?? 0) > 1;
  return isDealt ? DIALS : 1;
}
