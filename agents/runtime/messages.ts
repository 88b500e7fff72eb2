// The log messages that any program of ours may write, whatever it does: how it ends. Codes as in each program's own messages.ts.
/** By name: code and sentence. Pure data, so that the doctor may import it. */
export const RUNTIME_MESSAGES = {
  programEnds: { code: 'RT_PROGRAM_ENDS', text: 'the program ends' },
  drainFailed: { code: 'RT_DRAIN_FAILED', text: 'draining failed' },
  partsOpen: { code: 'RT_PARTS_OPEN', text: 'some parts did not close' },
} as const;
