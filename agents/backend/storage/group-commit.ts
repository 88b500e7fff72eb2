// Many writes, one transaction, one fsync. Commits happen on the loop (tens of microseconds); the fsync does not, so that
// waiting for the disk never holds up a frame. INVARIANTS: writes keep their order; `durable` never resolves before an fsync
// that began after the commit; a batch that failed leaves nothing behind and says so to everybody in it.
import type { Clock, Timer } from '../../runtime/index.ts';
import type { Write } from './records.ts';
import type { Batch, Urgency } from './store.ts';

/** More than this is not held back: it is committed with the end of the turn. */
const FLUSH_BYTES = 256 * 1024;

/** How long a write that nobody waits for may be held back. */
const SOON_MS = 5;

/** What is committed into. */
export interface CommitTarget {
  /** Writes all in one transaction, or throws and leaves nothing. */
  commit(writes: readonly Write[]): void;
  /** Makes what was committed outlive a power cut. */
  sync(): Promise<void>;
  /** Turns whatever was thrown into what waiters are told. */
  failed(thrown: unknown): Error;
  readonly clock: Clock;
}

/** A queue of writes in front of a {@link CommitTarget}. */
export interface GroupCommit {
  write(writes: readonly Write[], urgency: Urgency): Batch;
  /** Commits what is queued, then runs `work` (its own transaction), and gives the batch whose `durable` covers it. */
  run<T>(work: () => T): { value: T; batch: Batch };
  flush(): Promise<void>;
}

interface OpenBatch extends Batch {
  readonly writes: Write[];
  bytes: number;
  readonly settle: Record<'committed' | 'durable', { resolve(): void; reject(error: Error): void }>;
}

/** Creates the queue. */
export function createGroupCommit(target: CommitTarget): GroupCommit {
  let open = createBatch();
  let timer: Timer | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let unsynced: OpenBatch[] = [];
  let syncing: Promise<void> | undefined;

  function commitOpen(): void {
    timer?.cancel();
    timer = undefined;
    if (immediate) clearImmediate(immediate);
    immediate = undefined;
    const batch = open;
    if (batch.writes.length > 0) close(batch, () => target.commit(batch.writes));
  }

  // Ends the open batch with the given transaction and begins a new one.
  function close(batch: OpenBatch, transact: () => void): void {
    open = createBatch();
    try {
      transact();
    } catch (error) {
      const failure = target.failed(error);
      batch.settle.committed.reject(failure);
      batch.settle.durable.reject(failure);
      return;
    }
    batch.settle.committed.resolve();
    unsynced.push(batch);
    syncing ??= syncAll();
  }

  async function syncAll(): Promise<void> {
    while (unsynced.length > 0) {
      const covered = unsynced;
      unsynced = [];
      try {
        await target.sync();
        for (const batch of covered) batch.settle.durable.resolve();
      } catch (error) {
        const failure = target.failed(error);
        for (const batch of covered) batch.settle.durable.reject(failure);
      }
    }
    syncing = undefined;
  }

  return {
    write(writes, urgency) {
      const batch = open;
      for (const write of writes) {
        batch.writes.push(write);
        if (write.kind === 'output.append') batch.bytes += write.bytes.length;
      }
      if (urgency === 'now' || batch.bytes >= FLUSH_BYTES) immediate ??= setImmediate(commitOpen);
      else timer ??= target.clock.after(SOON_MS, commitOpen);
      return batch;
    },
    run(work) {
      commitOpen();
      const batch = open;
      let result: { value: ReturnType<typeof work> } | undefined;
      let thrown: unknown;
      close(batch, () => {
        try {
          result = { value: work() };
        } catch (error) {
          thrown = error;
          throw error;
        }
      });
      if (result === undefined) throw target.failed(thrown);
      return { value: result.value, batch };
    },
    async flush() {
      commitOpen();
      while (syncing) await syncing;
    },
  };
}

function createBatch(): OpenBatch {
  const committed = Promise.withResolvers<void>();
  const durable = Promise.withResolvers<void>();
  // Whoever waits sees the rejection; a batch that nobody waits for is reported by the target.
  committed.promise.catch(() => {});
  durable.promise.catch(() => {});
  return {
    writes: [],
    bytes: 0,
    committed: committed.promise,
    durable: durable.promise,
    settle: {
      committed: { resolve: committed.resolve, reject: committed.reject },
      durable: { resolve: durable.resolve, reject: durable.reject },
    },
  };
}
