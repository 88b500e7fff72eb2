// The real agent and the real launcher against a backend whose every frame is in the test's hands.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FakeBackendLink, startFakeBackendLink } from '../../test/support/fake-backend-link.ts';
import { createGatewayBench, type GatewayBench } from '../../test/support/gateway-bench.ts';
import type { FrameOf } from '../protocol/index.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 }); // real processes, on machines that have other things to do

const ROOT = resolve(import.meta.dirname, '../..');
let fake: FakeBackendLink;
let bench: GatewayBench;
let count = 0;

async function start(options: { extra?: string; creditBytes?: number } = {}): Promise<void> {
  fake = await startFakeBackendLink(options);
  bench = createGatewayBench({ url: fake.url, ...options });
  await bench.startLauncher();
  await bench.startGateway();
  await fake.until('a session', () => fake.connected);
}

beforeEach(() => {
  count += 1;
});
afterEach(async () => {
  await bench?.[Symbol.asyncDispose]();
  await fake?.[Symbol.asyncDispose]();
});

const newId = (): string => `task-agent-${process.pid}-${count++}`;
function exec(argv: string[], more: Partial<FrameOf<'task.run'>> = {}): string {
  const taskId = more.taskId ?? newId();
  fake.run({ verb: 'exec', args: { argv }, ...more, taskId });
  return taskId;
}
const taskOf = (taskId: string): NonNullable<ReturnType<FakeBackendLink['tasks']['get']>> => {
  const task = fake.tasks.get(taskId);
  if (!task) throw new Error(`no task ${taskId}`);
  return task;
};
const settled = (taskId: string): Promise<void> => fake.until(`${taskId} settled`, () => taskOf(taskId).settled);
const refused = (taskId: string): Promise<void> =>
  fake.until(`${taskId} refused`, () => taskOf(taskId).refusal !== undefined);

test('enrols with its token, says HELLO, runs, forgets what is settled', async () => {
  await start({ extra: 'labels = { site = "lab" }' });
  expect(fake.hellos[0]).toMatchObject({
    gatewayId: 'gw1',
    incarnation: 1,
    labels: { site: 'lab' },
    tasks: [],
    spkiSeen: '',
  });
  expect(Object.keys(fake.hellos[0]?.verbs ?? {})).toContain('canary');
  const taskId = exec(['sh', '-c', 'echo out; echo err >&2; exit 3']);
  await settled(taskId);
  expect(taskOf(taskId).result).toMatchObject({ outcome: 'exited', code: 3 });
  expect(fake.output(taskId)).toEqual({ out: Buffer.from('out\n'), err: Buffer.from('err\n') });
  while (existsSync(join(bench.tasksDir, taskId))) await new Promise((done) => setTimeout(done, 10));
  expect(fake.faults).toEqual([]);
  // The same id after it was settled is no reason to run it again.
  taskOf(taskId).refusal = undefined;
  exec(['sh', '-c', 'echo out; echo err >&2; exit 3'], { taskId });
  await refused(taskId);
  expect(taskOf(taskId).refusal?.code).toBe('conflict');
});

test('what may not run is refused, with the reason, and leaves nothing', async () => {
  await start({
    extra: '[policy]\nallow = ["exec:echo *", "canary"]\ndeny = ["exec:* secret"]\n[verbs]\nenabled = ["exec"]',
  });
  const cases: [string, string, Record<string, unknown>][] = [
    ['denied', 'exec', { argv: ['id'] }],
    ['denied', 'exec', { argv: ['echo', 'secret'] }],
    ['unknown_verb', 'canary', {}],
    ['invalid_args', 'exec', { argv: [] }],
  ];
  for (const [code, verb, args] of cases) {
    const taskId = newId();
    fake.run({ taskId, verb, args });
    await refused(taskId);
    expect(taskOf(taskId).refusal).toMatchObject({ code, fence: 1 });
    expect(existsSync(join(bench.tasksDir, taskId))).toBe(false);
  }
  const good = exec(['echo', 'fine']);
  await settled(good);
});

test('more tasks than slots wait in a queue, and expire there', async () => {
  await start({ extra: 'max_concurrent_tasks = 2' });
  const first = [exec(['sleep', '1.5']), exec(['sleep', '1.5'])];
  await fake.until('two run', () => first.every((id) => taskOf(id).started));
  const waiting = exec(['echo', 'later']);
  const late = exec(['echo', 'too late'], { ttlMs: 300 });
  const cancelled = exec(['echo', 'never']);
  await fake.until('accepted', () => [waiting, late, cancelled].every((id) => taskOf(id).accepted));
  expect(taskOf(waiting).started).toBeUndefined();
  fake.send({ type: 'task.cancel', taskId: cancelled, graceMs: 100 });
  await settled(cancelled);
  expect(taskOf(cancelled).result).toMatchObject({ outcome: 'cancelled', out: { bytes: 0 } });
  await settled(waiting);
  expect(fake.output(waiting).out.toString()).toBe('later\n');
  expect(taskOf(late).refusal?.code).toBe('expired');
  expect(existsSync(join(bench.tasksDir, cancelled))).toBe(false);
});

test('the same run again: answered, not run; another body or an older fence: conflict', async () => {
  await start();
  const marks = join(bench.dir, 'marks');
  const argv = ['sh', '-c', `echo x >> ${marks}; sleep 1`];
  const taskId = exec(argv, { fence: 5 });
  await fake.until('started', () => taskOf(taskId).started !== undefined);
  for (let again = 0; again < 5; again++) exec(argv, { taskId, fence: 5 });
  await fake.until('told again', () => taskOf(taskId).startedTimes >= 6);
  exec(['echo', 'another'], { taskId, fence: 5 });
  await refused(taskId);
  expect(taskOf(taskId).refusal).toMatchObject({ code: 'conflict', fence: 5 });
  taskOf(taskId).refusal = undefined;
  exec(argv, { taskId, fence: 4 });
  await refused(taskId);
  expect(taskOf(taskId).refusal).toMatchObject({ code: 'conflict', fence: 4 });
  await settled(taskId);
  expect(readFileSync(marks, 'utf8')).toBe('x\n');
});

test('credit holds back output; a flood is frozen at the cap; both go on with the acks', {
  timeout: 60_000,
}, async () => {
  await start({ extra: 'spool_cap_bytes = 2097152', creditBytes: 256 * 1024 });
  fake.acknowledging = false;
  const flood = '$| = 1; for (1 .. 400) { print "x" x 50000; select undef, undef, undef, 0.002 }';
  const taskId = exec(['perl', '-e', flood]);
  await fake.until('all that credit allows', () => taskOf(taskId).stored.out === 256 * 1024);
  const size = (): number => readFileSync(join(bench.tasksDir, taskId, 'out')).length;
  let before = -1;
  // The task is held once its spool stands still.
  while (size() !== before) {
    before = size();
    await new Promise((done) => setTimeout(done, 400));
  }
  expect(before).toBeGreaterThan(2_000_000);
  expect(before).toBeLessThan(20_000_000);
  expect(taskOf(taskId).stored.out).toBe(256 * 1024);
  // A control frame is answered at once all the same.
  const asked = performance.now();
  fake.send({ type: 'session.ping', nonce: 77 });
  await fake.until('pong', () => fake.frames.some((frame) => frame.type === 'session.pong' && frame.nonce === 77));
  expect(performance.now() - asked).toBeLessThan(1_000);
  fake.acknowledging = true;
  const { out, err } = taskOf(taskId).stored;
  fake.send({ type: 'task.ack', taskId, out, err, credit: out + err + 256 * 1024 });
  await settled(taskId);
  expect(taskOf(taskId).result).toMatchObject({ outcome: 'exited', code: 0, out: { bytes: 20_000_000 } });
  expect(fake.faults).toEqual([]);
});

test('an ack for bytes that were never sent ends the link', async () => {
  await start();
  const taskId = exec(['sleep', '0.5']);
  await fake.until('started', () => taskOf(taskId).started !== undefined);
  fake.send({ type: 'task.ack', taskId, out: 1_000, err: 0, credit: 1_000_000 });
  await fake.until('refused', () =>
    fake.frames.some((frame) => frame.type === 'session.refused' && frame.code === 4105),
  );
});

test('a link that breaks in the middle resumes at the byte; many times', { timeout: 60_000 }, async () => {
  await start();
  const taskId = exec([
    'perl',
    '-e',
    '$| = 1; for (1 .. 3000) { print "line $_\\n"; select undef, undef, undef, 0.001 }',
  ]);
  for (const bytes of [2_000, 8_000, 15_000]) {
    await fake.until(`${bytes} bytes`, () => taskOf(taskId).stored.out > bytes);
    const { length } = fake.hellos;
    fake.breakLink();
    await fake.until('the next session', () => fake.hellos.length > length && fake.connected, 30_000);
  }
  await settled(taskId);
  const expected = Array.from({ length: 3000 }, (_, index) => `line ${index + 1}\n`).join('');
  expect(fake.output(taskId).out.toString()).toBe(expected);
  expect(fake.faults).toEqual([]);
});

test('a killed waiter: the task ends as indeterminate, with the output that there is', {
  timeout: 40_000,
}, async () => {
  await start();
  const taskId = exec(['sh', '-c', 'echo so far; sleep 600']);
  await fake.until('output', () => taskOf(taskId).stored.out > 0);
  const read = (name: string): string => readFileSync(join(bench.tasksDir, taskId, name), 'utf8');
  process.kill(Number(read('waiter').split(' ')[0]), 'SIGKILL');
  process.kill(-Number(/^pid=(\d+)/.exec(read('pid'))?.[1]), 'SIGKILL');
  await settled(taskId);
  expect(taskOf(taskId).result).toMatchObject({ outcome: 'indeterminate', out: { bytes: 7 } });
});

test('a task that the backend does not know is ended, and its slot is free', async () => {
  await start({ extra: 'max_concurrent_tasks = 1' });
  const taskId = exec(['sleep', '600']);
  await fake.until('started', () => taskOf(taskId).started !== undefined);
  (fake.tasks as Map<string, unknown>).delete(taskId);
  fake.breakLink();
  await fake.until('the next session', () => fake.hellos.length > 1 && fake.connected);
  const next = exec(['echo', 'free']);
  await settled(next);
  while (existsSync(join(bench.tasksDir, taskId))) await new Promise((done) => setTimeout(done, 10));
});

test('an agent that lost its state directory finds the tasks of before, and starts nothing twice', async () => {
  await start();
  const marks = join(bench.dir, 'marks');
  const taskId = exec(['sh', '-c', `echo x >> ${marks}; sleep 2; echo done`]);
  await fake.until('started', () => taskOf(taskId).started !== undefined);
  await bench.endGateway('SIGKILL');
  rmSync(join(bench.dir, 'state/journal'), { recursive: true });
  await bench.startGateway();
  await fake.until('HELLO lists it', () => fake.hellos.at(-1)?.tasks.some((line) => line.taskId === taskId) === true);
  await fake.until('its result', () => taskOf(taskId).result !== undefined);
  expect(taskOf(taskId).result).toMatchObject({ outcome: 'exited', code: 0, out: { bytes: 5 } });
  expect(readFileSync(marks, 'utf8')).toBe('x\n');
});

test('kill -9 between the intent and the start: reported as not started; the next dispatch runs it once', async () => {
  await start();
  const marks = join(bench.dir, 'marks');
  const argv = ['sh', '-c', `echo x >> ${marks}`];
  // A launcher that does not answer holds the agent between the two.
  await bench.endLauncher('SIGTERM');
  const held = new Set<Socket>();
  const silent = createServer((socket) => void held.add(socket));
  await new Promise<void>((done) => silent.listen(bench.launcherSocket, done));
  const taskId = exec(argv, { fence: 1 });
  await fake.until('accepted', () => taskOf(taskId).accepted);
  await bench.endGateway('SIGKILL');
  for (const socket of held) socket.destroy();
  await new Promise((done) => silent.close(done));
  await bench.startLauncher();
  await bench.startGateway();
  await refused(taskId);
  expect(taskOf(taskId).refusal).toMatchObject({ code: 'not_started', fence: 1 });
  expect(existsSync(marks)).toBe(false);
  exec(argv, { taskId, fence: 2 });
  await settled(taskId);
  expect(taskOf(taskId).result).toMatchObject({ outcome: 'exited', code: 0 });
  expect(readFileSync(marks, 'utf8')).toBe('x\n');
});

test('without a launcher a task is refused within seconds, and the next one runs when it is back', async () => {
  await start();
  await bench.endLauncher('SIGTERM');
  const taskId = exec(['true']);
  await refused(taskId);
  expect(taskOf(taskId).refusal).toMatchObject({
    code: 'start_failed',
    message: expect.stringContaining('launcher'),
    obstacle: { stage: 'launcher', errno: expect.stringMatching(/^E/), place: bench.launcherSocket },
  });
  // A restart that takes less than a second is not noticed by who waits.
  const patient = exec(['true']);
  await fake.until('accepted', () => taskOf(patient).accepted);
  await bench.startLauncher();
  await settled(patient);
  expect(taskOf(patient).result).toMatchObject({ outcome: 'exited', code: 0 });
});

test('a second agent on the same state directory is refused, with exit 64', async () => {
  await start();
  const second = spawnSync(
    process.execPath,
    [join(ROOT, 'cli/main.ts'), 'gateway', '--config', join(bench.dir, 'gateway.toml')],
    {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: bench.dir },
    },
  );
  expect(second.status).toBe(64);
  expect(second.stdout + second.stderr).toContain('VW_GATEWAY_ALREADY_RUNNING');
});

test('the local API: metrics, log level, and no more', async () => {
  await start();
  const url = `http://127.0.0.1:${bench.apiPort()}`;
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toMatch(/^viworks_part_up\{part="link"\} 1$/m);
  expect(metrics).toMatch(/^# TYPE viworks_tasks_finished_total counter$/m);
  expect((await fetch(`${url}/api/v1/log-level`, { method: 'PUT', body: '"debug"' })).status).toBe(200);
  expect((await fetch(`${url}/api/v1/log-level`, { method: 'PUT', body: 'loud' })).status).toBe(400);
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  expect(bench.log()).toContain('log level changed');
});
