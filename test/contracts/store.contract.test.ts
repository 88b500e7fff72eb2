// What every store must do, run against each implementation. A new store joins by a line in IMPLEMENTATIONS.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createId, firstId } from '../../agents/backend/commands/ids.ts';
import type { CommandRecord, TaskRecord } from '../../agents/backend/storage/records.ts';
import { openSqliteStore } from '../../agents/backend/storage/sqlite.ts';
import type { PurgeLimits, Store } from '../../agents/backend/storage/store.ts';
import { systemClock } from '../../agents/runtime/index.ts';

/** Name → opens the store of a directory; opening it again finds what was written. */
const IMPLEMENTATIONS: Readonly<Record<string, (directory: string) => Store>> = {
  sqlite: (directory) => openSqliteStore({ directory, clock: systemClock }),
};

const command = (id: string, changes: Partial<CommandRecord> = {}): CommandRecord => ({
  commandId: `command-${id}`,
  verb: 'exec',
  args: { argv: ['true'] },
  env: { A: 'b' },
  timeoutMs: 0,
  graceMs: 10_000,
  createdAt: 1_000,
  createdBy: 'alice',
  owner: 'token-1',
  bodyHash: 'hash-1',
  ...changes,
});

const task = (id: string, changes: Partial<TaskRecord> = {}): TaskRecord => ({
  taskId: `task-${id}`,
  commandId: `command-${id}`,
  gatewayId: 'gw1',
  state: 'queued',
  fence: 1,
  createdAt: 1_000,
  expiresAt: 61_000,
  outStored: 0,
  errStored: 0,
  ...changes,
});

for (const [name, open] of Object.entries(IMPLEMENTATIONS)) {
  describe(name, () => {
    let directory: string;
    let store: Store;

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'vw-store-'));
      store = open(directory);
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    });

    async function purgeAll(limits: PurgeLimits): Promise<number> {
      let tasks = 0;
      for (let more = true; more; ) {
        const purged = await store.purge(limits);
        tasks += purged.tasks;
        more = purged.more;
      }
      return tasks;
    }

    async function reopen(): Promise<void> {
      await store[Symbol.asyncDispose]();
      store = open(directory);
    }

    async function create(id: string, changes: Partial<TaskRecord> = {}): Promise<void> {
      await store.createCommand(command(id), [task(id, changes)]);
    }

    test('a command and its tasks come back whole, also after a restart', async () => {
      const asked = command('a', { cwd: '/tmp', stdin: 'aGk=', idempotencyKey: 'key' });
      const { batch, existing } = await store.createCommand(asked, [task('a'), task('b', { commandId: 'command-a' })]);
      await batch.durable;
      expect(existing).toBeUndefined();
      await reopen();
      expect(await store.command('command-a')).toEqual({
        command: asked,
        tasks: [task('a'), task('b', { commandId: 'command-a' })],
      });
      expect(await store.task('task-a')).toEqual({ command: asked, task: task('a') });
      expect(await store.task('task-none')).toBeUndefined();
      expect(await store.command('command-none')).toBeUndefined();
    });

    test('an idempotency key gives the first command, per owner', async () => {
      const first = command('a', { idempotencyKey: 'key' });
      await store.createCommand(first, [task('a')]);
      const again = await store.createCommand(command('b', { idempotencyKey: 'key', bodyHash: 'other' }), [task('b')]);
      expect(again.existing).toEqual(first);
      expect(await store.task('task-b')).toBeUndefined();
      const other = await store.createCommand(command('c', { idempotencyKey: 'key', owner: 'token-2' }), [task('c')]);
      expect(other.existing).toBeUndefined();
    });

    test('writes of one batch are one transaction, in order, and survive', async () => {
      await create('a');
      const batch = store.write(
        [{ kind: 'task.patch', taskId: 'task-a', patch: { state: 'running', startedAt: 5 } }],
        'soon',
      );
      const same = store.write([{ kind: 'task.patch', taskId: 'task-a', patch: { state: 'finishing' } }], 'now');
      expect(same).toBe(batch);
      await batch.committed;
      expect((await store.task('task-a'))?.task).toMatchObject({ state: 'finishing', startedAt: 5 });
      await batch.durable;
      await reopen();
      expect((await store.task('task-a'))?.task).toMatchObject({ state: 'finishing', startedAt: 5 });
    });

    test('a field can be taken away again', async () => {
      await create('a', { lostFrom: 'running' });
      await store.write([{ kind: 'task.patch', taskId: 'task-a', patch: { lostFrom: undefined } }], 'now').committed;
      expect((await store.task('task-a'))?.task).toEqual(task('a'));
    });

    test('soon is committed without being asked', async () => {
      await create('a');
      await store.write([{ kind: 'task.patch', taskId: 'task-a', patch: { fence: 2 } }], 'soon').durable;
      expect((await store.task('task-a'))?.task.fence).toBe(2);
    });

    test('open tasks know how much output is stored, gaps counted', async () => {
      await create('a', { state: 'running' });
      await create('b', { state: 'finished' });
      await store.write(
        [
          { kind: 'output.append', taskId: 'task-a', stream: 'out', offset: 0, bytes: Buffer.from('hello') },
          { kind: 'output.append', taskId: 'task-a', stream: 'out', offset: 5, bytes: Buffer.from(' world') },
          { kind: 'output.gap', taskId: 'task-a', stream: 'err', from: 0, to: 7, reason: 'disk_full' },
        ],
        'now',
      ).committed;
      const tasks = await store.openTasks();
      expect(tasks.map((found) => found.task)).toEqual([task('a', { state: 'running', outStored: 11, errStored: 7 })]);
      expect(tasks[0]?.command).toEqual(command('a'));
      expect(await store.gaps('task-a')).toEqual([{ stream: 'err', from: 0, to: 7, reason: 'disk_full' }]);
    });

    test('output is read from any offset; a re-sent piece changes nothing', async () => {
      await create('a');
      const append = (offset: number, text: string): Promise<void> =>
        store.write(
          [{ kind: 'output.append', taskId: 'task-a', stream: 'out', offset, bytes: Buffer.from(text) }],
          'now',
        ).committed;
      await append(0, 'abc');
      await append(3, 'def');
      await append(0, 'XYZ');
      const at = async (from: number): Promise<string | undefined> => {
        const piece = await store.output('task-a', 'out', from);
        return piece?.kind === 'bytes' ? Buffer.from(piece.bytes).toString() : piece?.kind;
      };
      expect(await at(0)).toBe('abc');
      expect(await at(1)).toBe('bc');
      expect(await at(3)).toBe('def');
      expect(await at(6)).toBeUndefined();
      expect(await store.output('task-a', 'err', 0)).toBeUndefined();
      await store.write(
        [{ kind: 'output.gap', taskId: 'task-a', stream: 'out', from: 6, to: 10, reason: 'spool_lost' }],
        'now',
      ).committed;
      expect(await store.output('task-a', 'out', 8)).toEqual({
        kind: 'gap',
        gap: { stream: 'out', from: 8, to: 10, reason: 'spool_lost' },
      });
    });

    test('any cutting of a stream into pieces and batches reads back as the same bytes', async () => {
      let round = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ bytes: fc.uint8Array({ maxLength: 2000 }), flush: fc.boolean() }), { maxLength: 20 }),
          async (pieces) => {
            const id = `p${round++}`;
            await create(id);
            let offset = 0;
            for (const { bytes, flush } of pieces) {
              store.write([{ kind: 'output.append', taskId: `task-${id}`, stream: 'out', offset, bytes }], 'soon');
              offset += bytes.length;
              if (flush) await store.flush();
            }
            await store.flush();
            const parts: Uint8Array[] = [];
            for (let at = 0; at < offset; ) {
              const piece = await store.output(`task-${id}`, 'out', at);
              if (piece?.kind !== 'bytes') throw new Error(`nothing at ${at}`);
              parts.push(piece.bytes);
              at += piece.bytes.length;
            }
            expect(Buffer.concat(parts).equals(Buffer.concat(pieces.map(({ bytes }) => bytes)))).toBe(true);
          },
        ),
        { numRuns: 30 },
      );
    });

    test('old finished tasks go with all that is theirs; open and younger ones stay', async () => {
      const [old, open, young] = [createId(1_000), createId(2_000), createId(3_000)];
      await store.createCommand(command('a', { idempotencyKey: 'k' }), [
        task('a', { taskId: old, state: 'finished', finishedAt: 4_000, outStored: 2 }),
      ]);
      await store.createCommand(command('b'), [
        task('b', { taskId: open, state: 'running' }),
        task('b', { taskId: young, state: 'finished', finishedAt: 9_000 }),
      ]);
      await store.addEnrolment({ hash: 'e', gatewayId: 'gw1', createdAt: 1, expiresAt: 2 });
      const append = { kind: 'output.append', stream: 'out', offset: 0, bytes: Buffer.from('hi') } as const;
      const gap = { kind: 'output.gap', taskId: old, stream: 'err', from: 0, to: 5, reason: 'spool' } as const;
      await store.write([{ ...append, taskId: old }, { ...append, taskId: open }, gap], 'now').committed;
      const limits = { finishedBefore: 5_000, idBefore: firstId(5_000), maxBytes: Number.POSITIVE_INFINITY };
      expect(await purgeAll(limits)).toBe(1);
      expect(await store.task(old)).toBeUndefined();
      expect(await store.command('command-a')).toBeUndefined();
      expect(await store.output(old, 'out', 0)).toBeUndefined();
      expect(await store.gaps(old)).toEqual([]);
      expect((await store.command('command-b'))?.tasks).toHaveLength(2);
      expect(await store.output(open, 'out', 0)).toMatchObject({ kind: 'bytes' });
      // Its key is forgotten with it, and so is the token of no more use.
      expect((await store.createCommand(command('c', { idempotencyKey: 'k' }), [])).existing).toBeUndefined();
      const enrolment = { tokenHash: 'e', publicKey: 'p', fingerprint: 'f', at: 1 };
      expect((await store.enrol(enrolment)).outcome).toBe('unknown');
      expect(await purgeAll(limits)).toBe(0);
    });

    test('a large task vanishes at once, its output in pieces behind it', async () => {
      const id = createId(1_000);
      await store.createCommand(command('a'), [
        task('a', { taskId: id, state: 'finished', finishedAt: 1_500, outStored: 100 * 2 ** 18 }),
      ]);
      const bytes = Buffer.alloc(2 ** 18, 'x');
      for (let row = 0; row < 100; row++)
        store.write([{ kind: 'output.append', taskId: id, stream: 'out', offset: row * 2 ** 18, bytes }], 'soon');
      await store.flush();
      const full = store.usedBytes();
      expect(full).toBeGreaterThan(100 * 2 ** 18);
      const limits = { finishedBefore: 2_000, idBefore: firstId(2_000), maxBytes: Number.POSITIVE_INFINITY };
      expect(await store.purge(limits)).toEqual({ tasks: 1, more: true });
      expect(await store.task(id)).toBeUndefined();
      await reopen(); // What is left to do survives.
      expect(await store.purge(limits)).toEqual({ tasks: 0, more: true });
      expect(store.usedBytes()).toBeLessThan(full);
      expect(await purgeAll(limits)).toBe(0);
      expect(store.usedBytes()).toBeLessThan(2 ** 20);
    });

    test('for want of room the oldest go, whatever their age, and no more than it takes', async () => {
      const bytes = Buffer.alloc(2 ** 18, 'x');
      const ids = Array.from({ length: 40 }, (_, index) => createId(1_000 + index));
      for (const [index, taskId] of ids.entries()) {
        await store.createCommand(command(String(index)), [
          task(String(index), { taskId, state: 'finished', finishedAt: 5_000, outStored: 2 ** 18 }),
        ]);
        store.write([{ kind: 'output.append', taskId, stream: 'out', offset: 0, bytes }], 'soon');
      }
      await store.flush();
      const limits = { finishedBefore: 0, idBefore: firstId(0), maxBytes: 25 * 2 ** 18 };
      const gone = await purgeAll(limits);
      expect(gone).toBeGreaterThan(14);
      expect(gone).toBeLessThan(18);
      expect(store.usedBytes()).toBeLessThan(limits.maxBytes);
      expect(await store.task(ids[gone - 1] ?? '')).toBeUndefined();
      expect(await store.task(ids[gone] ?? '')).toBeDefined();
    });

    test('what a command brought along counts when room is made, and bounds a piece', async () => {
      const stdin = 'x'.repeat(2 ** 20);
      for (let index = 0; index < 12; index++)
        await store.createCommand(command(String(index), { stdin }), [
          task(String(index), { taskId: createId(1_000 + index), state: 'finished', finishedAt: 5_000 }),
        ]);
      const full = store.usedBytes();
      const limits = { finishedBefore: 0, idBefore: firstId(0), maxBytes: full - 1 };
      expect(await purgeAll(limits)).toBe(1);
      const all = { ...limits, finishedBefore: 9_000, idBefore: firstId(9_000), maxBytes: Number.POSITIVE_INFINITY };
      expect((await store.purge(all)).tasks).toBeLessThan(6);
    });

    test('tasks are listed newest first, filtered, page by page', async () => {
      for (const id of ['a', 'b', 'c']) await create(id, { gatewayId: id === 'b' ? 'gw2' : 'gw1' });
      const first = await store.tasks({ limit: 2 });
      expect(first.tasks.map((found) => found.task.taskId)).toEqual(['task-c', 'task-b']);
      const second = await store.tasks({ limit: 2, cursor: first.next });
      expect(second.tasks.map((found) => found.task.taskId)).toEqual(['task-a']);
      expect(second.next).toBeUndefined();
      const filtered = await store.tasks({ limit: 10, gatewayId: 'gw2', state: 'queued' });
      expect(filtered.tasks.map((found) => found.task.taskId)).toEqual(['task-b']);
      expect((await store.tasks({ limit: 10, commandId: 'command-none' })).tasks).toEqual([]);
    });

    test('of two that enrol with one token exactly one wins', async () => {
      await store.addEnrolment({ hash: 'h', gatewayId: 'gw1', createdAt: 1, expiresAt: 100 });
      const enrol = (publicKey: string, at = 50): ReturnType<Store['enrol']> =>
        store.enrol({ tokenHash: 'h', publicKey, fingerprint: 'f', at });
      const outcomes = (await Promise.all([enrol('one'), enrol('two')])).map(({ outcome }) => outcome);
      expect(outcomes.sort()).toEqual(['enrolled', 'used']);
      expect(await store.gateway('gw1')).toMatchObject({ sessionEpoch: 0, enrolledAt: 50 });
      expect((await store.enrol({ tokenHash: 'x', publicKey: 'k', fingerprint: 'f', at: 1 })).outcome).toBe('unknown');
    });

    test('an enrolment token ends, and enrolling anew keeps the epoch', async () => {
      await store.addEnrolment({ hash: 'late', gatewayId: 'gw1', createdAt: 1, expiresAt: 100 });
      const late = await store.enrol({ tokenHash: 'late', publicKey: 'k', fingerprint: 'f', at: 100 });
      expect(late).toEqual({ outcome: 'expired', gatewayId: 'gw1' });
      for (const hash of ['one', 'two']) {
        await store.addEnrolment({ hash, gatewayId: 'gw1', createdAt: 1, expiresAt: 100 });
        await store.enrol({ tokenHash: hash, publicKey: `key-${hash}`, fingerprint: 'f', at: 10 });
        expect(await store.attach('gw1', hash === 'one' ? 0 : 1)).toBe(true);
      }
      expect(await store.gateway('gw1')).toMatchObject({ sessionEpoch: 2, publicKey: 'key-two' });
    });

    test('the session epoch is a compare-and-set', async () => {
      await store.addEnrolment({ hash: 'h', gatewayId: 'gw1', createdAt: 1, expiresAt: 100 });
      await store.enrol({ tokenHash: 'h', publicKey: 'k', fingerprint: 'f', at: 1 });
      expect(await Promise.all([store.attach('gw1', 0), store.attach('gw1', 0)])).toEqual([true, false]);
      expect(await store.attach('gw-none', 0)).toBe(false);
      const patch = { connectedAt: 7, lastClose: { code: 4001, name: 'going_away', at: 8 } };
      await store.write([{ kind: 'gateway.seen', gatewayId: 'gw1', patch }], 'now').committed;
      expect(await store.gateways()).toMatchObject([{ gatewayId: 'gw1', sessionEpoch: 1, ...patch }]);
    });

    test('tokens: names are unique, used is noted, revoked is gone', async () => {
      const token = { tokenId: 't1', name: 'alice', role: 'admin', hash: 'h1', createdAt: 1 } as const;
      expect(await store.addToken(token)).toBe(true);
      expect(await store.addToken({ ...token, tokenId: 't2', hash: 'h2' })).toBe(false);
      await store.write([{ kind: 'token.used', tokenId: 't1', at: 9 }], 'now').committed;
      expect(await store.tokenByHash('h1')).toEqual({ ...token, lastUsedAt: 9 });
      expect(await store.tokens()).toHaveLength(1);
      expect(await store.revokeToken('t1')).toBe(true);
      expect(await store.revokeToken('t1')).toBe(false);
      expect(await store.tokenByHash('h1')).toBeUndefined();
    });

    test('two processes share a store: each sees what the other wrote', async () => {
      const other = open(directory);
      await other.addToken({ tokenId: 't1', name: 'alice', role: 'admin', hash: 'h1', createdAt: 1 });
      expect(await store.tokenByHash('h1')).toMatchObject({ name: 'alice' });
      await other[Symbol.asyncDispose]();
      expect(await store.probe()).toBe(true);
    });
  });
}
