// A clock that only moves when a test says so.
import type { Clock, Timer } from '../../agents/runtime/index.ts';

/** A Clock plus `advance`, which fires what is due in order and lets promises settle in between. */
export interface FakeClock extends Clock {
  advance(ms: number): Promise<void>;
  /** Timers that are armed. */
  pending(): number;
}

interface Armed {
  at: number;
  callback: () => void;
}

/** Creates a fake clock that starts at the given wall time (ms since the epoch). */
export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let elapsed = 0;
  const armed = new Set<Armed>();
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  const after = (ms: number, callback: () => void): Timer => {
    const timer = { at: elapsed + Math.max(0, ms), callback };
    armed.add(timer);
    return { cancel: () => void armed.delete(timer) };
  };
  return {
    now: () => startMs + elapsed,
    monotonicMs: () => elapsed,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const timer = after(ms, resolve);
        const abort = (): void => {
          timer.cancel();
          reject(signal?.reason);
        };
        signal?.addEventListener('abort', abort, { once: true });
      }),
    async advance(ms) {
      const end = elapsed + ms;
      await settle();
      for (;;) {
        const due = [...armed].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        armed.delete(due);
        elapsed = due.at;
        due.callback();
        await settle();
      }
      elapsed = end;
      await settle();
    },
    pending: () => armed.size,
  };
}
