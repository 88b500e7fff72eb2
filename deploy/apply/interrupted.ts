// What an interrupt leaves behind, host by host, and the next command. Pure.
import { fromUnknown, interruptCode } from '../../agents/runtime/index.ts';

/** How far the hosts of a deploy got; kept while it runs, for the one who ends it early. */
export interface Reached {
  /** Switched and neither committed nor verified as back: they go back by themselves. */
  readonly switched: Set<string>;
  readonly committed: Set<string>;
  /** Verified as back on what they ran before. */
  readonly back: Set<string>;
  /** What had failed before the interrupt came, in words: an interrupt does not undo a verdict. */
  readonly failed: Set<string>;
  /** Asked to remove everything; a host that was asked carries it out. */
  readonly removing: Set<string>;
  readonly removed: Set<string>;
}

export function nothingReached(): Reached {
  return {
    switched: new Set(),
    committed: new Set(),
    back: new Set(),
    failed: new Set(),
    removing: new Set(),
    removed: new Set(),
  };
}

/** The last words after an interrupt. */
export function describeInterrupt({ switched, committed, back, failed, removing, removed }: Reached): string {
  const going = [...removing].filter((host) => !removed.has(host));
  const open = [...switched].filter((host) => !committed.has(host));
  const parts = [
    ...(committed.size > 0 ? [`committed: ${[...committed].join(', ')}`] : []),
    ...(removed.size > 0 ? [`removed from: ${[...removed].join(', ')}`] : []),
    ...(going.length > 0 ? [`removing, carried to its end by the host: ${going.join(', ')}`] : []),
    ...(back.size > 0 ? [`back (verified): ${[...back].join(', ')}`] : []),
    ...(open.length > 0 ? [`switched, rolling back automatically now: ${open.join(', ')}`] : []),
  ];
  const why = [...failed].map((reason) => `\nfailed before: ${reason}`).join('');
  if (parts.length === 0) return `interrupted: nothing live was changed${why}`;
  const again = removing.size > 0 ? 'viworks deploy remove' : 'viworks deploy apply';
  return `interrupted · ${parts.join(' · ')}${why}\nlook in a few seconds: viworks deploy status; then again: ${again}`;
}

const VERDICTS: ReadonlySet<string> = new Set(['VW_DEPLOY_HOLD', 'VW_DEPLOY_ROLLED_BACK']);

/** The result of a deploy that was interrupted; undefined when there was no interrupt, or a verdict that it came too late to change. */
export function interruptedResult(error: unknown, { signal, reached }: { signal: AbortSignal; reached: Reached }) {
  if (!signal.aborted || VERDICTS.has(fromUnknown(error).code)) return undefined;
  return { summary: describeInterrupt(reached), exitCode: interruptCode(signal), interrupted: true };
}
