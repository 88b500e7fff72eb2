// From how a task ended to the result that crosses the wire. Pure.
import { constants } from 'node:os';
import type { TaskResult } from '../../protocol/index.ts';
import type { Ending } from './launcher-protocol.ts';

/** Totals of both streams. */
export interface Totals {
  readonly out: { readonly bytes: number; readonly sha256: string };
  readonly err: { readonly bytes: number; readonly sha256: string };
}

const SIGNALS = new Map<number, string>(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** The result of a task that ended under its waiter's eyes. */
export function resultOf(ending: Ending, totals: Totals, truncations = 0): TaskResult {
  const messages: string[] = [];
  if (ending.survivors.length > 0) messages.push(`could not be killed: ${ending.survivors.join(', ')}`);
  if (ending.lost) messages.push('the exit code is lost: the waiting process was killed');
  if (truncations > 0) messages.push('the task truncated its own output');
  const short = ending.out > totals.out.bytes || ending.err > totals.err.bytes;
  if (short && truncations === 0) messages.push('part of the output was lost with the spool');
  return {
    outcome: outcomeOf(ending),
    ...(ending.code === undefined ? {} : { code: ending.code }),
    ...(ending.signal === undefined ? {} : { signal: SIGNALS.get(ending.signal) ?? `SIG${ending.signal}` }),
    out: totals.out,
    err: totals.err,
    durationMs: ending.durationMs,
    leftovers: ending.leftovers,
    killMode: ending.killMode,
    escalated: ending.escalated,
    oomKilled: ending.oomKilled,
    ...(messages.length === 0 ? {} : { message: messages.join('; ').slice(0, 1024) }),
  };
}

/** A result without an ending: never seen to end, or ended before it began. */
export function resultWithout(outcome: 'indeterminate' | 'cancelled', totals: Totals, message: string): TaskResult {
  return {
    outcome,
    out: totals.out,
    err: totals.err,
    durationMs: 0,
    leftovers: 0,
    killMode: 'none',
    escalated: false,
    oomKilled: false,
    message: message.slice(0, 1024),
  };
}

function outcomeOf(ending: Ending): TaskResult['outcome'] {
  if (ending.survivors.length > 0) return 'kill_failed';
  if (ending.reason !== 'exited') return ending.reason;
  if (ending.lost) return 'indeterminate';
  return ending.signal === undefined ? 'exited' : 'signalled';
}
