// Connections that are opened before anything is drawn, where a person may have to answer a question of ssh first.
import type { Clock } from '../../../agents/runtime/index.ts';
import { openRemote, type Remote, type RemoteTarget, type TerminalQuestions } from '../../../deploy/remote/index.ts';

/** A host whose question comes later than this is not waited for, in ms; nothing is drawn until then. */
const QUIET_MS = 1_500;
/** How often it is looked whether a question is open, in ms. */
const LOOK_MS = 50;

/** An opening under way, with the time that it took. */
export type Opening = Promise<{ readonly remote: Remote; readonly milliseconds: number }>;

export interface EarlyContext {
  readonly questions: TerminalQuestions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connectMs: number;
  readonly dialMs: number;
}

/** Openings by host name; each is used once. */
export interface EarlyLinks {
  /** Rejects with the reason of the signal when that comes first; undefined for a host that was not opened, or used before. */
  take(name: string, signal: AbortSignal): Opening | undefined;
  /** Ends what is still under way, and every connection that was made. */
  close(): void;
}

/** Opens every host, and comes back when all are open, or when no question is open and the quiet time is over. */
export async function openEarly(
  targets: ReadonlyMap<string, RemoteTarget>,
  context: EarlyContext,
): Promise<EarlyLinks> {
  const { questions, clock } = context;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const openings = new Map<string, Opening>();
  for (const [name, target] of targets) openings.set(name, open(target, { ...context, signal }));
  let isSettled = false;
  const settled = Promise.allSettled(openings.values()).then(() => {
    isSettled = true;
  });
  const until = clock.monotonicMs() + QUIET_MS;
  while (!isSettled && !signal.aborted && (questions.isAsking || clock.monotonicMs() < until)) {
    await Promise.race([settled, clock.sleep(LOOK_MS)]);
  }
  questions.end();
  return {
    take(name, given) {
      const opening = openings.get(name);
      openings.delete(name);
      return opening && untilAborted(opening, given);
    },
    close: () => stop.abort(),
  };
}

function untilAborted(opening: Opening, signal: AbortSignal): Opening {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    opening.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

async function open(
  target: RemoteTarget,
  context: EarlyContext,
): Promise<{ readonly remote: Remote; readonly milliseconds: number }> {
  const began = context.clock.monotonicMs();
  const remote = await openRemote(target, context);
  return { remote, milliseconds: Math.round(context.clock.monotonicMs() - began) };
}
