// The operator's interrupts: the first one asks the command to end, the second one ends the process.
import { runtimeErrors } from '../agents/runtime/index.ts';

/** Exit codes of a process ended by a signal: 128 + its number, as shells say it. */
const ENDINGS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Ending = keyof typeof ENDINGS;

/** The two signals of an invocation, and `abort` for endings that are not signals (a closed pipe). */
export interface Interrupts {
  readonly signal: AbortSignal;
  /** Aborted at the second interrupt; the process ends as soon as its listeners returned. */
  readonly leaving: AbortSignal;
  abort(reason: Error): void;
  /** Exit code of the interrupt that came, if one did. */
  code(): number | undefined;
}

/** Listens for the rest of the process's life. */
export function listenForInterrupts(): Interrupts {
  const first = new AbortController();
  const second = new AbortController();
  let code: number | undefined;
  for (const name of Object.keys(ENDINGS) as Ending[]) {
    process.on(name, () => {
      const reason = runtimeErrors.create('VW_RUNTIME_INTERRUPTED', { signal: name });
      if (!first.signal.aborted) {
        code = ENDINGS[name];
        first.abort(reason);
        return;
      }
      second.abort(reason);
      process.exit(ENDINGS[name]);
    });
  }
  return {
    signal: first.signal,
    leaving: second.signal,
    abort: (reason) => first.abort(reason),
    code: () => code,
  };
}
