// `viworks run` as a shell sees it, against a backend that runs real programs and breaks on demand.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type FakeBackend, startFakeBackend } from '../support/fake-backend.ts';
import { buildProgram, type Outcome, type Program, type Running, type RunOptions } from '../support/program.ts';

let program: Program;
let backend: FakeBackend;
beforeAll(async () => {
  program = buildProgram();
  backend = await startFakeBackend();
  writeFileSync(join(program.home, 'token'), backend.token, { mode: 0o600 });
});
afterAll(async () => {
  await backend[Symbol.asyncDispose]();
  program[Symbol.dispose]();
});
const running = new Set<Running>();
afterEach(() => {
  for (const { process } of running) process.kill('SIGKILL');
  running.clear();
});

const options = (more: RunOptions = {}): RunOptions => ({
  ...more,
  env: { VIWORKS_URL: backend.url, VIWORKS_TOKEN_FILE: join(program.home, 'token'), ...more.env },
});
const run = (argv: readonly string[], more?: RunOptions): Promise<Outcome> =>
  program.run(['run', ...argv], options(more));
const start = (argv: readonly string[], more?: RunOptions): Running => {
  const made = program.start(['run', ...argv], options(more));
  running.add(made);
  void made.outcome.finally(() => running.delete(made));
  return made;
};
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
// Deterministic noise: every byte value, no newline for megabytes, different at each offset.
const NOISE = `const {createHash}=require('node:crypto');let left=+process.argv[1],seed='x';const next=()=>{seed=createHash('sha512').update(seed).digest();return seed};(function go(){while(left>0){const b=Buffer.concat(Array.from({length:256},next)).subarray(0,left);left-=b.length;if(!process.stdout.write(b))return process.stdout.once('drain',go)}})()`;
const noise = (bytes: number): string[] => [process.execPath, '-e', NOISE, String(bytes)];
function noiseHash(bytes: number): string {
  const hash = createHash('sha256');
  let seed: string | Buffer = 'x';
  for (let left = bytes; left > 0; ) {
    seed = createHash('sha512').update(seed).digest();
    const part = seed.subarray(0, left);
    hash.update(part);
    left -= part.length;
  }
  return hash.digest('hex');
}

test('stdout and stderr arrive apart, byte for byte; the exit code is passed on', async () => {
  const outcome = await run(['gw1', '--', 'sh', '-c', String.raw`printf 'a\0\377b'; printf 'no\n' >&2; exit 7`]);
  expect(outcome).toMatchObject({ code: 7, stderr: 'no\n' });
  expect(outcome.stdout).toEqual(Buffer.from([0x61, 0, 0xff, 0x62]));
});

test('10 MB of noise arrive whole', async () => {
  const outcome = await run(['gw1', '--', ...noise(10_000_000)]);
  expect(outcome.stdout.length).toBe(10_000_000);
  expect([outcome.code, sha256(outcome.stdout), outcome.stderr]).toEqual([0, noiseHash(10_000_000), '']);
});

test('argv is passed as argv', async () => {
  const outcome = await run(['gw1', '--', 'printf', '[%s]', 'a b', '', '$HOME', "'", '--timeout', '--']);
  expect(outcome.stdout.toString()).toBe("[a b][][$HOME]['][--timeout][--]");
});

test('environment, directory, standard input and script', async () => {
  const env = await run(['gw1', '-e', 'A=1 2', '--env', 'B=', '-C', '/tmp', '--shell', '--', 'echo "$A|$B|$PWD"']);
  expect(env.stdout.toString()).toBe('1 2||/tmp\n');
  const stdin = await run(['gw1', '--stdin', '--', 'od', '-An', '-tx1'], { stdin: Buffer.from([0, 10, 255]) });
  expect(stdin.stdout.toString()).toBe(' 00 0a ff\n');
});

test('output is live', async () => {
  const made = start(['gw1', '--', 'sh', '-c', 'echo first; echo second >&2; exec sleep 60']);
  await made.seen(/first/);
  await made.seen(/second/, 'stderr');
  expect(made.process.exitCode).toBeNull();
});

test.each<[string, readonly string[], number, RegExp]>([
  ['a signal', ['gw1', '--', 'sh', '-c', 'kill -9 $$'], 137, /SIGKILL/],
  ['a timeout', ['gw1', '--timeout', '200ms', '--', 'sleep', '60'], 124, /timeout/],
  ['a policy', ['denied', '--', 'id'], 125, /denied/],
  ['an unknown gateway', ['unknown', '--', 'id'], 125, /unknown/],
  ['a program that is not there', ['gw1', '--', '/nonexistent'], 125, /ENOENT/],
  ['a gateway that stays offline', ['offline', '--ttl', '1s', '--', 'id'], 69, /offline for 1000 ms/],
  ['a full disk at the backend', ['failing', '--', 'id'], 69, /disk is full/],
  ['a command without --', ['gw1'], 64, /after --/],
  ['an odd duration', ['gw1', '--timeout', 'soon', '--', 'id'], 64, /--timeout/],
])('%s has its exit code and says why', async (_name, argv, code, words) => {
  const outcome = await run(argv);
  expect(outcome.code).toBe(code);
  expect(outcome.stderr).toMatch(words);
  expect(outcome.stderr).not.toMatch(/\n\s+at /);
});

test('who waits for a gateway that is offline is told at once, once, in a pipe too; then 69', async () => {
  const outcome = await run(['away', '--ttl', '1500ms', '--', 'id']);
  expect(outcome.code).toBe(69);
  expect(outcome.stderr.split('\n')).toEqual([
    expect.stringMatching(
      /^viworks: away is offline, last seen 3 min ago; waiting for it up to 1\.5 s \(--ttl changes/,
    ),
    expect.stringMatching(/^viworks: not started: nobody was there/),
    '',
  ]);
});

test('--detach does not call a refusal a success, and waits for nobody who is offline', async () => {
  const started = await run(['gw1', '--detach', '--', 'sh', '-c', 'exit 3']);
  expect([started.code, started.stdout.toString(), started.stderr]).toEqual([0, expect.stringMatching(/^\S+\n$/), '']);
  const refused = await run(['denied', '--detach', '--', 'id']);
  expect([refused.code, refused.stderr]).toEqual([125, expect.stringMatching(/policy/)]);
  expect(refused.stdout.toString()).toMatch(/^\S+\n$/);
  const from = performance.now();
  const kept = await run(['away', '--detach', '--ttl', '1h', '--', 'id']);
  expect(performance.now() - from).toBeLessThan(2_500);
  expect([kept.code, kept.stderr]).toEqual([
    0,
    expect.stringMatching(
      /^viworks: not started yet: away is offline, last seen 3 min ago; waiting for it up to 60 min/,
    ),
  ]);
});

// A backend that opens the stream of a command and then says no more than this, while its gateway is connected.
async function stalling(events: string) {
  const asked = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`: here\n\n${events}`);
      asked.resolve();
    } else response.end(JSON.stringify({ gatewayId: 'gw1', state: 'connected' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: asked.promise,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test.each([[[]], [['--json']]])('--detach %j over a stream that names no task ends as unreachable', async (more) => {
  await using mute = await stalling('');
  const outcome = await run(['gw1', '--detach', ...more, '--url', mute.url, '--', 'id']);
  expect([outcome.code, outcome.stdout.toString()]).toEqual([69, '']);
  expect(outcome.stderr).toMatch(/did not name its task within 3 s; it may still run: viworks tasks\n/);
});

test('--detach says what may run when it is left before the task has a name', async () => {
  await using mute = await stalling('');
  const made = start(['gw1', '--detach', '--url', mute.url, '--', 'id']);
  await mute.asked;
  // Most likely the stream is open by then; when it is not, the words have to be the same.
  setTimeout(() => made.process.kill('SIGTERM'), 500);
  expect(await made.outcome).toMatchObject({
    code: 143,
    stderr: expect.stringMatching(/^viworks: left before.*tasks\n$/),
  });
});

test.each([[[]], [['--json']]])('--detach %j gives the id before the start is waited for', async (more) => {
  // A backend whose clock is an hour ahead: what is waited for is told by its clock alone.
  const createdAt = Date.now() + 3_600_000;
  const task = { taskId: 'task-1', gatewayId: 'gw1', state: 'sent', createdAt, expiresAt: createdAt + 60_000 };
  await using slow = await stalling(`event: command\ndata: ${JSON.stringify({ commandId: 'c-1', tasks: [task] })}\n\n`);
  const left = start(['gw1', '--detach', ...more, '--url', slow.url, '--', 'id']);
  await left.seen(/task-1.*\n/);
  left.process.kill('SIGINT');
  expect(await left.outcome).toMatchObject({ code: 130, stderr: '' });
  const stayed = await run(['gw1', '--detach', ...more, '--url', slow.url, '--', 'id']);
  expect(stayed.stdout.toString().match(/task-1/g)).toHaveLength(1);
  expect([stayed.code, stayed.stderr]).toEqual([0, expect.stringMatching(/not taken the command yet; .* up to 60 s/)]);
});

test('a backend that takes a request and says nothing is named after two seconds', async () => {
  const made = start(['silent', '--', 'id']);
  await made.seen(/accepted the connection but has not answered for 2 s; waiting up to 15 s/, 'stderr');
  made.process.kill('SIGINT');
  expect(await made.outcome).toMatchObject({ code: 130, stderr: expect.stringContaining('it may still run') });
});

test('a wrong token, a wrong URL and nobody there are told apart', async () => {
  writeFileSync(join(program.home, 'wrong'), 'wrong');
  const token = await run(['gw1', '--token-file', join(program.home, 'wrong'), '--', 'id']);
  expect([token.code, token.stderr]).toEqual([64, expect.stringContaining('refused the token')]);
  const nobody = await run(['gw1', '--url', 'http://127.0.0.1:1', '--', 'id']);
  expect([nobody.code, nobody.stderr]).toEqual([69, expect.stringContaining('ECONNREFUSED')]);
  const none = await program.run(['run', 'gw1', '--', 'id']);
  expect([none.code, none.stderr]).toEqual([64, expect.stringContaining('viworks up')]);
});

test('a stream that breaks again and again loses nothing', async () => {
  const outcome = await run(['gw1', '--env', 'FAKE_CUT=300000', '--', ...noise(3_000_000)]);
  expect([outcome.code, sha256(outcome.stdout), outcome.stderr]).toEqual([0, noiseHash(3_000_000), '']);
});

test('a backend that is killed in mid-stream and comes back loses nothing', async () => {
  const made = start([
    'gw1',
    '--',
    'sh',
    '-c',
    'for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo e$i >&2; sleep 0.1; done',
  ]);
  await made.seen(/2/);
  await backend.stop();
  await backend.listen();
  expect(await made.outcome).toMatchObject({
    code: 0,
    stdout: Buffer.from('1\n2\n3\n4\n5\n6\n7\n8\n9\n'),
    stderr: 'e1\ne2\ne3\ne4\ne5\ne6\ne7\ne8\ne9\n',
  });
});

test('a command whose answer is lost is made once', async () => {
  const before = backend.tasks.size;
  const outcome = await run(['gw1', '--env', 'FAKE_LOSE_FIRST_ANSWER=1', '--', 'echo', 'once']);
  expect([outcome.code, outcome.stdout.toString(), backend.tasks.size - before]).toEqual([0, 'once\n', 1]);
});

test('Ctrl-C cancels, waits for the end, and is 130', async () => {
  const made = start([
    'gw1',
    '--',
    'sh',
    '-c',
    "trap 'echo ended; exit 0' TERM; echo begun; while :; do sleep 0.05; done",
  ]);
  await made.seen(/begun/);
  made.process.kill('SIGINT');
  const outcome = await made.outcome;
  expect(outcome.code).toBe(130);
  expect(outcome.stdout.toString()).toBe('begun\nended\n');
  expect(outcome.stderr).toMatch(/cancelling.*\n.*cancelled/s);
});

test('a second Ctrl-C leaves and says that the task may still run', async () => {
  const made = start(['gw1', '--', 'sh', '-c', "trap '' TERM; echo begun; sleep 5"]);
  await made.seen(/begun/);
  made.process.kill('SIGINT');
  await made.seen(/Ctrl-C again/, 'stderr');
  made.process.kill('SIGINT');
  const outcome = await made.outcome;
  expect([outcome.code, outcome.stderr]).toEqual([130, expect.stringMatching(/may still run: viworks tasks show \S+/)]);
  const [task] = [...backend.tasks.values()].slice(-1);
  if (task?.child?.pid) process.kill(-task.child.pid, 'SIGKILL');
});

test('kill -9 of the CLI cancels nothing', async () => {
  const made = start(['gw1', '--', 'sh', '-c', 'echo begun; sleep 0.5; echo done']);
  await made.seen(/begun/);
  made.process.kill('SIGKILL');
  await made.outcome;
  const [task] = [...backend.tasks.values()].slice(-1);
  const id = task?.body.taskId ?? '';
  const logs = await program.run(['tasks', 'logs', '-f', id], options());
  expect([logs.code, logs.stdout.toString()]).toEqual([0, 'begun\ndone\n']);
});

test('a reader that goes away ends the task, as it would here', async () => {
  const made = start(['gw1', '--', 'sh', '-c', 'while echo yes; do :; done']);
  await made.seen(/yes/);
  made.process.stdout?.destroy();
  expect((await made.outcome).code).toBe(141);
  const [task] = [...backend.tasks.values()].slice(-1);
  expect(task?.cancelled).toBe(true);
});

test('--detach gives the id, and the task runs', async () => {
  const outcome = await run(['gw1', '--detach', '--', 'echo', 'apart']);
  const id = outcome.stdout.toString().trim();
  expect([outcome.code, backend.tasks.has(id)]).toEqual([0, true]);
});

test('--json gives every event as a line', async () => {
  const outcome = await run(['gw1', '--json', '--', 'sh', '-c', 'echo hi; exit 3']);
  const events = outcome.stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; data?: string });
  expect(outcome.code).toBe(3);
  expect(events.map(({ event }) => event)).toEqual(['command', 'output', 'exit']);
  expect(Buffer.from(events[1]?.data ?? '', 'base64').toString()).toBe('hi\n');
});
