// One task that the agent holds, from RECEIVED until the backend has settled it.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { FrameOf, TaskResult } from '../../protocol/index.ts';
import type { LedgerEntry } from '../journal/ledger.ts';
import type { StartRequest } from './launcher-protocol.ts';
import { createFlow, type Flow } from './outflow.ts';
import type { Refused } from './refusal.ts';
import { SpoolStream } from './spool.ts';
import type { SpoolWatch } from './watch.ts';

/** `receiving`: the intent is on its way to the disk; nobody was told yet. */
export type TaskPhase = 'receiving' | 'queued' | 'starting' | 'running' | 'exited' | 'refused';

/** A task in memory. Only executor.ts and the files beside it change one. */
export interface LiveTask {
  readonly taskId: string;
  readonly verb: string;
  readonly digest: string;
  readonly graceMs: number;
  readonly horizonMs: number;
  readonly folder: string;
  readonly flow: Flow;
  fence: number;
  phase: TaskPhase;
  streamEpoch: string;
  /** Milliseconds since the epoch; 0 before the start. */
  startedAt: number;
  /** Monotonic; after it a task that still waits in the queue is refused. */
  expiresAt: number;
  /** What to start; dropped once the launcher has it. */
  request: StartRequest | undefined;
  watch: SpoolWatch | undefined;
  result: TaskResult | undefined;
  refusal: Refused | undefined;
  /** A cancel that came before there was anything to end. */
  cancelGraceMs: number | undefined;
  /** The backend does not know it: nobody waits for its result. */
  orphan: boolean;
  held: boolean;
  /** Bytes of both streams that the backend has stored. */
  acked: number;
  finishing: boolean;
  /** Monotonic time of the arrival of the run, for the log. */
  receivedAt: number;
}

/** A task for a run that has just come in. */
export function newTask(
  frame: FrameOf<'task.run'>,
  options: { readonly tasksDir: string; readonly now: number; readonly request: StartRequest },
): LiveTask {
  return {
    ...blank(frame.taskId, options.tasksDir),
    verb: frame.verb,
    digest: digestOf(frame),
    graceMs: frame.graceMs,
    horizonMs: frame.ttlMs + HORIZON_MARGIN_MS,
    fence: frame.fence,
    expiresAt: options.now + frame.ttlMs,
    receivedAt: options.now,
    request: options.request,
  };
}

/** A task that the journal remembers. */
export function rememberedTask(
  entry: LedgerEntry,
  options: { readonly tasksDir: string; readonly now: number },
): LiveTask {
  return {
    ...blank(entry.taskId, options.tasksDir),
    verb: entry.verb,
    digest: entry.digest,
    graceMs: entry.graceMs,
    horizonMs: entry.horizonMs,
    fence: entry.fence,
    phase: entry.state === 'exited' ? 'exited' : entry.state === 'refused' ? 'refused' : 'starting',
    streamEpoch: entry.streamEpoch === '' ? 'none' : entry.streamEpoch,
    startedAt: entry.startedAt,
    receivedAt: options.now,
    result: entry.result,
    refusal: entry.refusal as LiveTask['refusal'],
  };
}

// How long a settled id is remembered beyond its time to live: clocks differ, and a backend may come back from a backup.
const HORIZON_MARGIN_MS = 24 * 3_600_000;

function blank(taskId: string, tasksDir: string): LiveTask {
  const folder = join(tasksDir, taskId);
  return {
    taskId,
    verb: '',
    digest: '',
    graceMs: 0,
    horizonMs: HORIZON_MARGIN_MS,
    folder,
    flow: createFlow(new SpoolStream(join(folder, 'out')), new SpoolStream(join(folder, 'err'))),
    fence: 0,
    phase: 'receiving',
    streamEpoch: 'none',
    startedAt: 0,
    expiresAt: Number.POSITIVE_INFINITY,
    request: undefined,
    watch: undefined,
    result: undefined,
    refusal: undefined,
    cancelGraceMs: undefined,
    orphan: false,
    held: false,
    acked: 0,
    finishing: false,
    receivedAt: 0,
  };
}

/** Hash of what a run asks for, whatever the order of its keys. */
export function digestOf(frame: FrameOf<'task.run'>): string {
  const { verb, args, env, cwd, stdin, timeoutMs } = frame;
  const text = JSON.stringify([verb, args, env, cwd ?? null, stdin ?? null, timeoutMs], (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Closes what a task has open. */
export function releaseTask(task: LiveTask): void {
  task.watch?.close();
  task.watch = undefined;
  task.flow.out.close();
  task.flow.err.close();
}
