// The journal on a real disk: what was confirmed is there after any end, and damage costs only what it hit.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger, systemClock } from '../../runtime/index.ts';
import { crc32c } from './crc32c.ts';
import { type Journal, openJournal } from './journal.ts';
import { apply, emptyLedger, prune, snapshot } from './ledger.ts';
import { lockDirectory } from './lock.ts';
import { encodeRecord, type JournalRecord, scanSegment } from './records.ts';

const { signal } = new AbortController();
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'vw-journal-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (bootId = 'boot-1'): Promise<Journal> =>
  openJournal({ dir, bootId, clock: systemClock, logger: silentLogger, signal });
const received = (taskId: string): JournalRecord => ({
  kind: 'received',
  taskId,
  fence: 1,
  verb: 'exec',
  digest: 'd',
  graceMs: 10,
  horizonMs: 1_000,
});
const segment = (): string => {
  const names = readdirSync(dir).filter((name) => name.endsWith('.log'));
  expect(names).toHaveLength(1);
  return join(dir, names[0] as string);
};

test('the checksum is CRC-32C', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283); // the check value of the polynomial's catalogue entry
});

test('each start has its own incarnation, and knows the boot before it', async () => {
  for (const [incarnation, boot, before] of [
    [1, 'boot-1', ''],
    [2, 'boot-1', 'boot-1'],
    [3, 'boot-2', 'boot-1'],
  ] as const) {
    await using journal = await open(boot);
    expect(journal.ledger.incarnation).toBe(incarnation);
    expect(journal.previousBootId).toBe(before);
  }
});

test('what was confirmed is there after the process is gone without a word', async () => {
  const journal = await open();
  await journal.append([received('task-0001'), { kind: 'starting', taskId: 'task-0001', streamEpoch: 'e' }]);
  await Promise.all(Array.from({ length: 50 }, (_, index) => journal.append([received(`task-1${index}`)])));
  await using again = await open();
  expect(again.ledger.entries.get('task-0001')).toMatchObject({ state: 'starting', streamEpoch: 'e', fence: 1 });
  expect(again.ledger.entries.size).toBe(51);
  expect(again.damaged).toBe(false);
  await journal[Symbol.asyncDispose]();
});

test('a torn end is cut at the last whole record, wherever it is torn', async () => {
  const journal = await open();
  await journal.append([received('task-0001')]);
  await journal.append([received('task-0002')]);
  await journal[Symbol.asyncDispose]();
  const whole = readFileSync(segment());
  const last = encodeRecord(received('task-0002')).length;
  for (let cut = 1; cut <= last; cut++) {
    const scan = scanSegment(whole.subarray(0, whole.length - cut));
    expect(scan.records.at(-1)).toMatchObject({ kind: 'received', taskId: 'task-0001' });
    expect(scan.state).toBe(cut === last ? 'whole' : 'torn');
  }
  writeFileSync(segment(), whole.subarray(0, whole.length - 5));
  await using again = await open();
  expect([...again.ledger.entries.keys()]).toEqual(['task-0001']);
  expect(again.damaged).toBe(false);
});

test('a flipped bit costs one record; the segment is put aside, and said to be damaged', async () => {
  const journal = await open();
  for (const id of ['task-0001', 'task-0002', 'task-0003']) await journal.append([received(id)]);
  await journal[Symbol.asyncDispose]();
  const bytes = readFileSync(segment());
  const at = bytes.indexOf('task-0002');
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(segment(), bytes);
  await using again = await open();
  expect([...again.ledger.entries.keys()]).toEqual(['task-0001', 'task-0003']);
  expect(again.damaged).toBe(true);
  expect(readdirSync(dir).some((name) => name.endsWith('.damaged'))).toBe(true);
});

test('an empty segment, and one of nothing but noise, are no reason to stop', async () => {
  writeFileSync(join(dir, '00000001.log'), '');
  writeFileSync(join(dir, '00000002.log'), Buffer.from(Array.from({ length: 500 }, (_, index) => (index * 37) % 256)));
  await using journal = await open();
  expect(journal.ledger.entries.size).toBe(0);
});

test.runIf(process.getuid?.() === 0)('a full disk refuses what it cannot keep, and heals by itself', async () => {
  execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=256k', 'vw-journal-test', dir]);
  try {
    const journal = await open();
    await journal.append([received('task-0001')]);
    writeFileSync(join(dir, 'filler'), Buffer.alloc(64 * 1024));
    let kept = 0;
    const failed: unknown[] = [];
    for (let index = 0; failed.length < 3; index++) {
      const id = `task-x${index}`;
      await journal.append([received(id)]).then(
        () => {
          kept += 1;
        },
        (error: unknown) => failed.push(error),
      );
    }
    expect(failed[0]).toMatchObject({ code: 'VW_GATEWAY_STORAGE', retry: 'later' });
    expect(journal.healthy).toBe(false);
    expect(journal.trouble).toContain(dir);
    expect(journal.ledger.entries.size).toBe(1 + kept);
    for (const name of readdirSync(dir).filter((found) => found === 'filler')) rmSync(join(dir, name));
    await journal.append([received('task-after')]);
    expect(journal.healthy).toBe(true);
    await journal[Symbol.asyncDispose]();
    await using again = await open();
    expect(again.ledger.entries.size).toBe(2 + kept);
    expect(again.ledger.entries.has('task-after')).toBe(true);
    expect(again.damaged).toBe(false);
  } finally {
    execFileSync('/bin/umount', ['-l', dir]);
  }
});

test('compaction keeps what counts and forgets what is settled long ago', () => {
  const ledger = emptyLedger();
  for (const record of [
    { kind: 'incarnation', incarnation: 4, bootId: 'b' },
    received('task-0001'),
    { kind: 'starting', taskId: 'task-0001', streamEpoch: 'e1' },
    { kind: 'running', taskId: 'task-0001', startedAt: 5 },
    received('task-0002'),
    { kind: 'refused', taskId: 'task-0002', code: 'not_started', message: 'm' },
    received('task-0003'),
    { kind: 'settled', taskId: 'task-0003', at: 100 },
    { kind: 'fence', taskId: 'task-0001', fence: 9 },
  ] satisfies JournalRecord[]) {
    apply(ledger, record);
  }
  const copy = emptyLedger();
  for (const record of snapshot(ledger)) apply(copy, record);
  expect(copy).toEqual(ledger);
  prune(copy, 100 + 1_000);
  expect([...copy.entries.keys()]).toEqual(['task-0001', 'task-0002', 'task-0003']);
  prune(copy, 100 + 1_001);
  expect([...copy.entries.keys()]).toEqual(['task-0001', 'task-0002']);
});

test('any damage at all: reading never throws, and gives only records that were written', () => {
  const ids = Array.from({ length: 8 }, (_, index) => `task-000${index}`);
  const written = Buffer.concat(ids.map((id) => encodeRecord(received(id))));
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(written.length - 1), value: fc.nat(255) }), { maxLength: 6 }),
      fc.nat(written.length),
      (damage, length) => {
        const bytes = Buffer.from(written.subarray(0, length));
        for (const { at, value } of damage) if (at < bytes.length) bytes[at] = value;
        const found = scanSegment(bytes).records.map((record) => (record.kind === 'received' ? record.taskId : '?'));
        expect(found.every((id) => ids.includes(id))).toBe(true);
        expect(found).toEqual([...found].sort());
      },
    ),
  );
});

test('two agents on one directory: the second is refused while the first lives', async () => {
  const first = await lockDirectory(dir, signal);
  await expect(lockDirectory(dir, signal)).rejects.toMatchObject({ code: 'VW_GATEWAY_ALREADY_RUNNING' });
  await first[Symbol.asyncDispose]();
  await (await lockDirectory(dir, signal))[Symbol.asyncDispose]();
});
