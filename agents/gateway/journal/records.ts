// Journal records ↔ bytes: [length u32][crc32c u32][json]. Pure. Reading finds every whole record, also behind damage.
import * as z from 'zod';
import { crc32c } from './crc32c.ts';

const result = z.object({
  outcome: z.enum(['exited', 'signalled', 'cancelled', 'timed_out', 'indeterminate', 'kill_failed']),
  code: z.int().optional(),
  signal: z.string().optional(),
  out: z.object({ bytes: z.int(), sha256: z.string() }),
  err: z.object({ bytes: z.int(), sha256: z.string() }),
  durationMs: z.int(),
  leftovers: z.int(),
  killMode: z.enum(['none', 'cgroup', 'sweep']),
  escalated: z.boolean(),
  oomKilled: z.boolean(),
  message: z.string().optional(),
});

/** What the agent writes down. Times are milliseconds since the epoch, for display and for the horizon of tombstones only. */
export const journalRecord = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('incarnation'), incarnation: z.int().min(1), bootId: z.string() }),
  z.object({
    kind: z.literal('received'),
    taskId: z.string(),
    fence: z.int(),
    verb: z.string(),
    /** Hash of what was asked for: the same id with another body is a conflict. */
    digest: z.string(),
    graceMs: z.int(),
    /** Until when a replay of this id could still be in time. */
    horizonMs: z.int(),
  }),
  z.object({ kind: z.literal('starting'), taskId: z.string(), streamEpoch: z.string() }),
  z.object({ kind: z.literal('running'), taskId: z.string(), startedAt: z.int() }),
  z.object({ kind: z.literal('fence'), taskId: z.string(), fence: z.int() }),
  z.object({ kind: z.literal('exited'), taskId: z.string(), result }),
  z.object({
    kind: z.literal('refused'),
    taskId: z.string(),
    code: z.string(),
    message: z.string(),
    obstacle: z.object({ stage: z.string(), errno: z.string().optional(), place: z.string().optional() }).optional(),
  }),
  z.object({ kind: z.literal('settled'), taskId: z.string(), at: z.int() }),
]);
export type JournalRecord = z.infer<typeof journalRecord>;

const HEADER = 8;
const MAX_RECORD = 1 << 20; // a length above this is damage, not data

/** Bytes of one record. */
export function encodeRecord(record: JournalRecord): Buffer {
  const body = Buffer.from(JSON.stringify(record));
  const bytes = Buffer.allocUnsafe(HEADER + body.length);
  bytes.writeUInt32BE(body.length, 0);
  bytes.writeUInt32BE(crc32c(body), 4);
  body.copy(bytes, HEADER);
  return bytes;
}

/** What a segment holds. */
export interface Scan {
  readonly records: readonly JournalRecord[];
  /** End of the last whole record before any damage. */
  readonly goodBytes: number;
  /** `torn`: the end is cut short, as after a crash; `damaged`: whole records follow broken bytes, as after bit rot. */
  readonly state: 'whole' | 'torn' | 'damaged';
}

/** Reads a segment; never throws. */
export function scanSegment(bytes: Buffer): Scan {
  const records: JournalRecord[] = [];
  let at = 0;
  let goodBytes = 0;
  let broken = false;
  let damaged = false;
  while (at < bytes.length) {
    const found = readAt(bytes, at);
    if (found) {
      damaged ||= broken;
      records.push(found.record);
      at += found.length;
      if (!broken) goodBytes = at;
    } else {
      broken = true;
      at += 1; // the next whole record, if there is one, shows whether this is a torn end or damage
    }
  }
  return { records, goodBytes, state: damaged ? 'damaged' : broken ? 'torn' : 'whole' };
}

function readAt(bytes: Buffer, at: number): { record: JournalRecord; length: number } | undefined {
  if (at + HEADER > bytes.length) return undefined;
  const length = bytes.readUInt32BE(at);
  if (length < 2 || length > MAX_RECORD || at + HEADER + length > bytes.length) return undefined;
  const body = bytes.subarray(at + HEADER, at + HEADER + length);
  if (crc32c(body) !== bytes.readUInt32BE(at + 4)) return undefined;
  try {
    const parsed = journalRecord.safeParse(JSON.parse(body.toString('utf8')));
    return parsed.success ? { record: parsed.data, length: HEADER + length } : undefined;
  } catch {
    return undefined;
  }
}
