// The hot path: output of tasks into the store and to viewers. Acks wait for the disk, viewers do not.
import { type FrameOf, limits, type OutputChunk, type StreamName } from '../../protocol/index.ts';
import { MESSAGES } from '../messages.ts';
import type { Batch } from '../storage/store.ts';
import type { Piece } from './assembly.ts';
import { completeWhenWhole } from './completion.ts';
import { type EngineCore, ignore } from './core.ts';
import type { LiveTask } from './live-task.ts';

/** Takes one chunk. Gives what is wrong with it when the gateway broke the protocol. */
export function takeOutput(core: EngineCore, task: LiveTask, chunk: OutputChunk): string | undefined {
  if (task.completing) return undefined; // Every byte of it is here already.
  const stream = task.streams[chunk.stream];
  if (task.spoolLost) return dropOutput(core, task, chunk);
  const end = chunk.offset + chunk.bytes.length;
  // The first check is of what credit promises; the gateway may have sent up to it before our last ack arrived.
  if (end > stream.durable + stream.gapBytes + 2 * limits.TASK_CREDIT_BYTES) return 'output beyond its credit';
  const first = task.streams.out.assembly.next + task.streams.err.assembly.next === 0;
  const appended = stream.assembly.add(chunk);
  if (appended === 'overflow') return 'output too far ahead of a hole';
  if (appended.length === 0) return undefined;
  if (first && task.sentAt !== undefined) core.metrics.firstByte.observe(secondsSince(core, task.sentAt));
  store(core, task, { stream: chunk.stream, pieces: appended });
  if (task.record.state === 'finishing') completeWhenWhole(core, task);
  return undefined;
}

/** Takes a gap record. */
export function takeGap(core: EngineCore, task: LiveTask, gap: FrameOf<'task.gap'>): string | undefined {
  const stream = task.streams[gap.stream];
  if (gap.from > stream.assembly.next) return 'gap ahead of a hole';
  const { missing, appended } = stream.assembly.skip(gap.to);
  if (!missing) return undefined;
  const { taskId } = task.record;
  const bytes = missing.to - missing.from;
  core.logger.warn(MESSAGES.outputGap, { task: taskId, stream: gap.stream, ...missing, reason: gap.reason });
  core.metrics.gapBytes.inc({ reason: gap.reason }, bytes);
  stream.hash = undefined;
  stream.gapBytes += bytes;
  const batch = core.store.write(
    [{ kind: 'output.gap', taskId, stream: gap.stream, ...missing, reason: gap.reason }],
    'soon',
  );
  track(core, task, batch);
  batch.committed.then(() => task.feed.stored(), ignore);
  store(core, task, { stream: gap.stream, pieces: appended });
  if (task.record.state === 'finishing') completeWhenWhole(core, task);
  return undefined;
}

function store(core: EngineCore, task: LiveTask, output: { stream: StreamName; pieces: readonly Piece[] }): void {
  const stream = task.streams[output.stream];
  for (const piece of output.pieces) {
    stream.hash?.update(piece.bytes);
    task.feed.output(output.stream, piece);
    core.metrics.outputBytes.inc({ stream: output.stream }, piece.bytes.length);
    const batch = core.store.write(
      [
        {
          kind: 'output.append',
          taskId: task.record.taskId,
          stream: output.stream,
          offset: piece.offset,
          bytes: piece.bytes,
        },
      ],
      'soon',
    );
    track(core, task, batch);
  }
}

// One continuation per task and batch, however many pieces the batch holds.
function track(core: EngineCore, task: LiveTask, batch: Batch): void {
  const { out, err } = task.streams;
  if (task.tracked?.batch === batch) {
    task.tracked.out = out.assembly.next;
    task.tracked.err = err.assembly.next;
    return;
  }
  const mark = { batch, out: out.assembly.next, err: err.assembly.next };
  task.tracked = mark;
  batch.committed.then(() => {
    if (task.feed.size > 0) task.feed.stored();
    if (!core.live.has(task.record.taskId) || task.completing) return;
    if (mark.out + mark.err - task.ackedBytes >= limits.ACK_EVERY_BYTES) ackOnceDurable(core, task, mark);
    else
      task.ackTimer ??= core.clock.after(limits.ACK_EVERY_MS, () => {
        if (task.tracked) ackOnceDurable(core, task, task.tracked);
      });
  }, ignore);
}

// Only here is an fsync asked for: a task that prints a little now and then costs ten a second, not one for every line.
function ackOnceDurable(core: EngineCore, task: LiveTask, mark: NonNullable<LiveTask['tracked']>): void {
  const { out, err } = task.streams;
  mark.batch.durable.then(() => {
    out.durable = Math.max(out.durable, mark.out);
    err.durable = Math.max(err.durable, mark.err);
    if (core.live.has(task.record.taskId)) core.sendAck(task);
  }, ignore);
}

// Acknowledged so that the gateway can go on; not stored, since offsets of a new spool mean other bytes.
function dropOutput(core: EngineCore, task: LiveTask, chunk: OutputChunk): undefined {
  const stream = task.streams[chunk.stream];
  stream.durable = Math.max(stream.durable, chunk.offset + chunk.bytes.length);
  task.ackTimer ??= core.clock.after(limits.ACK_EVERY_MS, () => core.sendAck(task));
  return undefined;
}

function secondsSince(core: EngineCore, monotonicMs: number): number {
  return (core.clock.monotonicMs() - monotonicMs) / 1000;
}
