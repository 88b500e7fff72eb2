// Either side is killed in the middle of a task: the task goes on, output is whole and in order, nothing runs twice.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SystemBench, startSystem } from '../support/system-bench.ts';

const COUNTER = resolve(import.meta.dirname, '../programs/counter.pl');
let system: SystemBench;

beforeAll(async () => {
  system = await startSystem();
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

const trace = (): string => join(system.gateway.dir, 'trace');
const starts = (taskId: string): number =>
  readFileSync(trace(), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`start ${taskId} `)).length;

function expected(taskId: string, lines: number): { out: string; err: string } {
  const long = taskId.repeat(4);
  const numbers = Array.from({ length: lines }, (_, index) => index + 1);
  return {
    out: numbers.map((line) => `${taskId} ${line} ${long.slice(line % 20, (line % 20) + 40)}\n`).join(''),
    err: numbers
      .filter((line) => line % 10 === 0)
      .map((line) => `${taskId} err ${line}\n`)
      .join(''),
  };
}

const counter = (lines: number, seconds: number): string[] => [
  'perl',
  COUNTER,
  trace(),
  String(lines),
  String(seconds),
];
const submit = (argv: string[], key?: string): Promise<string> =>
  system.submit({ verb: 'exec', args: { argv }, gateways: ['gw1'] }, key);

async function printed(taskId: string, bytes: number): Promise<void> {
  while ((await system.task(taskId)).out.stored < bytes) await new Promise((done) => setTimeout(done, 20));
}

async function check(taskId: string, lines: number): Promise<void> {
  const { task, out, err } = await system.finished(taskId);
  expect(task.end).toMatchObject({ outcome: 'exited', code: 7 });
  expect({ out: out.toString(), err: err.toString() }).toEqual(expected(taskId, lines));
  expect(starts(taskId)).toBe(1);
}

test('kill -9 of the gateway while a task prints: the task goes on and is adopted', async () => {
  const taskId = await submit(counter(400, 8));
  await printed(taskId, 2_000);
  await system.gateway.endGateway('SIGKILL');
  const leader = Number(/^pid=(\d+)/.exec(readFileSync(`${system.gateway.tasksDir}/${taskId}/pid`, 'utf8'))?.[1]);
  expect(() => process.kill(leader, 0)).not.toThrow();
  await new Promise((done) => setTimeout(done, 1_000));
  await system.gateway.startGateway();
  await check(taskId, 400);
});

test('the gateway is away while the task ends: the result is told when it is back', async () => {
  const taskId = await submit(counter(40, 0.8));
  await printed(taskId, 200);
  await system.gateway.endGateway('SIGKILL');
  const folder = `${system.gateway.tasksDir}/${taskId}`;
  for (let text = ''; !text.includes('reason='); ) {
    text = readFileSync(`${folder}/${text === '' ? 'pid' : 'pid'}`, 'utf8');
    try {
      text = readFileSync(`${folder}/rc`, 'utf8');
    } catch {
      await new Promise((done) => setTimeout(done, 20));
    }
  }
  await system.gateway.startGateway();
  await check(taskId, 40);
});

test('kill -9 of the backend in the middle of a stream: nothing is lost or repeated', async () => {
  const taskId = await submit(counter(400, 6));
  await printed(taskId, 2_000);
  await system.endBackend('SIGKILL');
  await new Promise((done) => setTimeout(done, 500));
  await system.startBackend();
  await check(taskId, 400);
});

test('kill -9 of both, and of the launcher', async () => {
  const taskId = await submit(counter(300, 5));
  await printed(taskId, 2_000);
  await Promise.all([
    system.endBackend('SIGKILL'),
    system.gateway.endGateway('SIGKILL'),
    system.gateway.endLauncher('SIGKILL'),
  ]);
  await Promise.all([system.startBackend(), system.gateway.startLauncher()]);
  await system.gateway.startGateway();
  await check(taskId, 300);
});

test('the same command sent twice runs once', async () => {
  const key = `twice-${process.pid}`;
  const argv = counter(20, 0.5);
  const ids = await Promise.all([submit(argv, key), submit(argv, key), submit(argv, key)]);
  expect(new Set(ids).size).toBe(1);
  await check(ids[0] as string, 20);
  expect(await submit(argv, key)).toBe(ids[0]);
  expect(starts(ids[0] as string)).toBe(1);
});

test('an orderly restart of the gateway loses nothing either', async () => {
  const taskId = await submit(counter(100, 2));
  await printed(taskId, 500);
  expect(await system.gateway.endGateway('SIGTERM')).toBe(0);
  await system.gateway.startGateway();
  await check(taskId, 100);
});
