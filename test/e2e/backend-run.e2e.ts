// A command's way through the backend: API, engine, real socket to a gateway, output back as server-sent events.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectGateway, createIdentity, type FakeLink, resultOf, serveEcho } from '../support/fake-gateway.ts';
import { createOperator, eventually, type Operator } from '../support/operator.ts';
import { collectOutput, readEvents } from '../support/sse.ts';
import { seedStore, startBackend, type TestBackend } from '../support/test-backend.ts';

let directory: string;
let backend: TestBackend;
let operator: Operator;
let echo: FakeLink;
let manual: FakeLink;
const gw1 = createIdentity('gw1');
const gw2 = createIdentity('gw2');
const gw3 = createIdentity('gw3');
const EXEC = { verb: 'exec', args: { argv: ['echo', 'hi'] }, gateways: ['gw1'] };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vw-backend-'));
  const tokens = await seedStore(directory, { gateways: [gw1, gw2, gw3] });
  backend = await startBackend({ directory });
  operator = createOperator(() => backend.api, tokens.operator);
  echo = await connectGateway(backend.agents, gw1);
  serveEcho(echo);
  manual = await connectGateway(backend.agents, gw2);
});

afterAll(async () => {
  expect(await backend.stop()).toBe(0);
  await rm(directory, { recursive: true });
});

async function stream(body: unknown): Promise<Response> {
  return operator.request('POST', '/api/v1/commands', { body, headers: { accept: 'text/event-stream' } });
}

/** Takes the next run on the manual gateway and starts it. */
async function started(taskRef: number): Promise<{ taskId: string; fence: number }> {
  const { taskId, fence } = await manual.next('task.run');
  manual.send({ type: 'task.accepted', taskId, fence });
  manual.send({ type: 'task.started', taskId, taskRef, streamEpoch: 'e1', startedAt: 1 });
  return { taskId, fence };
}

test('echo hi comes back live, with its exit', async () => {
  const response = await stream(EXEC);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const { out, err, task } = await collectOutput(readEvents(response));
  expect(out.toString()).toBe('hi\n');
  expect(err.length).toBe(0);
  expect(task).toMatchObject({ state: 'finished', gatewayId: 'gw1', end: { outcome: 'exited', code: 0 } });
  const settled = await echo.next('task.settled');
  expect(settled.taskId).toBe(task?.taskId);
});

test('200 times echo gives 200 outputs', async () => {
  const outputs = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const response = await stream({ ...EXEC, args: { argv: ['echo', `line ${index}`] } });
      return (await collectOutput(readEvents(response))).out.toString();
    }),
  );
  expect(outputs).toEqual(Array.from({ length: 200 }, (_, index) => `line ${index}\n`));
});

test('output is seen before the task ends, both streams apart, binary as it is', async () => {
  const response = await stream({ ...EXEC, gateways: ['gw2'] });
  const events = readEvents(response);
  const first = async (name: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const { value, done } = await events.next();
      if (done) throw new Error(`no ${name}`);
      if (value.event === name) return value.data;
    }
  };
  const { taskId, fence } = await started(1);
  const out = Buffer.concat([Buffer.from([0, 255, 254, 10]), randomBytes(100_000)]);
  const err = Buffer.from('problème\n');
  manual.output({ taskRef: 1, stream: 'out', offset: 0, bytes: out.subarray(0, 4) });
  expect(await first('output')).toMatchObject({ taskId, stream: 'out', offset: 0, data: 'AP/+Cg==' });
  manual.output({ taskRef: 1, stream: 'err', offset: 0, bytes: err });
  expect(await first('output')).toMatchObject({ stream: 'err', offset: 0 });
  for (let at = 4; at < out.length; at += 50_000)
    manual.output({ taskRef: 1, stream: 'out', offset: at, bytes: out.subarray(at, at + 50_000) });
  manual.send({ type: 'task.exit', taskId, fence, result: resultOf({ out, err, code: 7 }) });
  const { task } = (await first('exit')) as { task: { end: unknown } };
  expect(task.end).toMatchObject({ outcome: 'exited', code: 7 });
  const stored = await operator.output(taskId);
  expect(stored.out.equals(out)).toBe(true);
  expect(stored.err.equals(err)).toBe(true);
  const settled = await manual.next('task.settled');
  expect(settled.taskId).toBe(taskId);
});

test('a task is finished only when its last byte is there, however early its exit came', async () => {
  const task = await operator.task('gw2', ['late']);
  const { taskId, fence } = await started(2);
  const out = Buffer.from('the whole of it');
  manual.send({ type: 'task.exit', taskId, fence, result: resultOf({ out }) });
  await eventually(
    () => operator.show(task.taskId),
    ({ state }) => state === 'finishing',
  );
  manual.output({ taskRef: 2, stream: 'out', offset: 0, bytes: out });
  const finished = await eventually(
    () => operator.show(task.taskId),
    ({ state }) => state === 'finished',
  );
  expect(finished.out.stored).toBe(out.length);
  expect(finished.end).not.toHaveProperty('message');
  expect((await manual.next('task.settled')).taskId).toBe(taskId);
});

test('output that is not what the gateway hashed is named in the result', async () => {
  const { taskId: id } = await operator.task('gw2', ['wrong']);
  const { taskId, fence } = await started(3);
  manual.output({ taskRef: 3, stream: 'out', offset: 0, bytes: Buffer.from('abc') });
  manual.send({ type: 'task.exit', taskId, fence, result: resultOf({ out: Buffer.from('abd') }) });
  const { end } = await eventually(
    () => operator.show(id),
    ({ state }) => state === 'finished',
  );
  expect(end).toMatchObject({ outcome: 'exited', message: expect.stringContaining('out:') });
  expect(backend.log.some(({ msg }) => msg === 'stored output does not match the result')).toBe(true);
  await manual.next('task.settled');
});

test('a gap is passed on, recorded, and named in the result', async () => {
  const { taskId: id } = await operator.task('gw2', ['gap']);
  const { taskId, fence } = await started(4);
  manual.output({ taskRef: 4, stream: 'out', offset: 0, bytes: Buffer.from('abc') });
  manual.send({ type: 'task.gap', taskId, stream: 'out', from: 3, to: 10, reason: 'spool_truncated' });
  manual.output({ taskRef: 4, stream: 'out', offset: 10, bytes: Buffer.from('xyz') });
  const result = resultOf({ out: Buffer.from('abc1234567xyz') });
  manual.send({ type: 'task.exit', taskId, fence, result });
  const { end, out } = await eventually(
    () => operator.show(id),
    ({ state }) => state === 'finished',
  );
  expect(out.stored).toBe(13);
  expect(end).toMatchObject({ message: 'out: 7 bytes are missing' });
  const names: unknown[] = [];
  for await (const { event, data } of readEvents(await operator.request('GET', `/api/v1/tasks/${id}/output`)))
    names.push(event === 'gap' ? [data.from, data.to, data.reason] : event);
  expect(names).toEqual(['output', [3, 10, 'spool_truncated'], 'output', 'exit']);
  await manual.next('task.settled');
});

test('durable acks come while output flows, with credit', async () => {
  const { taskId: id } = await operator.task('gw2', ['flow']);
  const { taskId, fence } = await started(5);
  const out = randomBytes(300_000);
  for (let at = 0; at < out.length; at += 60_000)
    manual.output({ taskRef: 5, stream: 'out', offset: at, bytes: out.subarray(at, at + 60_000) });
  let ack = await manual.next('task.ack');
  while (ack.out < out.length) ack = await manual.next('task.ack');
  expect(ack).toEqual({ type: 'task.ack', taskId, out: 300_000, err: 0, credit: 300_000 + 1024 * 1024 });
  manual.send({ type: 'task.exit', taskId, fence, result: resultOf({ out }) });
  await eventually(
    () => operator.show(id),
    ({ state }) => state === 'finished',
  );
  await manual.next('task.settled');
});

test('a viewer goes on from Last-Event-ID', async () => {
  const { tasks } = await operator.command({ ...EXEC, args: { argv: ['echo', 'abcdef'] } });
  const taskId = tasks[0]?.taskId ?? '';
  const whole = await operator.output(taskId);
  expect(whole.lastId).toBe('out:7,err:0');
  const response = await operator.request('GET', `/api/v1/tasks/${taskId}/output`, {
    headers: { 'last-event-id': 'out:3,err:0' },
  });
  const rest = await collectOutput(readEvents(response), { out: 3, err: 0 });
  expect(rest.out.toString()).toBe('def\n');
});

test('one command on two gateways: each task has its own output, and the stream ends after the last', async () => {
  const response = await stream({ ...EXEC, gateways: ['gw1', 'gw2'] });
  const { taskId, fence } = await started(6);
  manual.send({ type: 'task.exit', taskId, fence, result: resultOf({ code: 3 }) });
  const exits: unknown[] = [];
  for await (const { event, data } of readEvents(response)) if (event === 'exit') exits.push(data.task);
  expect(exits).toHaveLength(2);
  expect(exits).toContainEqual(
    expect.objectContaining({ gatewayId: 'gw2', end: expect.objectContaining({ code: 3 }) }),
  );
  await manual.next('task.settled');
});

test('a gateway’s refusal is the end of the task', async () => {
  const { taskId: id } = await operator.task('gw2', ['denied']);
  const { taskId, fence } = await manual.next('task.run');
  manual.send({ type: 'task.refused', taskId, fence, code: 'denied', message: 'the policy says no' });
  const { end } = await eventually(
    () => operator.show(id),
    ({ state }) => state === 'finished',
  );
  expect(end).toEqual({ outcome: 'refused', refusal: 'denied', message: 'the policy says no' });
});

test('provably not started: sent again under a new fence', async () => {
  const { taskId: id } = await operator.task('gw2', ['again']);
  const first = await manual.next('task.run');
  manual.send({ type: 'task.refused', taskId: id, fence: first.fence, code: 'not_started', message: 'restarted' });
  const second = await manual.next('task.run');
  expect(second).toMatchObject({ taskId: id, fence: first.fence + 1 });
  manual.send({ type: 'task.exit', taskId: id, fence: first.fence, result: resultOf({ code: 9 }) });
  manual.send({ type: 'task.accepted', taskId: id, fence: second.fence });
  manual.send({ type: 'task.exit', taskId: id, fence: second.fence, result: resultOf({ code: 0 }) });
  const { end } = await eventually(
    () => operator.show(id),
    ({ state }) => state === 'finished',
  );
  expect(end).toMatchObject({ outcome: 'exited', code: 0 });
});

test('a command for an absent gateway waits, and expires', async () => {
  const { taskId } = await operator.task('gw3', ['later'], { ttlMs: 150 });
  expect((await operator.show(taskId)).state).toBe('queued');
  const { end } = await eventually(
    () => operator.show(taskId),
    ({ state }) => state === 'finished',
  );
  expect(end).toMatchObject({ outcome: 'expired' });
});

test('a command for an absent gateway runs when it comes', async () => {
  const { taskId } = await operator.task('gw3', ['echo', 'came'], { ttlMs: 30_000 });
  const link = await connectGateway(backend.agents, gw3);
  serveEcho(link);
  // The run may have come with WELCOME, before anybody listened for it.
  const early = link.seen.find((frame) => frame.type === 'task.run');
  if (early) {
    const out = Buffer.from('came\n');
    link.send({ type: 'task.started', taskId, taskRef: 9, streamEpoch: 'e', startedAt: 1 });
    link.output({ taskRef: 9, stream: 'out', offset: 0, bytes: out });
    link.send({ type: 'task.exit', taskId, fence: early.fence, result: resultOf({ out }) });
  }
  expect((await operator.output(taskId)).out.toString()).toBe('came\n');
  await link.close();
});
