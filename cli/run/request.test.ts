// What the operator typed → what is sent.
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { commandRequest, MAX_STDIN_BYTES, readStdin } from './request.ts';

const request = (rest: readonly string[], options = {}, stdin?: Buffer) =>
  commandRequest({ args: ['gw1'], rest, options }, stdin);

test('argv stays argv', () => {
  expect(request(['sh', '-c', 'echo "a b"; exit 3', '', '--timeout', '$HOME'])).toEqual({
    verb: 'exec',
    args: { argv: ['sh', '-c', 'echo "a b"; exit 3', '', '--timeout', '$HOME'] },
    gateways: ['gw1'],
    env: {},
  });
});

test('every option has its field', () => {
  const options = { timeout: '5m', grace: '2s', ttl: '1h', cwd: '/tmp', env: ['A=1', 'B=x=y', 'C='] };
  expect(request(['id'], options, Buffer.from([0, 255]))).toMatchObject({
    timeoutMs: 300_000,
    graceMs: 2_000,
    ttlMs: 3_600_000,
    cwd: '/tmp',
    env: { A: '1', B: 'x=y', C: '' },
    stdin: 'AP8=',
  });
});

test('a script is one word', () => {
  expect(request(['date; uname'], { shell: true })).toMatchObject({ verb: 'shell', args: { script: 'date; uname' } });
});

test('verbs take named arguments, JSON where it is JSON', () => {
  expect(request([], { verb: 'canary', arg: ['bytes=64'] })).toMatchObject({ verb: 'canary', args: { bytes: 64 } });
  expect(request([], { verb: 'v', arg: ['services=["a"]', 'name=plain text'] }).args).toEqual({
    services: ['a'],
    name: 'plain text',
  });
});

test.each<[string, readonly string[], Record<string, unknown>, RegExp]>([
  ['nothing to run', [], {}, /after --/],
  ['a script in several words', ['a', 'b'], { shell: true }, /one word/],
  ['a verb with a command', ['a'], { verb: 'canary' }, /--arg/],
  ['an argument without a verb', ['a'], { arg: ['x=1'] }, /--verb/],
  ['a variable without a value', ['a'], { env: ['A'] }, /NAME=VALUE/],
  ['a variable without a name', ['a'], { env: ['=1'] }, /NAME=VALUE/],
  ['an odd name', ['a'], { env: ['a-b=1'] }, /a-b/],
  ['an odd duration', ['a'], { timeout: 'soon' }, /--timeout/],
  ['an empty command', [''], {}, /empty/],
  ['a directory of nowhere', ['a'], { cwd: 'x' }, /--cwd: x is not an absolute path/],
  ['no time to arrive', ['a'], { ttl: '0' }, /--ttl: 0 would be over/],
])('%s is a usage error', (_name, rest, options, message) => {
  expect(() => request(rest, options)).toThrow(message);
});

test('an interrupt ends the reading', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const reading = readStdin(new Readable({ read() {} }), controller.signal);
  controller.abort(reason);
  await expect(reading).rejects.toBe(reason);
});

test('standard input is read to its end, and no further than the limit', async () => {
  expect(await readStdin(Readable.from([Buffer.from('a'), Buffer.from('b')]))).toEqual(Buffer.from('ab'));
  const large = Readable.from([Buffer.alloc(MAX_STDIN_BYTES), Buffer.alloc(1)]);
  await expect(readStdin(large)).rejects.toMatchObject({ code: 'VW_CLI_STDIN_TOO_LARGE', exitCode: 64 });
});
