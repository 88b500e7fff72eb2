// The operator's interrupts: the first one asks the command to end, the second one ends the process.
import { INTERRUPT_CODES, runtimeErrors } from '../agents/runtime/index.ts';

type Ending = keyof typeof INTERRUPT_CODES;

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
  for (const name of Object.keys(INTERRUPT_CODES) as Ending[]) {
    process.on(name, () => {
      const reason = runtimeErrors.create('VW_RUNTIME_INTERRUPTED', { signal: name });
      if (!first.signal.aborted) {
        code = INTERRUPT_CODES[name];
        first.abort(reason);
        return;
      }
      second.abort(reason);
      process.exit(INTERRUPT_CODES[name]);
    });
  }
  return {
    signal: first.signal,
    leaving: second.signal,
    abort: (reason) => first.abort(reason),
    code: () => code,
  };
}
