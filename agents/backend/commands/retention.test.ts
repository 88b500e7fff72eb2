// The loop on a real store with a clock of its own: what stays, what goes, and that a store that is down stops nothing.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts';
import { silentLogger, systemClock } from '../../runtime/index.ts';
import { backendErrors } from '../errors.ts';
import { createMetrics } from '../metrics.ts';
import { openSqliteStore } from '../storage/sqlite.ts';
import type { Store } from '../storage/store.ts';
import { createId } from './ids.ts';
import { type RetentionDeps, runRetentionLoop } from './retention.ts';

const DAY_MS = 86_400_000;
let directory: string;
let store: Store;
let clock: FakeClock;
const stop = new AbortController();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vw-retention-'));
  store = openSqliteStore({ directory, clock: systemClock });
  clock = createFakeClock();
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function finishedTask(finishedAt: number): Promise<string> {
  const taskId = createId(finishedAt - 5);
  const command = {
    commandId: createId(finishedAt - 5),
    verb: 'exec',
    args: {},
    env: {},
    timeoutMs: 0,
    graceMs: 0,
    createdAt: finishedAt - 5,
    createdBy: 'alice',
    owner: 't',
    bodyHash: 'h',
  };
  const base = {
    gatewayId: 'gw1',
    fence: 1,
    createdAt: finishedAt - 5,
    expiresAt: finishedAt,
    outStored: 0,
    errStored: 0,
  };
  await store.createCommand(command, [
    { taskId, commandId: command.commandId, state: 'finished', finishedAt, ...base },
  ]);
  return taskId;
}

function start(changes: Partial<RetentionDeps> = {}): Promise<void> {
  const deps: RetentionDeps = {
    store,
    clock,
    logger: silentLogger,
    metrics: createMetrics({ processMetrics: false }),
    retention: { days: 30, maxBytes: 0 },
    available: () => true,
    ...changes,
  };
  return runRetentionLoop(deps, stop.signal).catch(() => undefined);
}

const has = async (taskId: string): Promise<boolean> => (await store.task(taskId)) !== undefined;

test('a task goes when its time is over, not before', async () => {
  const old = await finishedTask(clock.now() - 31 * DAY_MS);
  const young = await finishedTask(clock.now() - 30 * DAY_MS + 3_600_000);
  void start();
  await clock.advance(60_000);
  expect([await has(old), await has(young)]).toEqual([false, true]);
  await clock.advance(3_600_000);
  expect(await has(young)).toBe(false);
});

test('zero days keep everything', async () => {
  const old = await finishedTask(clock.now() - 4_000 * DAY_MS);
  void start({ retention: { days: 0, maxBytes: 0 } });
  await clock.advance(3_600_000);
  expect(await has(old)).toBe(true);
});

test('a store that cannot be written is left alone, then tried again', async () => {
  const old = await finishedTask(clock.now() - 31 * DAY_MS);
  let refusals = 3;
  const failing: Store = {
    ...store,
    purge(limits) {
      if (refusals-- > 0)
        return Promise.reject(backendErrors.create('VW_BACKEND_STORAGE_UNAVAILABLE', { reason: 'ENOSPC', directory }));
      return store.purge(limits);
    },
  };
  void start({ store: failing });
  await clock.advance(25_000);
  expect(await has(old)).toBe(true);
  await clock.advance(60_000);
  expect(await has(old)).toBe(false);
});
