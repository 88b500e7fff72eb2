// A reader whose output is forgotten while it reads.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger, systemClock } from '../../runtime/index.ts';
import { createMetrics } from '../metrics.ts';
import { openSqliteStore } from '../storage/sqlite.ts';
import { createEngine } from './engine.ts';
import { createId, firstId } from './ids.ts';
import { type Sink, viewTask } from './viewer.ts';

const ROW = 2 ** 18;
const ROWS = 40;

test('what retention takes while it is read is told as a gap, not passed off as the end', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'vw-viewer-'));
  const store = openSqliteStore({ directory, clock: systemClock });
  const metrics = createMetrics({ processMetrics: false });
  const engine = createEngine({ store, clock: systemClock, logger: silentLogger, metrics, linkOf: () => undefined });
  try {
    const [taskId, commandId] = [createId(1_000), createId(1_000)];
    const request = {
      verb: 'exec',
      args: {},
      env: {},
      timeoutMs: 0,
      graceMs: 0,
      createdBy: 'a',
      owner: 't',
      bodyHash: 'h',
    };
    const stored = { gatewayId: 'gw1', state: 'finished', fence: 1, outStored: ROWS * ROW, errStored: 0 } as const;
    const times = { createdAt: 1_000, expiresAt: 2_000, finishedAt: 2_000 };
    await store.createCommand({ ...request, commandId, createdAt: 1_000 }, [
      { taskId, commandId, ...stored, ...times },
    ]);
    for (let row = 0; row < ROWS; row++)
      store.write(
        [{ kind: 'output.append', taskId, stream: 'out', offset: row * ROW, bytes: Buffer.alloc(ROW) }],
        'soon',
      );
    await store.flush();
    await engine.load();
    let read = 0;
    let isBlocked = false;
    const gaps: unknown[] = [];
    const slow: Sink = {
      get blocked() {
        return isBlocked;
      },
      output(_task, { piece }) {
        read += piece.bytes.length;
        isBlocked ||= read === 10 * ROW;
      },
      gap: (_task, gap) => void gaps.push(gap),
      state() {},
      async drained() {
        const limits = { finishedBefore: 9_000, idBefore: firstId(9_000), maxBytes: Number.POSITIVE_INFINITY };
        for (let more = true; more; ) more = (await store.purge(limits)).more;
        isBlocked = false;
      },
    };
    const from = { out: 0, err: 0 };
    const { signal } = new AbortController();
    const ended = await viewTask({ engine, store }, slow, { taskId, from, follow: true, signal });
    expect(ended?.state).toBe('finished');
    expect(read).toBe(10 * ROW);
    expect(gaps).toEqual([{ stream: 'out', from: 10 * ROW, to: ROWS * ROW, reason: 'purged' }]);
  } finally {
    engine.stop();
    await store[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  }
});
