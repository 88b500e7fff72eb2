// Gateways that answer the backend and are in no inventory: enrolled by hand, or left behind by an edit. Pure.
import type { Inventory } from '../inventory/index.ts';

type Known = Pick<Inventory, 'gateways' | 'backend'> & { readonly hosts: Readonly<Record<string, unknown>> };

/** Ids of the connected gateways that this inventory does not name. */
export function findStrays(connected: readonly string[], { gateways }: Known): string[] {
  const known = new Set(gateways.map((gateway) => gateway.id));
  return [...new Set(connected)].filter((id) => !known.has(id));
}

/** One remark for all of them, with what takes one off its host; nothing when there are none. */
export function describeStrays(strays: readonly string[], inventory: Known): string[] {
  if (strays.length === 0) return [];
  const used = new Set([inventory.backend.host, ...inventory.gateways.map((gateway) => gateway.host)]);
  const idle = Object.keys(inventory.hosts).filter((host) => !used.has(host));
  // A host is found by its name in the inventory only: where it is not there any more, it has to come back first.
  const bring = 'put its [hosts.NAME] into the inventory';
  const here = `viworks deploy remove --host ${idle.length === 1 ? idle[0] : `HOST (${idle.join(', ')})`}`;
  const way =
    idle.length > 0
      ? `${here}; when it is elsewhere, ${bring} first`
      : `${bring}, then: viworks deploy remove --host NAME`;
  return [
    `· connected but not in this inventory: ${strays.join(', ')} (fine when enrolled by hand)`,
    `  to take one off that was deployed here: ${way}`,
  ];
}
