// What an interrupt leaves behind, host by host, and the next command. Pure.

/** How far the hosts of a deploy got; kept while it runs, for the one who ends it early. */
export interface Reached {
  /** Switched and not committed: they go back by themselves. */
  readonly switched: Set<string>;
  readonly committed: Set<string>;
  /** Asked to remove everything; a host that was asked carries it out. */
  readonly removing: Set<string>;
  readonly removed: Set<string>;
}

export function nothingReached(): Reached {
  return { switched: new Set(), committed: new Set(), removing: new Set(), removed: new Set() };
}

/** The last words after an interrupt. */
export function describeInterrupt({ switched, committed, removing, removed }: Reached): string {
  const going = [...removing].filter((host) => !removed.has(host));
  const back = [...switched].filter((host) => !committed.has(host));
  const parts = [
    ...(committed.size > 0 ? [`committed: ${[...committed].join(', ')}`] : []),
    ...(removed.size > 0 ? [`removed from: ${[...removed].join(', ')}`] : []),
    ...(going.length > 0 ? [`removing, carried to its end by the host: ${going.join(', ')}`] : []),
    ...(back.length > 0 ? [`switched, going back by itself now: ${back.join(', ')}`] : []),
  ];
  if (parts.length === 0) return 'interrupted: nothing live was changed';
  const again = removing.size > 0 ? 'viworks deploy remove' : 'viworks deploy apply';
  return `interrupted · ${parts.join(' · ')}\nlook in a few seconds: viworks deploy status; then again: ${again}`;
}
