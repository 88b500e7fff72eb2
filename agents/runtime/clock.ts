// The only place that reads a clock or sets a timer; everything else is handed a Clock.
import { setTimeout as delay } from 'node:timers/promises';

/** A timer that can be taken back. */
export interface Timer {
  cancel(): void;
}

/** Time as the program sees it. `monotonicMs` never jumps; `now` is for display, certificates and records. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that no administrator can set, with fractions. */
  monotonicMs(): number;
  /** Calls back once after `ms`; delays above 2^31-1 ms are honoured (Node alone would fire them at once). */
  after(ms: number, callback: () => void): Timer;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // Not performance.now(): its first use loads perf_hooks, which a short command would feel.
  monotonicMs() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1e3 + nanoseconds / 1e6;
  },
  after(ms, callback) {
    let left = Math.max(0, ms);
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const step = Math.min(left, MAX_TIMEOUT_MS);
      handle = setTimeout(() => {
        left -= step;
        if (left > 0) arm();
        else callback();
      }, step);
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
  async sleep(ms, signal) {
    let left = Math.max(0, ms);
    do {
      const step = Math.min(left, MAX_TIMEOUT_MS);
      try {
        await delay(step, undefined, signal ? { signal } : undefined);
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
      left -= step;
    } while (left > 0);
  },
};

/** How back-off grows. All in milliseconds. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
  /** A number in [0, 1); `Math.random` in production. */
  readonly random: () => number;
}

/**
 * Full jitter: a random delay between 0 and min(cap, base * 2^attempt).
 * Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const ceiling = Math.min(options.capMs, options.baseMs * 2 ** Math.min(attempt, 30));
  return options.random() * ceiling;
}

/**
 * Runs `work` under a deadline: its signal is aborted when the time is over or the outer signal is, and the promise then
 * rejects with the reason given by `onTimeout` (or the outer reason) even if the work does not listen.
 */
export async function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  options: { ms: number; clock: Clock; signal?: AbortSignal | undefined; onTimeout: () => Error },
): Promise<T> {
  const controller = new AbortController();
  const outer = options.signal;
  outer?.throwIfAborted();
  const forward = (): void => controller.abort(outer?.reason);
  outer?.addEventListener('abort', forward, { once: true });
  const timer = options.clock.after(options.ms, () => controller.abort(options.onTimeout()));
  try {
    return await new Promise<T>((resolve, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
      work(controller.signal).then(resolve, reject);
    });
  } finally {
    timer.cancel();
    outer?.removeEventListener('abort', forward);
  }
}
