// The agent's durable memory: appended records, group-committed; segments; compaction; healing after a full disk.
import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, describe, errnoOf, type Logger, syncDirectory, type ViworksError } from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';
import { MESSAGES } from '../messages.ts';
import { apply, emptyLedger, type Ledger, prune, snapshot } from './ledger.ts';
import { encodeRecord, type JournalRecord, scanSegment } from './records.ts';

const SEGMENT_BYTES = 4 * 1024 * 1024; // then the state is written anew into the next segment

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** An open journal. */
export interface Journal extends AsyncDisposable {
  /** What all committed records add up to. */
  readonly ledger: Ledger;
  /** Bytes of the active segment. */
  readonly bytes: number;
  /** Duration of the last commit in ms. */
  readonly commitMs: number;
  /** Whether the last commit succeeded. */
  readonly healthy: boolean;
  /** Since when that is so. */
  readonly since: number;
  /** Why it did not, and where; empty while healthy. */
  readonly trouble: string;
  /** Whether a segment was found damaged at the start: tasks may exist that it does not know. */
  readonly damaged: boolean;
  /** The boot in which the agent ran before this start; empty at the first one. */
  readonly previousBootId: string;
  /** Resolves when the records are on disk; several callers share one fdatasync. Rejects with VW_GATEWAY_STORAGE: nothing of it counts. */
  append(records: readonly JournalRecord[]): Promise<void>;
}

interface Waiting {
  readonly records: readonly JournalRecord[];
  readonly bytes: Buffer;
  readonly done: PromiseWithResolvers<void>;
}

/** Opens (or makes) the journal in `dir`, and makes this start's incarnation durable. */
export async function openJournal(options: {
  readonly dir: string;
  readonly bootId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}): Promise<Journal> {
  const { dir, clock, logger } = options;
  const fail = (cause: unknown): ViworksError =>
    gatewayErrors.create('VW_GATEWAY_STORAGE', { dir, reason: describe(cause) }, cause);
  const ledger = emptyLedger();
  const store = await load(options, ledger).catch((error: unknown) => {
    throw gatewayErrors.create('VW_GATEWAY_STATE_UNUSABLE', { dir, reason: describe(error) }, error);
  });
  const previousBootId = ledger.bootId;
  ledger.incarnation += 1;
  ledger.bootId = options.bootId;
  let segment = store.lastSegment;
  let file: FileHandle | undefined;
  let bytes = 0;
  let commitMs = 0;
  let waiting: Waiting[] = [];
  let committing: Promise<void> | undefined;

  // Whole state into a new segment; the old ones go only after it is durable under its name.
  async function compact(): Promise<void> {
    prune(ledger, clock.now());
    const content = Buffer.concat(snapshot(ledger).map(encodeRecord));
    const name = segmentName(segment + 1);
    await unlink(join(dir, `${name}.tmp`)).catch(() => undefined);
    const made = await open(join(dir, `${name}.tmp`), 'ax', 0o600);
    try {
      await made.writeFile(content);
      await made.datasync();
      await rename(join(dir, `${name}.tmp`), join(dir, name));
      await syncDirectory(dir);
    } catch (error) {
      await made.close().catch(() => undefined);
      await unlink(join(dir, `${name}.tmp`)).catch(() => undefined); // half a segment must not keep the disk full
      throw error;
    }
    await file?.close().catch(() => undefined);
    for (const old of await segments(dir)) if (old <= segment) await unlink(join(dir, segmentName(old)));
    segment += 1;
    file = made;
    bytes = content.length;
  }

  async function drop(): Promise<void> {
    await file?.close().catch(() => undefined);
    file = undefined;
  }

  async function commit(batch: readonly Waiting[]): Promise<void> {
    const began = clock.monotonicMs();
    try {
      if (!file) await compact();
      if (!file) throw new Error('no segment is open');
      const all = batch.length === 1 && batch[0] ? batch[0].bytes : Buffer.concat(batch.map((entry) => entry.bytes));
      await file.appendFile(all);
      await file.datasync();
      bytes += all.length;
    } catch (error) {
      if (file && FULL.has(errnoOf(error) ?? '')) {
        // The half record goes; the segment can be used again as soon as there is room.
        await file.truncate(bytes).catch(() => drop());
      } else {
        // After a failed fsync nobody knows what the disk has: the next commit starts a new segment from memory.
        await drop();
      }
      const failure = fail(error);
      if (journal.healthy) {
        logger.failure(MESSAGES.journalUnwritable, failure);
        since = clock.now();
      }
      trouble = describe(failure);
      for (const entry of batch) entry.done.reject(failure);
      return;
    }
    commitMs = clock.monotonicMs() - began;
    if (!journal.healthy) {
      logger.info(MESSAGES.journalWritable);
      since = clock.now();
    }
    trouble = '';
    for (const entry of batch) {
      for (const record of entry.records) apply(ledger, record);
      entry.done.resolve();
    }
    if (bytes > SEGMENT_BYTES)
      await compact().catch((error: unknown) => logger.warn(MESSAGES.journalNotCompacted, { reason: describe(error) }));
  }

  async function commitAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await commit(batch);
    }
    committing = undefined;
  }

  // This start's incarnation, in the segment that there is, or in a new one where that cannot be gone on with.
  async function begin(): Promise<void> {
    if (!store.usable) {
      await compact();
      return;
    }
    const { incarnation, bootId } = ledger;
    file = await open(join(dir, segmentName(segment)), 'a', 0o600);
    await file.truncate(store.usable.goodBytes);
    const record = encodeRecord({ kind: 'incarnation', incarnation, bootId });
    await file.appendFile(record);
    await file.datasync();
    bytes = store.usable.goodBytes + record.length;
  }

  let trouble = '';
  let since = clock.now();
  await begin().catch((error: unknown) => {
    throw gatewayErrors.create('VW_GATEWAY_STATE_UNUSABLE', { dir, reason: describe(error) }, error);
  });
  const journal: Journal = {
    ledger,
    damaged: store.damaged,
    previousBootId,
    get bytes() {
      return bytes;
    },
    get commitMs() {
      return commitMs;
    },
    get healthy() {
      return trouble === '';
    },
    get since() {
      return since;
    },
    get trouble() {
      return trouble;
    },
    append(records) {
      const entry: Waiting = {
        records,
        bytes: Buffer.concat(records.map(encodeRecord)),
        done: Promise.withResolvers<void>(),
      };
      waiting.push(entry);
      committing ??= commitAll();
      return entry.done.promise;
    },
    async [Symbol.asyncDispose]() {
      await committing;
      await file?.close();
    },
  };
  return journal;
}

async function load(
  options: { readonly dir: string; readonly logger: Logger; readonly signal: AbortSignal },
  ledger: Ledger,
): Promise<{ lastSegment: number; damaged: boolean; usable: { readonly goodBytes: number } | undefined }> {
  const { dir, logger } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const numbers = await segments(dir);
  let damaged = false;
  let usable: { readonly goodBytes: number } | undefined;
  for (const number of numbers) {
    options.signal.throwIfAborted();
    const path = join(dir, segmentName(number));
    const content = await readFile(path);
    const scan = scanSegment(content);
    for (const record of scan.records) apply(ledger, record);
    const last = number === numbers.at(-1);
    if (last && numbers.length === 1 && scan.state !== 'damaged' && scan.goodBytes < SEGMENT_BYTES) {
      usable = { goodBytes: scan.goodBytes };
    }
    if (scan.state === 'damaged' || (scan.state === 'torn' && !last)) {
      damaged = true;
      const kept = `${path}.damaged`;
      await rename(path, kept);
      logger.warn(MESSAGES.journalDamaged, { file: kept, goodBytes: scan.goodBytes, bytes: content.length });
    } else if (scan.state === 'torn') {
      logger.info(MESSAGES.journalTorn, { file: path, goodBytes: scan.goodBytes, bytes: content.length });
    }
  }
  return { lastSegment: numbers.at(-1) ?? 0, damaged, usable };
}

async function segments(dir: string): Promise<number[]> {
  const names = await readdir(dir);
  return names
    .filter((name) => /^\d{8}\.log$/.test(name))
    .map((name) => Number(name.slice(0, 8)))
    .sort((a, b) => a - b);
}

function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.log`;
}
