import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFakeClock, type FakeClock } from '../../../test/support/fake-clock.ts';
import { resultOf } from '../../../test/support/fake-gateway.ts';
import { type Frame, type FrameOf, limits } from '../../protocol/index.ts';
import { silentLogger, systemClock } from '../../runtime/index.ts';
import { createMetrics } from '../metrics.ts';
import type { GatewayLink } from '../registry/link.ts';
import { openSqliteStore } from '../storage/sqlite.ts';
import type { Store } from '../storage/store.ts';
import { createEngine, type Engine } from './engine.ts';

let directory: string;
let store: Store;
let clock: FakeClock;
let engine: Engine;
let links: Map<string, GatewayLink>;
let sent: Frame[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vw-engine-'));
  store = openSqliteStore({ directory, clock: systemClock });
  clock = createFakeClock();
  links = new Map();
  sent = [];
  engine = await create();
});

afterEach(async () => {
  engine.stop();
  await store[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function create(): Promise<Engine> {
  const made = createEngine({
    store,
    clock,
    logger: silentLogger,
    metrics: createMetrics({ processMetrics: false }),
    linkOf: (id) => links.get(id),
  });
  await made.load();
  return made;
}

async function ask(ttlMs = 60_000): Promise<string> {
  const { tasks } = await engine.create({
    request: {
      verb: 'exec',
      args: { argv: ['true'] },
      env: {},
      timeoutMs: 0,
      graceMs: 1_000,
      createdBy: 'alice',
      owner: 't',
      bodyHash: 'h',
    },
    gateways: ['gw1'],
    ttlMs,
  });
  return tasks[0]?.taskId ?? '';
}

async function attach(tasks: FrameOf<'session.hello'>['tasks'] = []): Promise<GatewayLink> {
  const link: GatewayLink = {
    gatewayId: 'gw1',
    sessionEpoch: 1,
    send: (frame) => sent.push(frame),
    ack: () => {},
    close: () => {},
  };
  await engine.resume('gw1', tasks);
  links.set('gw1', link);
  engine.attached(link, new Set(tasks.map(({ taskId }) => taskId)));
  return link;
}

function detach(link: GatewayLink): void {
  links.delete('gw1');
  engine.detached(link);
}

async function stateOf(taskId: string): Promise<string> {
  await store.flush();
  return (await engine.task(taskId)).task.state;
}

const runs = (): FrameOf<'task.run'>[] => sent.filter((frame) => frame.type === 'task.run');
const none = { produced: 0, acked: 0, oldest: 0 };

test('a running task of a lost gateway is unknown after the time allowed, and comes back', async () => {
  const link = await attach();
  const taskId = await ask();
  engine.frame(link, { type: 'task.accepted', taskId, fence: 1 });
  engine.frame(link, { type: 'task.started', taskId, taskRef: 1, streamEpoch: 'e', startedAt: 1 });
  detach(link);
  await clock.advance(limits.LOST_AFTER_MS - 1);
  expect(await stateOf(taskId)).toBe('running');
  await clock.advance(1);
  expect(await stateOf(taskId)).toBe('unknown');
  await attach([{ taskId, fence: 1, state: 'running', streamEpoch: 'e', out: none, err: none }]);
  expect(await stateOf(taskId)).toBe('running');
  expect(runs()).toHaveLength(1);
});

test('a short absence is none', async () => {
  const link = await attach();
  const taskId = await ask();
  engine.frame(link, { type: 'task.started', taskId, taskRef: 1, streamEpoch: 'e', startedAt: 1 });
  detach(link);
  await clock.advance(limits.LOST_AFTER_MS - 1);
  const again = await attach([{ taskId, fence: 1, state: 'running', streamEpoch: 'e', out: none, err: none }]);
  await clock.advance(limits.LOST_AFTER_MS);
  expect(await stateOf(taskId)).toBe('running');
  engine.frame(again, { type: 'task.exit', taskId, fence: 1, result: resultOf({}) });
  expect(await stateOf(taskId)).toBe('finished');
});

test('after a restart of the backend the time allowed begins anew', async () => {
  const link = await attach();
  const taskId = await ask();
  engine.frame(link, { type: 'task.accepted', taskId, fence: 1 });
  await store.flush();
  engine.stop();
  links.clear();
  engine = await create();
  await clock.advance(limits.LOST_AFTER_MS);
  expect(await stateOf(taskId)).toBe('unknown');
});

test('a sent task that was never heard of is sent again, unless it expired meanwhile', async () => {
  const first = await attach();
  const early = await ask(10_000);
  const late = await ask(1_000_000);
  detach(first);
  await clock.advance(limits.LOST_AFTER_MS);
  expect([await stateOf(early), await stateOf(late)]).toEqual(['unknown', 'unknown']);
  sent.length = 0;
  await attach();
  expect(runs().map(({ taskId, fence }) => ({ taskId, fence }))).toEqual([{ taskId: late, fence: 1 }]);
  expect(runs()[0]?.ttlMs).toBe(1_000_000 - limits.LOST_AFTER_MS);
  expect(await stateOf(early)).toBe('finished');
  expect((await engine.task(early)).task.end).toMatchObject({ outcome: 'expired' });
});

test('a queued task expires to the millisecond, and survives a restart until then', async () => {
  const taskId = await ask(5_000);
  await clock.advance(4_000);
  engine.stop();
  engine = await create();
  await clock.advance(999);
  expect(await stateOf(taskId)).toBe('queued');
  await clock.advance(1);
  expect(await stateOf(taskId)).toBe('finished');
});

test('frames of an older fence, and of a gateway that does not own the task, mean nothing', async () => {
  const link = await attach();
  const taskId = await ask();
  engine.frame(link, { type: 'task.refused', taskId, fence: 1, code: 'not_started', message: '' });
  expect(runs().map(({ fence }) => fence)).toEqual([1, 2]);
  engine.frame(link, { type: 'task.accepted', taskId, fence: 1 });
  engine.frame(link, { type: 'task.refused', taskId, fence: 1, code: 'denied', message: '' });
  engine.frame({ ...link, gatewayId: 'gw2' }, { type: 'task.exit', taskId, fence: 2, result: resultOf({}) });
  expect(await stateOf(taskId)).toBe('sent');
});

test('not started again and again is given up', async () => {
  const link = await attach();
  const taskId = await ask();
  for (let fence = 1; fence <= 5; fence++)
    engine.frame(link, { type: 'task.refused', taskId, fence, code: 'not_started', message: 'no' });
  expect(await stateOf(taskId)).toBe('finished');
  expect((await engine.task(taskId)).task.end).toMatchObject({ outcome: 'refused', refusal: 'not_started' });
});

test('cancel that finds nothing at the gateway ends the task truthfully', async () => {
  const link = await attach();
  const taskId = await ask();
  expect((await engine.cancel(taskId, { by: 'alice' })).result).toBe('requested');
  engine.frame(link, { type: 'task.cancelling', taskId, phase: 'unknown_task' });
  expect(await stateOf(taskId)).toBe('finished');
  expect((await engine.task(taskId)).task.end).toEqual({ outcome: 'cancelled_before_start' });
});

test('an exit that outlived the backend ends the task once it is told again', async () => {
  const link = await attach();
  const taskId = await ask();
  const out = Buffer.from('abc');
  engine.frame(link, { type: 'task.started', taskId, taskRef: 1, streamEpoch: 'e', startedAt: 1 });
  engine.frame(link, { type: 'task.exit', taskId, fence: 1, result: resultOf({ out }) });
  expect(await stateOf(taskId)).toBe('finishing');
  engine.stop();
  links.clear();
  engine = await create();
  expect(await stateOf(taskId)).toBe('finishing');
  const again = await attach([{ taskId, fence: 1, state: 'exited', streamEpoch: 'e', out: none, err: none }]);
  engine.frame(again, { type: 'task.started', taskId, taskRef: 2, streamEpoch: 'e', startedAt: 1 });
  engine.output(again, { taskRef: 2, stream: 'out', offset: 0, sequence: 0, bytes: out });
  expect(await stateOf(taskId)).toBe('finished');
});

test('a gateway is given so many tasks at a time; the next one goes when one has ended', async () => {
  const link = await attach();
  const ids: string[] = [];
  for (let index = 0; index < 1_501; index++) ids.push(await ask());
  expect(runs()).toHaveLength(1_500);
  const last = ids.at(-1) ?? '';
  expect(await stateOf(last)).toBe('queued');
  engine.frame(link, { type: 'task.exit', taskId: ids[0] ?? '', fence: 1, result: resultOf({}) });
  await store.flush();
  expect(runs().at(-1)?.taskId).toBe(last);
  expect(await stateOf(last)).toBe('sent');
});

test('a finished task is let go of, however long its session lasts', async () => {
  const link = await attach();
  const ended: WeakRef<object>[] = [];
  for (let taskRef = 1; taskRef <= 20; taskRef++) {
    const taskId = await ask();
    engine.frame(link, { type: 'task.started', taskId, taskRef, streamEpoch: 'e', startedAt: 1 });
    const out = Buffer.from('hi\n');
    engine.output(link, { taskRef, stream: 'out', offset: 0, sequence: taskRef, bytes: out });
    const live = engine.live(taskId);
    if (live) ended.push(new WeakRef(live));
    engine.frame(link, { type: 'task.exit', taskId, fence: 1, result: resultOf({ out }) });
    await store.flush();
  }
  expect(ended).toHaveLength(20);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What the last turns of the event loop still have on their stacks is not a leak.
  await vi.waitFor(() => {
    collect();
    expect(ended.filter((task) => task.deref() !== undefined).length).toBeLessThan(3);
  });
});

test('a task that ends takes the number of nobody else, though each session numbers anew', async () => {
  const first = await attach();
  const lost = await ask();
  engine.frame(first, { type: 'task.started', taskId: lost, taskRef: 1, streamEpoch: 'e', startedAt: 1 });
  // Enough output for its end, which reads it again, to take some turns.
  const big = Buffer.alloc(256 * 1024, 'x');
  for (let piece = 0; piece < 4; piece++) {
    const offset = piece * big.length;
    engine.output(first, { taskRef: 1, stream: 'out', offset, sequence: piece, bytes: big });
    await store.flush();
  }
  detach(first);
  const taskId = await ask();
  // The gateway comes back without the first task: its state was wiped.
  const second = await attach();
  engine.frame(second, { type: 'task.started', taskId, taskRef: 1, streamEpoch: 'f', startedAt: 2 });
  await vi.waitFor(async () => expect(await stateOf(lost)).toBe('finished'));
  const out = Buffer.from('hello\n');
  engine.output(second, { taskRef: 1, stream: 'out', offset: 0, sequence: 1, bytes: out });
  engine.frame(second, { type: 'task.exit', taskId, fence: 1, result: resultOf({ out }) });
  await vi.waitFor(async () => expect(await stateOf(taskId)).toBe('finished'));
});

test('a session that ends while a command is written: the command waits and expires', async () => {
  const link = await attach();
  const asked = ask(5_000);
  detach(link);
  const taskId = await asked;
  expect(runs()).toHaveLength(0);
  expect(await stateOf(taskId)).toBe('queued');
  await clock.advance(5_000);
  expect(await stateOf(taskId)).toBe('finished');
});

test('offsets in WELCOME are those on disk, not those just received', async () => {
  const link = await attach();
  const taskId = await ask();
  engine.frame(link, { type: 'task.started', taskId, taskRef: 1, streamEpoch: 'e', startedAt: 1 });
  engine.output(link, { taskRef: 1, stream: 'out', offset: 0, sequence: 0, bytes: Buffer.from('abc') });
  detach(link);
  const answers = await engine.resume('gw1', [
    { taskId, fence: 1, state: 'running', streamEpoch: 'e', out: none, err: none },
  ]);
  expect(answers).toEqual([{ taskId, action: 'resume', out: 3, err: 0 }]);
  const other = openSqliteStore({ directory, clock: systemClock });
  expect((await other.openTasks())[0]?.task.outStored).toBe(3);
  await other[Symbol.asyncDispose]();
});
