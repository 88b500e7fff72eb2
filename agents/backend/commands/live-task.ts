// A task that is not finished, in memory: its record, its two streams while they are put together, and who watches.
import { createHash, type Hash } from 'node:crypto';
import type { StreamName } from '../../protocol/index.ts';
import type { CommandRecord, StoredTask, TaskRecord } from '../storage/records.ts';
import type { Batch } from '../storage/store.ts';
import { type Assembly, createAssembly } from './assembly.ts';
import { createFeed, type Feed } from './feed.ts';

/** One stream of a live task. */
export interface LiveStream {
  readonly assembly: Assembly;
  /** Of everything from offset 0 on; undefined when this process did not see the beginning, or a gap broke it. */
  hash: Hash | undefined;
  /** Stored durably up to here. */
  durable: number;
  gapBytes: number;
}

/** A task that is not finished. The engine owns it; everybody else only reads. */
export interface LiveTask {
  record: TaskRecord;
  readonly command: CommandRecord;
  readonly streams: Readonly<Record<StreamName, LiveStream>>;
  readonly feed: Feed;
  /** The batch that holds its latest output, and the offsets that are durable once the batch is. */
  tracked: { readonly batch: Batch; out: number; err: number } | undefined;
  ackedBytes: number;
  ackTimer: { cancel(): void } | undefined;
  expiry: { cancel(): void } | undefined;
  /** The gateway lost the spool: what it sends now are other bytes than those stored, and is not stored. */
  spoolLost: boolean;
  completing: boolean;
  /** Its number in binary frames of the session in which it was last told as started. */
  taskRef: number | undefined;
  sentAt: number | undefined;
}

/** Puts a stored task into memory; `feed` keeps those who watched it before it was loaded anew. */
export function createLiveTask({ task, command }: StoredTask, feed: Feed = createFeed()): LiveTask {
  const stream = (stored: number): LiveStream => ({
    assembly: createAssembly(stored),
    hash: stored === 0 ? createHash('sha256') : undefined,
    durable: stored,
    gapBytes: 0,
  });
  return {
    record: task,
    command,
    streams: { out: stream(task.outStored), err: stream(task.errStored) },
    feed,
    tracked: undefined,
    ackedBytes: task.outStored + task.errStored,
    ackTimer: undefined,
    expiry: undefined,
    spoolLost: false,
    completing: false,
    taskRef: undefined,
    sentAt: undefined,
  };
}

/** The task as it is now, its streams' lengths included. */
export function currentRecord(task: LiveTask): TaskRecord {
  return {
    ...task.record,
    outStored: task.streams.out.assembly.next,
    errStored: task.streams.err.assembly.next,
  };
}
