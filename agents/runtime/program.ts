// The life of a daemon: drain on the first signal, stop at its deadline or on the second, and never hang for good.
import type { Clock } from './clock.ts';
import { fromUnknown, isAbort, runtimeErrors } from './errors.ts';
import type { Logger } from './log.ts';
import { RUNTIME_MESSAGES } from './messages.ts';
import type { Notifier } from './notify.ts';
import { createScope, type Scope } from './scope.ts';
import { type Loop, supervise } from './supervise.ts';

/** The two signals that every part of a daemon sees. */
export interface Lifetime {
  /** Take nothing new, finish what you hold. */
  readonly draining: AbortSignal;
  /** Abort. */
  readonly stopping: AbortSignal;
}

/** What a composition root gives back: loops to supervise, and what to do while draining. */
export interface ProgramParts {
  readonly loops: readonly Loop[];
  /** Called once when draining begins; resolves when nothing is left to finish. */
  drain(signal: AbortSignal): Promise<void>;
}

/** What `runProgram` needs. `compose` opens everything and registers its closing in the scope. */
export interface ProgramOptions {
  /** Aborted by the first termination signal. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly notifier: Notifier;
  /** How long draining may take before parts are stopped, in ms. */
  readonly drainMs: number;
  compose(scope: Scope, lifetime: Lifetime): Promise<ProgramParts>;
}

/** Runs a daemon until it is told to end; gives the exit code (0 when asked to end, the error's otherwise). */
export async function runProgram(options: ProgramOptions): Promise<number> {
  const { clock, logger, notifier } = options;
  const draining = new AbortController();
  const stopping = new AbortController();
  const scope = createScope(clock);
  const pings = startWatchdog(notifier, clock);
  let code = 0;
  try {
    const parts = await options.compose(scope, { draining: draining.signal, stopping: stopping.signal });
    const drained = onceAborted(options.signal).then(async () => {
      notifier.stopping();
      draining.abort(runtimeErrors.create('VW_RUNTIME_INTERRUPTED', { signal: 'SIGTERM' }));
      const limit = clock.after(options.drainMs, () => stopping.abort(draining.signal.reason));
      await parts.drain(stopping.signal).catch((error: unknown) => {
        if (!isAbort(error)) logger.failure(RUNTIME_MESSAGES.drainFailed, fromUnknown(error));
      });
      limit.cancel();
      stopping.abort(draining.signal.reason);
    });
    await supervise(parts.loops, stopping.signal);
    await drained;
  } catch (error) {
    if (!isAbort(error)) {
      const failure = fromUnknown(error);
      logger.failure(RUNTIME_MESSAGES.programEnds, failure);
      code = failure.exitCode;
    }
  }
  stopping.abort(runtimeErrors.create('VW_RUNTIME_INTERRUPTED', { signal: 'SIGTERM' }));
  try {
    await scope.close();
  } catch (error) {
    logger.failure(RUNTIME_MESSAGES.partsOpen, fromUnknown(error), { pending: scope.pending() });
    code ||= 1;
  }
  pings.cancel();
  return code;
}

function onceAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

// The ping runs on the event loop on purpose: a blocked loop then ends in Result=watchdog.
function startWatchdog(notifier: Notifier, clock: Clock): { cancel(): void } {
  const every = notifier.watchdogMs;
  if (every === undefined) return { cancel() {} };
  let timer = clock.after(every, ping);
  function ping(): void {
    notifier.watchdog();
    timer = clock.after(every as number, ping);
  }
  return { cancel: () => timer.cancel() };
}
