import { expect, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import type { Write } from './records.ts';

interface Bench {
  readonly group: GroupCommit;
  readonly clock: FakeClock;
  readonly committed: string[][];
  syncs: number;
  /** Lets the fsync that is under way end. */
  endSync(error?: Error): void;
  commitError: Error | undefined;
}

function createBench(): Bench {
  const clock = createFakeClock();
  const pending: { resolve(): void; reject(error: Error): void }[] = [];
  const bench: Bench = {
    clock,
    committed: [],
    syncs: 0,
    commitError: undefined,
    endSync(error) {
      const one = pending.shift();
      if (error) one?.reject(error);
      else one?.resolve();
    },
    group: createGroupCommit({
      clock,
      failed: (thrown) => thrown as Error,
      commit(writes) {
        if (bench.commitError) throw bench.commitError;
        bench.committed.push(writes.map((write) => ('taskId' in write ? write.taskId : '')));
      },
      sync() {
        bench.syncs += 1;
        return new Promise((resolve, reject) => pending.push({ resolve, reject }));
      },
    }),
  };
  return bench;
}

const patch = (taskId: string): Write => ({ kind: 'task.patch', taskId, patch: { fence: 1 } });
const bytes = (size: number): Write => ({
  kind: 'output.append',
  taskId: 'o',
  stream: 'out',
  offset: 0,
  bytes: new Uint8Array(size),
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const fateOf = async (promise: Promise<void>): Promise<string> =>
  Promise.race([
    promise.then(
      () => 'done',
      (error: Error) => error.message,
    ),
    turn().then(() => 'pending'),
  ]);

test('writes of a turn are one transaction, in order; those that nobody waits for go with it', async () => {
  const { group, committed } = createBench();
  group.write([patch('a')], 'soon');
  const batch = group.write([patch('b'), patch('c')], 'now');
  expect(committed).toEqual([]);
  await batch.committed;
  expect(committed).toEqual([['a', 'b', 'c']]);
});

test('what is not urgent waits for company, but not long; much of it does not wait', async () => {
  const { group, committed, clock } = createBench();
  group.write([patch('a')], 'soon');
  await clock.advance(9);
  expect(committed).toEqual([]);
  await clock.advance(1);
  expect(committed).toEqual([['a']]);
  await group.write([bytes(256 * 1024)], 'soon').committed;
  expect(committed).toHaveLength(2);
});

test('an fsync is spent only on what somebody waits for, and must begin after the commit', async () => {
  const bench = createBench();
  await bench.group.write([patch('a')], 'now').committed;
  expect(bench.syncs).toBe(0);
  const second = bench.group.write([patch('b')], 'now');
  const durable = second.durable;
  await second.committed;
  expect(bench.syncs).toBe(1);
  const third = bench.group.write([patch('c')], 'now');
  const later = third.durable;
  await third.committed;
  bench.endSync();
  await durable;
  expect(await fateOf(later)).toBe('pending');
  expect(bench.syncs).toBe(2);
  bench.endSync();
  await later;
});

test('a batch asked about after its commit is synced then', async () => {
  const bench = createBench();
  const batch = bench.group.write([patch('a')], 'now');
  await batch.committed;
  const durable = batch.durable;
  expect(bench.syncs).toBe(1);
  bench.endSync();
  await durable;
});

test('a failed transaction is told to everybody in it and to nobody else', async () => {
  const bench = createBench();
  bench.commitError = new Error('full');
  const bad = bench.group.write([patch('a')], 'now');
  await expect(bad.committed).rejects.toThrow('full');
  await expect(bad.durable).rejects.toThrow('full');
  bench.commitError = undefined;
  const good = bench.group.write([patch('b')], 'now');
  await good.committed;
  expect(bench.committed).toEqual([['b']]);
  const durable = good.durable;
  bench.endSync(new Error('EIO'));
  await expect(durable).rejects.toThrow('EIO');
});

test('work of its own comes after what is queued, and throws what it threw', async () => {
  const bench = createBench();
  bench.group.write([patch('a')], 'soon');
  const { value, batch } = bench.group.run(() => {
    bench.committed.push(['run']);
    return 7;
  });
  expect(value).toBe(7);
  expect(bench.committed).toEqual([['a'], ['run']]);
  await batch.committed;
  const broken = (): unknown =>
    bench.group.run(() => {
      throw new Error('broken');
    });
  expect(broken).toThrow('broken');
});

test('flush makes everything durable', async () => {
  const bench = createBench();
  bench.group.write([patch('a')], 'soon');
  const flushed = bench.group.flush();
  expect(bench.committed).toEqual([['a']]);
  expect(await fateOf(flushed)).toBe('pending');
  bench.endSync();
  await flushed;
});
