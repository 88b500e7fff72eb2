// Many writes, one transaction, one fsync. Commits happen on the loop (tens of microseconds); the fsync does not, so that
// waiting for the disk never holds up a frame. INVARIANTS: writes keep their order; `durable` never resolves before an fsync
// that began after the commit; a batch that failed leaves nothing behind and says so to everybody in it.
import type { Clock, Timer } from '../../runtime/index.ts';
import type { Write } from './records.ts';
import type { Batch, Urgency } from './store.ts';

/** More than this is not held back: it is committed with the end of the turn. */
const FLUSH_BYTES = 256 * 1024;

/** How long a write that nobody waits for may be held back. */
const SOON_MS = 10;

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
  isCommitted: boolean;
  /** Somebody waits for `durable`: only then is an fsync spent on it. */
  isAwaited: boolean;
  readonly settle: Record<'committed' | 'durable', { resolve(): void; reject(error: Error): void }>;
}

/** Creates the queue. */
export function createGroupCommit(target: CommitTarget): GroupCommit {
  let open = createBatch(sync);
  let timer: Timer | undefined;
  let immediate: NodeJS.Immediate | undefined;
  let unsynced: OpenBatch[] = [];
  let isSyncing = false;

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
    open = createBatch(sync);
    try {
      transact();
    } catch (error) {
      const failure = target.failed(error);
      batch.settle.committed.reject(failure);
      batch.settle.durable.reject(failure);
      return;
    }
    batch.isCommitted = true;
    batch.settle.committed.resolve();
    if (batch.isAwaited) sync(batch);
  }

  // Any fsync that begins after a commit covers it, so one that is under way does not count for a new batch.
  function sync(batch: OpenBatch): void {
    unsynced.push(batch);
    if (!isSyncing) void syncAll();
  }

  async function syncAll(): Promise<void> {
    isSyncing = true;
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
    isSyncing = false;
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
      const everything = createBatch(sync);
      everything.isCommitted = true;
      await everything.durable;
    },
  };
}

function createBatch(sync: (batch: OpenBatch) => void): OpenBatch {
  const committed = Promise.withResolvers<void>();
  const durable = Promise.withResolvers<void>();
  // Whoever waits sees the rejection; a batch that nobody waits for is reported by the target.
  committed.promise.catch(() => {});
  durable.promise.catch(() => {});
  return {
    writes: [],
    bytes: 0,
    isCommitted: false,
    isAwaited: false,
    committed: committed.promise,
    get durable() {
      if (!this.isAwaited) {
        this.isAwaited = true;
        if (this.isCommitted) sync(this);
      }
      return durable.promise;
    },
    settle: {
      committed: { resolve: committed.resolve, reject: committed.reject },
      durable: { resolve: durable.resolve, reject: durable.reject },
    },
  };
}
