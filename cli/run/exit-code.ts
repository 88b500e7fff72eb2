// How a task ended → the exit code of `viworks run`, and what is said about it. Pure.
import { constants } from 'node:os';
import type { http } from '../../agents/protocol/index.ts';

/** Exit code and, where the code alone does not tell, a line for stderr. */
export interface RunEnding {
  readonly code: number;
  readonly note: string | undefined;
}

export const RUN_EXIT_CODES = [
  { code: 0, means: 'the command ended with 0; any other code of the command is passed on' },
  { code: 64, means: 'usage, configuration or token' },
  { code: 69, means: 'the gateway stayed offline past --ttl, or the backend cannot be reached' },
  { code: 75, means: 'the result was not seen, or nobody can tell how it ended' },
  { code: 124, means: 'ended by --timeout' },
  { code: 125, means: 'refused or not started: policy, arguments, unknown gateway' },
  { code: 130, means: 'cancelled by Ctrl-C (143: by SIGTERM)' },
  { code: 128, means: '+ n: the command was ended by signal n' },
] as const;

/** `interrupt`: the exit code of the signal with which the operator cancelled it, if one did. */
export function runEnding(end: http.TaskEnd | undefined, interrupt: number | undefined): RunEnding {
  if (!end) return { code: 75, note: 'the backend says that the task is finished, but not how' };
  switch (end.outcome) {
    case 'exited':
      return end.code === undefined
        ? { code: 75, note: 'it ended, but its exit code is lost' }
        : { code: end.code, note: undefined };
    case 'signalled': {
      const oom = end.oomKilled ? ' (out of memory)' : '';
      return { code: signalCode(end.signal) ?? 128, note: `ended by ${end.signal ?? 'a signal'}${oom}` };
    }
    case 'cancelled': {
      const force = end.escalated ? '; force was needed' : '';
      return { code: interrupt ?? signalCode(end.signal) ?? 130, note: `cancelled, nothing of it is left${force}` };
    }
    case 'timed_out':
      return { code: 124, note: `ended by its timeout after ${(end.durationMs / 1000).toFixed(1)} s` };
    case 'kill_failed':
      return { code: 75, note: `could not be ended: ${end.message ?? 'processes of it are still alive'}` };
    case 'indeterminate':
      return { code: 75, note: `nobody can tell how it ended: ${end.message ?? 'the evidence is lost'}` };
    case 'refused': {
      const note = `not started (${end.refusal}): ${refusalWords(end)}`;
      return { code: end.refusal === 'expired' ? 69 : 125, note };
    }
    case 'cancelled_before_start':
      return { code: interrupt ?? 125, note: 'cancelled before it was started' };
    case 'expired':
      return { code: 69, note: `not started: ${end.message}; \`viworks doctor\` says why` };
  }
}

/** By the stage of a start and the system's error: what it means, and what to try. */
const OBSTACLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  exec: {
    ENOENT: 'the gateway has no such program (exec: ENOENT); give its full path, or let a shell look with --shell',
    EACCES: 'the task user may not execute it (exec: EACCES); look at its mode and path on the gateway',
    ENOEXEC: 'it is not an executable and has no #! line (exec: ENOEXEC); name its interpreter, as in: -- sh FILE',
    E2BIG: 'arguments and environment are too long (exec: E2BIG); send them with --stdin',
  },
  cwd: {
    ENOENT: 'the gateway has no such directory for --cwd (cwd: ENOENT)',
    ENOTDIR: '--cwd names no directory of the gateway (cwd: ENOTDIR)',
    EACCES: 'the task user may not enter the directory of --cwd (cwd: EACCES)',
  },
};
const DISKS: ReadonlySet<string> = new Set(['spool', 'journal']);

/** The gateway's own sentence, or a better one where its data has one here. */
function refusalWords({ refusal, message, obstacle }: Extract<http.TaskEnd, { outcome: 'refused' }>): string {
  const own = OBSTACLES[obstacle?.stage ?? '']?.[obstacle?.errno ?? ''];
  if (own !== undefined) return own;
  if (refusal !== 'storage_unavailable') return message;
  const advice = DISKS.has(obstacle?.stage ?? '') ? '; look at its file systems: df -h, df -i' : '';
  return `the gateway cannot take another task: ${message}${advice}`;
}

/** 128 + the number of a signal's name, as shells say it. */
function signalCode(name: string | undefined): number | undefined {
  const number = (constants.signals as Readonly<Record<string, number>>)[name ?? ''];
  return number === undefined ? undefined : 128 + number;
}
