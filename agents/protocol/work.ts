// Frames of work: run, its answers, acknowledged output, exit, cancel. Output bytes themselves travel in binary frames.
import * as z from 'zod';
import { REFUSALS } from './errors.ts';
import { MAX_DURATION_MS } from './limits.ts';
import { environment, offset, sha256Hex, streamName, taskId, text } from './parts.ts';

const duration = z.int().min(0).max(MAX_DURATION_MS);

/** Backend → gateway. The same id and fence may come again after a reconnect: it is run once. */
export const run = z.object({
  type: z.literal('task.run'),
  taskId,
  /** +1 at each dispatch decision; an older one is refused. */
  fence: z.int().min(0),
  verb: text(64),
  args: z.record(z.string(), z.unknown()),
  env: environment,
  cwd: z.string().max(4096).optional(),
  /** Complete standard input, base64; absent: empty. */
  stdin: z.base64().optional(),
  /** 0: no limit. */
  timeoutMs: duration,
  graceMs: duration,
  /** From the moment of sending; a task not started by then is refused as `expired`. */
  ttlMs: duration,
});

/** Gateway → backend: the intent is on disk. */
export const accepted = z.object({ type: z.literal('task.accepted'), taskId, fence: z.int().min(0) });

/** Gateway → backend: it runs; on a new link sent again to bind `taskRef`, which binary frames of this link carry. */
export const started = z.object({
  type: z.literal('task.started'),
  taskId,
  taskRef: z.int().min(1).max(0xffff_ffff),
  streamEpoch: text(32),
  /** Milliseconds since the epoch on the gateway's clock. */
  startedAt: z.int(),
});

/** What stood in a task's way, as data: programs read this, and the sentence beside it is for people. Gateways before it send none. */
export const obstacle = z.object({
  /** A step of the start (`exec`, `cwd`, `spool`, …), or what cannot be used: `launcher`, `journal`; `held`: too many tasks. */
  stage: text(32),
  /** The system's name for it, as `ENOENT`. */
  errno: text(32).optional(),
  /** The directory or socket. */
  place: text(4096).optional(),
});

/** Gateway → backend: it never ran. */
export const refusedTask = z.object({
  type: z.literal('task.refused'),
  taskId,
  fence: z.int().min(0),
  code: z.enum(REFUSALS),
  message: text(1024),
  obstacle: obstacle.optional(),
});

/** Backend → gateway: stored durably up to these offsets, and how far (out + err together) may be sent. */
export const ack = z.object({
  type: z.literal('task.ack'),
  taskId,
  out: offset,
  err: offset,
  /** Absolute: the sum of both streams' offsets may not pass it. */
  credit: offset,
});

/** Gateway → backend: these bytes are lost for good, and why. */
export const gap = z.object({
  type: z.literal('task.gap'),
  taskId,
  stream: streamName,
  from: offset,
  to: offset,
  reason: z.enum(['spool_lost', 'spool_truncated', 'disk_full']),
});

const streamTotal = z.object({ bytes: offset, sha256: sha256Hex });

/** How a task ended. `outcome` says who ended it; `code`/`signal` what the leader returned. */
export const taskResult = z.object({
  outcome: z.enum(['exited', 'signalled', 'cancelled', 'timed_out', 'indeterminate', 'kill_failed']),
  code: z.int().min(0).max(255).optional(),
  signal: z.string().max(16).optional(),
  out: streamTotal,
  err: streamTotal,
  durationMs: z.int().min(0),
  /** Processes of the tree that were still there when the leader had ended and were killed. */
  leftovers: z.int().min(0),
  /** How the end of the tree was made sure of. */
  killMode: z.enum(['none', 'cgroup', 'sweep']),
  /** Whether force was needed after the polite signal. */
  escalated: z.boolean(),
  oomKilled: z.boolean(),
  message: z.string().max(1024).optional(),
});
export type TaskResult = z.infer<typeof taskResult>;

/** Gateway → backend; sent until settled. May come before the last output bytes. */
export const exit = z.object({ type: z.literal('task.exit'), taskId, fence: z.int().min(0), result: taskResult });

/** Backend → gateway: result and all output are stored; forget the task. */
export const settled = z.object({ type: z.literal('task.settled'), taskId });

/** Backend → gateway: wanted state is "ended". Idempotent. */
export const cancel = z.object({ type: z.literal('task.cancel'), taskId, graceMs: duration });

/** Gateway → backend: what became of a cancel. */
export const cancelling = z.object({
  type: z.literal('task.cancelling'),
  taskId,
  phase: z.enum(['accepted', 'unknown_task', 'already_finished']),
});
