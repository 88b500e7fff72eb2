// How a process ends that was asked to by a signal.
import { ViworksError } from './errors.ts';

/** Exit codes of a process ended by a signal: 128 + its number, as shells say it. */
export const INTERRUPT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The exit code for an abort reason: that of the signal in a VW_RUNTIME_INTERRUPTED, else the one of Ctrl-C. */
export function interruptCode(reason: unknown): (typeof INTERRUPT_CODES)[keyof typeof INTERRUPT_CODES] {
  const name = reason instanceof ViworksError ? reason.detail.signal : undefined;
  return name === 'SIGTERM' || name === 'SIGHUP' ? INTERRUPT_CODES[name] : INTERRUPT_CODES.SIGINT;
}
