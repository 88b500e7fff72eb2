// A command through API, backend, session, gateway, launcher and a real process, and all of its bytes back.
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SystemBench, startSystem } from '../support/system-bench.ts';

let system: SystemBench;
const exec = (...argv: string[]): { verb: string; args: { argv: string[] }; gateways: string[] } => ({
  verb: 'exec',
  args: { argv },
  gateways: ['gw1'],
});
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

beforeAll(async () => {
  system = await startSystem();
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

test('10 MB of random bytes on stdout and text on stderr arrive byte for byte, each in order; exit 7 comes back as 7', async () => {
  const bytes = randomBytes(10_000_000);
  const file = join(system.gateway.dir, 'random');
  writeFileSync(file, bytes);
  const script = 'i=0; while [ $i -lt 200 ]; do echo "line $i" >&2; i=$((i+1)); done & cat "$1"; wait; exit 7';
  const { out, err, task } = await system.stream(exec('sh', '-c', script, 'sh', file));
  expect(sha256(out)).toBe(sha256(bytes));
  expect(err.toString()).toBe(Array.from({ length: 200 }, (_, line) => `line ${line}\n`).join(''));
  expect(task.end).toMatchObject({ outcome: 'exited', code: 7, out: { bytes: 10_000_000, sha256: sha256(bytes) } });
});

test('a line of 2 MB without an end, NULs and bytes that are no UTF-8 pass', async () => {
  const long = await system.stream(exec('sh', '-c', "head -c 2000000 /dev/zero | tr '\\0' x"));
  expect(long.out.equals(Buffer.alloc(2_000_000, 'x'))).toBe(true);
  const odd = await system.stream(exec('printf', '\\000\\377\\376\\303\\050\\r\\n\\033[31m\\000'));
  expect(odd.out).toEqual(Buffer.from('\0\xff\xfe\xc3(\r\n\x1b[31m\0', 'latin1'));
});

test('200 times echo hi: 200 outputs', async () => {
  for (let round = 0; round < 20; round++) {
    const results = await Promise.all(Array.from({ length: 10 }, () => system.stream(exec('echo', 'hi'))));
    expect(results.map(({ out }) => out.toString())).toEqual(Array.from({ length: 10 }, () => 'hi\n'));
    expect(results.every(({ task }) => task.state === 'finished')).toBe(true);
  }
});

test('arguments, environment, folder and stdin reach the program as they were given', async () => {
  const { out } = await system.stream({
    ...exec('sh', '-c', 'printf "%s\\n" "$@"; echo "$COLOUR"; pwd; cat', 'sh', 'a b', '$HOME', "it's"),
    env: { COLOUR: 'blue' },
    cwd: '/usr',
    stdin: Buffer.from('from stdin\0\xff', 'latin1').toString('base64'),
  });
  expect(out.toString('latin1')).toBe("a b\n$HOME\nit's\nblue\n/usr\nfrom stdin\0\xff");
});

test('output is seen while the program still runs', async () => {
  const before = performance.now();
  const response = await fetch(`${system.api}/health`);
  expect(response.status).toBe(200);
  const taskId = await system.submit(exec('sh', '-c', 'echo first; sleep 3; echo last'));
  let stored = 0;
  while (stored === 0) stored = (await system.task(taskId)).out.stored;
  expect(performance.now() - before).toBeLessThan(2_900);
  expect((await system.finished(taskId)).out.toString()).toBe('first\nlast\n');
});

test('what cannot run says why, and is not a run', async () => {
  const { task } = await system.stream(exec('/no/such/program'));
  expect(task.end).toMatchObject({ outcome: 'refused', refusal: 'start_failed' });
});

test('a timeout ends the task and says so', async () => {
  const { task, out } = await system.stream({
    ...exec('sh', '-c', 'echo on; sleep 600'),
    timeoutMs: 400,
    graceMs: 500,
  });
  expect(task.end).toMatchObject({ outcome: 'timed_out', signal: 'SIGTERM' });
  expect(out.toString()).toBe('on\n');
});

test('the built-in verbs', async () => {
  const canary = await system.stream({ verb: 'canary', args: { bytes: 70_000 }, gateways: ['gw1'] });
  expect(canary.out).toHaveLength(70_000);
  expect(canary.err.toString().trim()).toBe(sha256(canary.out));
  const health = await system.stream({ verb: 'get_system_health', args: {}, gateways: ['gw1'] });
  expect(JSON.parse(health.out.toString())).toMatchObject({ cores: expect.any(Number), memory: expect.any(Object) });
  const shell = await system.stream({
    verb: 'shell',
    args: { script: `x=1 # ${'é'.repeat(70_000)}\necho $((x+1))` },
    gateways: ['gw1'],
  });
  expect(shell.out.toString()).toBe('2\n');
});

test('health is honest: red when the link is down', async () => {
  const health = async (): Promise<{
    status: number;
    body: { status: string; parts: Record<string, { state: string }> };
  }> => {
    const response = await fetch(`http://127.0.0.1:${system.gateway.apiPort()}/api/v1/health`);
    return { status: response.status, body: (await response.json()) as never };
  };
  expect(await health()).toMatchObject({ status: 200, body: { status: 'healthy' } });
  await system.endBackend('SIGKILL');
  let seen = await health();
  while (seen.status === 200) seen = await health();
  expect(seen).toMatchObject({ status: 503, body: { status: 'unhealthy', parts: { link: { state: 'down' } } } });
  await system.startBackend();
  await system.connected();
  while (seen.status !== 200) seen = await health();
});
