// What survives: tasks and bytes over a restart and a kill -9 of the backend, sessions that break, cancels at every moment.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FrameOf } from '../../agents/protocol/index.ts';
import { freePorts, spawnBackend } from '../support/backend-process.ts';
import { connectGateway, createIdentity, type FakeLink, resultOf } from '../support/fake-gateway.ts';
import { createOperator, eventually, type Operator } from '../support/operator.ts';
import { collectOutput, readEvents } from '../support/sse.ts';
import { seedStore, startBackend, type TestBackend } from '../support/test-backend.ts';

let directory: string;
let backend: TestBackend;
let operator: Operator;
let token: string;
const gw1 = createIdentity('gw1');

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vw-backend-'));
  const tokens = await seedStore(directory, { gateways: [gw1] });
  backend = await startBackend({ directory });
  token = tokens.operator;
  operator = createOperator(() => backend.api, token);
});

afterEach(async () => {
  await backend.stop();
  await rm(directory, { recursive: true });
});

async function restart(): Promise<void> {
  expect(await backend.stop()).toBe(0);
  backend = await startBackend({ directory });
}

type HelloTask = FrameOf<'session.hello'>['tasks'][number];

function held(run: FrameOf<'task.run'>, changes: Partial<HelloTask> = {}): HelloTask {
  const none = { produced: 0, acked: 0, oldest: 0 };
  return {
    taskId: run.taskId,
    fence: run.fence,
    state: 'running',
    streamEpoch: 'e1',
    out: none,
    err: none,
    ...changes,
  };
}

async function start(link: FakeLink, argv: readonly string[]): Promise<FrameOf<'task.run'>> {
  await operator.task('gw1', argv);
  const run = await link.next('task.run');
  link.send({ type: 'task.accepted', taskId: run.taskId, fence: run.fence });
  link.send({ type: 'task.started', taskId: run.taskId, taskRef: 1, streamEpoch: 'e1', startedAt: 1 });
  return run;
}

const stored = (taskId: string, bytes: number): Promise<unknown> =>
  eventually(
    () => operator.show(taskId),
    ({ out }) => out.stored >= bytes,
  );

test('a restart in mid-stream: resumed at the durable offset; what comes twice or overlaps is stored once', async () => {
  const whole = randomBytes(200_000);
  let link = await connectGateway(backend.agents, gw1);
  const run = await start(link, ['stream']);
  link.output({ taskRef: 1, stream: 'out', offset: 0, bytes: whole.subarray(0, 60_000) });
  await stored(run.taskId, 60_000);
  const going = link.next('session.goaway');
  await restart();
  expect((await going).reason).toBe('restart');
  expect((await link.closed).code).toBe(4001);

  link = await connectGateway(backend.agents, gw1, {
    tasks: [held(run, { out: { produced: 100_000, acked: 0, oldest: 0 } })],
  });
  expect(link.welcome.tasks).toEqual([{ taskId: run.taskId, action: 'resume', out: 60_000, err: 0 }]);
  link.send({ type: 'task.started', taskId: run.taskId, taskRef: 7, streamEpoch: 'e1', startedAt: 1 });
  for (const [from, to] of [
    [40_000, 80_000],
    [40_000, 80_000],
    [70_000, 130_000],
    [125_000, 160_000],
    [160_000, 200_000],
    [150_000, 200_000],
  ] as const)
    link.output({ taskRef: 7, stream: 'out', offset: from, bytes: whole.subarray(from, to) });
  link.send({ type: 'task.exit', taskId: run.taskId, fence: run.fence, result: resultOf({ out: whole }) });
  const { out, task } = await operator.output(run.taskId);
  expect(out.equals(whole)).toBe(true);
  expect(task).toMatchObject({ state: 'finished', end: { outcome: 'exited', code: 0 } });
  expect(task?.end).not.toHaveProperty('message');
  expect((await link.next('task.settled')).taskId).toBe(run.taskId);
});

test('a result whose settling was lost is answered again, not stored again', async () => {
  let link = await connectGateway(backend.agents, gw1);
  const run = await start(link, ['quick']);
  link.send({ type: 'task.exit', taskId: run.taskId, fence: run.fence, result: resultOf({ code: 4 }) });
  await link.next('task.settled');
  await link.close();
  link = await connectGateway(backend.agents, gw1, { tasks: [held(run, { state: 'exited' })] });
  expect(link.welcome.tasks).toMatchObject([{ taskId: run.taskId, action: 'settled' }]);
  link.send({ type: 'task.exit', taskId: run.taskId, fence: run.fence, result: resultOf({ code: 5 }) });
  expect((await link.next('task.settled')).taskId).toBe(run.taskId);
  expect((await operator.show(run.taskId)).end).toMatchObject({ code: 4 });
});

test('a run frame that was lost with the link comes again, with the same id and fence', async () => {
  const first = await connectGateway(backend.agents, gw1);
  const { taskId } = await operator.task('gw1', ['once']);
  const lost = await first.next('task.run');
  first.socket.terminate();
  await first.closed;
  const second = await connectGateway(backend.agents, gw1);
  const again = await second.next('task.run');
  expect(again).toMatchObject({ taskId, fence: lost.fence });
  second.socket.terminate();
  await second.closed;
  await restart();
  const third = await connectGateway(backend.agents, gw1);
  expect(await third.next('task.run')).toMatchObject({ taskId, fence: lost.fence });
});

test('a task that the gateway has no trace of ends as indeterminate; one that is not ours is unknown', async () => {
  let link = await connectGateway(backend.agents, gw1);
  const run = await start(link, ['forgotten']);
  link.output({ taskRef: 1, stream: 'out', offset: 0, bytes: Buffer.from('abc') });
  await stored(run.taskId, 3);
  await link.close();
  const stranger = { ...held(run), taskId: '00000000-0000-7000-8000-000000000000' };
  link = await connectGateway(backend.agents, gw1, { tasks: [stranger] });
  expect(link.welcome.tasks).toMatchObject([{ taskId: stranger.taskId, action: 'unknown' }]);
  const { end, out } = await eventually(
    () => operator.show(run.taskId),
    ({ state }) => state === 'finished',
  );
  expect(end).toMatchObject({ outcome: 'indeterminate', out: { bytes: 3 } });
  expect(out.stored).toBe(3);
});

test('a lost spool is named, not mixed with what was stored', async () => {
  let link = await connectGateway(backend.agents, gw1);
  const run = await start(link, ['spool']);
  link.output({ taskRef: 1, stream: 'out', offset: 0, bytes: Buffer.from('abcdef') });
  await stored(run.taskId, 6);
  await link.close();
  link = await connectGateway(backend.agents, gw1, {
    tasks: [held(run, { streamEpoch: 'e2', out: { produced: 3, acked: 0, oldest: 0 } })],
  });
  expect(link.welcome.tasks).toMatchObject([{ action: 'resume', out: 3 }]);
  link.send({ type: 'task.started', taskId: run.taskId, taskRef: 2, streamEpoch: 'e2', startedAt: 1 });
  link.output({ taskRef: 2, stream: 'out', offset: 3, bytes: Buffer.from('XYZ') });
  link.send({
    type: 'task.exit',
    taskId: run.taskId,
    fence: run.fence,
    result: resultOf({ out: Buffer.from('???XYZ') }),
  });
  const { end } = await eventually(
    () => operator.show(run.taskId),
    ({ state }) => state === 'finished',
  );
  expect(end).toMatchObject({ message: expect.stringContaining('lost its spool') });
  expect((await operator.output(run.taskId)).out.toString()).toBe('abcdef');
});

test('cancel before it was sent ends it here, and the gateway never hears of it', async () => {
  const { taskId } = await operator.task('gw1', ['never']);
  expect(await operator.cancel(taskId)).toMatchObject({ result: 'cancelled_before_start' });
  const task = await eventually(
    () => operator.show(taskId),
    ({ state }) => state === 'finished',
  );
  expect(task.end).toEqual({ outcome: 'cancelled_before_start' });
  expect((await operator.cancel(taskId)).result).toBe('already_finished');
  const link = await connectGateway(backend.agents, gw1);
  link.send({ type: 'session.ping', nonce: 1 });
  await link.next('session.pong');
  expect(link.seen.some(({ type }) => type === 'task.run')).toBe(false);
});

test('cancel while it runs is asked once per wish, and is true only when the gateway says so', async () => {
  const link = await connectGateway(backend.agents, gw1);
  const run = await start(link, ['sleep']);
  expect((await operator.cancel(run.taskId)).result).toBe('requested');
  expect(await link.next('task.cancel')).toEqual({ type: 'task.cancel', taskId: run.taskId, graceMs: 10_000 });
  link.send({ type: 'task.cancelling', taskId: run.taskId, phase: 'accepted' });
  expect((await operator.cancel(run.taskId)).task).toMatchObject({ cancelRequestedAt: expect.any(Number) });
  link.send({
    type: 'task.exit',
    taskId: run.taskId,
    fence: run.fence,
    result: { ...resultOf({}), outcome: 'cancelled' },
  });
  const task = await eventually(
    () => operator.show(run.taskId),
    ({ state }) => state === 'finished',
  );
  expect(task.end).toMatchObject({ outcome: 'cancelled' });
  expect((await operator.cancel(run.taskId)).result).toBe('already_finished');
});

test('a cancel that its gateway did not hear is in WELCOME, also after a restart', async () => {
  let link = await connectGateway(backend.agents, gw1);
  const run = await start(link, ['sleep']);
  await eventually(
    () => operator.show(run.taskId),
    ({ state }) => state === 'running',
  );
  await link.close();
  await operator.cancel(run.taskId);
  await restart();
  link = await connectGateway(backend.agents, gw1, { tasks: [held(run)] });
  expect(link.welcome.tasks).toMatchObject([{ taskId: run.taskId, action: 'cancel', graceMs: 10_000 }]);
});

test('a cancelled task whose run was lost is not sent again', async () => {
  const first = await connectGateway(backend.agents, gw1);
  const { taskId } = await operator.task('gw1', ['never']);
  await first.next('task.run');
  first.socket.terminate();
  await first.closed;
  await eventually(
    () => backend.log.map(({ msg }) => msg),
    (seen) => seen.includes('session lost'),
  );
  await operator.cancel(taskId);
  const second = await connectGateway(backend.agents, gw1);
  const { end } = await eventually(
    () => operator.show(taskId),
    ({ state }) => state === 'finished',
  );
  expect(end).toEqual({ outcome: 'cancelled_before_start' });
  expect(second.seen.some(({ type }) => type === 'task.run')).toBe(false);
});

test('a viewer that does not read costs nothing and gets every byte later', async () => {
  const whole = randomBytes(8 * 1024 * 1024);
  const link = await connectGateway(backend.agents, gw1);
  const run = await start(link, ['much']);
  const response = await operator.request('GET', `/api/v1/tasks/${run.taskId}/output`);
  let credit = link.welcome.taskCreditBytes;
  for (let at = 0; at < whole.length; at += 65_536) {
    // As a gateway does: what may be under way is what the backend said.
    while (at + 65_536 > credit) credit = (await link.next('task.ack')).credit;
    link.output({ taskRef: 1, stream: 'out', offset: at, bytes: whole.subarray(at, at + 65_536) });
  }
  link.send({ type: 'task.exit', taskId: run.taskId, fence: run.fence, result: resultOf({ out: whole }) });
  await eventually(
    () => operator.show(run.taskId),
    ({ state }) => state === 'finished',
  );
  expect((await link.next('task.settled')).taskId).toBe(run.taskId);
  const { out, task } = await collectOutput(readEvents(response));
  expect(out.equals(whole)).toBe(true);
  expect(task).toMatchObject({ state: 'finished' });
});

test('sessions at rest do not hold up an end', async () => {
  await connectGateway(backend.agents, gw1);
  const follow = await operator.request('GET', `/api/v1/tasks/${(await operator.task('gw1', ['x'])).taskId}/output`);
  const began = performance.now();
  expect(await backend.stop()).toBe(0);
  expect(performance.now() - began).toBeLessThan(2_000);
  expect((await collectOutput(readEvents(follow))).task).toBeUndefined();
  backend = await startBackend({ directory });
});

test('kill -9 in mid-stream: the gateway sends on, the viewer goes on, every byte once', async () => {
  await backend.stop();
  const ports = await freePorts();
  let running = await spawnBackend(directory, ports);
  const own = createOperator(() => running.api, token);
  const whole = randomBytes(900_000);
  let link = await connectGateway(running.agents, gw1);
  const task = await own.task('gw1', ['stream']);
  const run = await link.next('task.run');
  link.send({ type: 'task.started', taskId: run.taskId, taskRef: 1, streamEpoch: 'e1', startedAt: 1 });
  const seen: Buffer[] = [];
  const response = await own.request('GET', `/api/v1/tasks/${task.taskId}/output`);
  const reading = (async () => {
    let id = 'out:0,err:0';
    try {
      for await (const event of readEvents(response)) {
        if (event.event !== 'output') continue;
        seen.push(Buffer.from(String(event.data.data), 'base64'));
        id = event.id ?? id;
      }
    } catch {
      // The connection is reset by the kill: that is the point.
    }
    return id;
  })();
  for (let at = 0; at < 450_000; at += 50_000)
    link.output({ taskRef: 1, stream: 'out', offset: at, bytes: whole.subarray(at, at + 50_000) });
  await eventually(
    () => seen.length,
    (count) => count >= 3,
  );
  running.child.kill('SIGKILL');
  await running.exited;
  await link.closed;
  const lastId = await reading;

  running = await spawnBackend(directory, ports);
  link = await connectGateway(running.agents, gw1, {
    tasks: [held(run, { state: 'exited', out: { produced: 900_000, acked: 0, oldest: 0 } })],
  });
  const resume = link.welcome.tasks[0];
  expect(resume).toMatchObject({ taskId: run.taskId, action: 'resume' });
  link.send({ type: 'task.started', taskId: run.taskId, taskRef: 1, streamEpoch: 'e1', startedAt: 1 });
  for (let at = resume?.out ?? 0; at < whole.length; at += 50_000)
    link.output({ taskRef: 1, stream: 'out', offset: at, bytes: whole.subarray(at, at + 50_000) });
  link.send({ type: 'task.exit', taskId: run.taskId, fence: run.fence, result: resultOf({ out: whole }) });
  const from = Number(/out:(\d+)/.exec(lastId)?.[1]);
  const rest = await own.output(task.taskId, { from: { out: from, err: 0 } });
  expect(Buffer.concat([...seen, rest.out]).equals(whole)).toBe(true);
  expect(rest.task).toMatchObject({ state: 'finished', end: { code: 0 } });
  running.child.kill('SIGTERM');
  expect(await running.exited).toMatchObject({ code: 0 });
  backend = await startBackend({ directory });
}, 60_000);
