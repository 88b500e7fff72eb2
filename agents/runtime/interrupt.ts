// How a process ends that was asked to by a signal.
import { ViworksError } from './errors.ts';

/** Exit codes of a process ended by a signal: 128 + its number, as shells say it. */
export const INTERRUPT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The exit code of what this signal stopped: that of the process signal in its VW_RUNTIME_INTERRUPTED, else the one of Ctrl-C. */
export function interruptCode(stopped: AbortSignal): (typeof INTERRUPT_CODES)[keyof typeof INTERRUPT_CODES] {
  const reason: unknown = stopped.reason;
  const name = reason instanceof ViworksError ? reason.detail.signal : undefined;
  return name === 'SIGTERM' || name === 'SIGHUP' ? INTERRUPT_CODES[name] : INTERRUPT_CODES.SIGINT;
}
