// Runs the named loops of a process; the first one that fails, or ends unasked, takes the process down with its name.
import { isAbort, runtimeErrors } from './errors.ts';

/** A long-lived loop: it ends only when its signal is aborted. */
export interface Loop {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Runs loops until the signal is aborted or one of them fails. The others are then aborted and awaited.
 * Throws what the first fatal loop threw, or VW_RUNTIME_LOOP_ENDED.
 */
export async function supervise(loops: readonly Loop[], signal: AbortSignal): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  let fatal: { readonly reason: unknown } | undefined;
  const watch = async (loop: Loop): Promise<void> => {
    try {
      await loop.run(controller.signal);
      if (!controller.signal.aborted) throw runtimeErrors.create('VW_RUNTIME_LOOP_ENDED', { loop: loop.name });
    } catch (error) {
      if (controller.signal.aborted && (isAbort(error) || error === controller.signal.reason)) return;
      fatal ??= { reason: error };
      controller.abort(error);
    }
  };
  await Promise.all(loops.map(watch));
  signal.removeEventListener('abort', stop);
  if (fatal) throw fatal.reason;
}
