// What the operator reads when something fails.
import { expect, test } from 'vitest';
import { runtimeErrors } from '../agents/runtime/index.ts';
import { renderFailure } from './failure.ts';

const plain = { colour: false, debug: false };

test('message, remedy, exit code and the code to look up', () => {
  const error = runtimeErrors.create('VW_RUNTIME_NO_TARGET');
  expect(renderFailure(error, plain)).toEqual({ code: 64, text: expect.any(String) });
  expect(renderFailure(error, plain).text.split('\n')).toEqual([
    'viworks: no backend to talk to: neither a context nor a URL is known',
    expect.stringMatching(/^ {2}remedy: start one here with `viworks up`/),
    'exit 64 (VW_RUNTIME_NO_TARGET)',
    '',
  ]);
});

test('the problems of a configuration stand at their places', () => {
  const error = runtimeErrors.create('VW_RUNTIME_CONFIG', {
    problems: 'a.toml:1:2  x: unknown key\n  remedy: y',
    remedied: true,
  });
  expect(renderFailure(error, plain).text).toBe(
    'a.toml:1:2  x: unknown key\n  remedy: y\nexit 64 (VW_RUNTIME_CONFIG)\n',
  );
  const bare = runtimeErrors.create('VW_RUNTIME_CONFIG', { problems: 'a.toml:1:2  x: missing' });
  expect(renderFailure(bare, plain).text).toMatch(/remedy: correct the lines/);
});

test('a bug says so, is 70, and shows its trace only on demand', () => {
  const bug = new TypeError('x is not a function');
  const { code, text } = renderFailure(bug, plain);
  expect(code).toBe(70);
  expect(text).toMatch(/^viworks: this is a bug in viworks .*: x is not a function\n {2}remedy: .*VIWORKS_DEBUG=1/);
  expect(text).not.toContain('    at ');
  expect(renderFailure(bug, { ...plain, debug: true }).text).toContain('    at ');
});

test('causes are part of the trace', () => {
  const error = runtimeErrors.create('VW_RUNTIME_NO_TARGET', {}, new Error('deep down'));
  expect(renderFailure(error, { ...plain, debug: true }).text).toMatch(/caused by: Error: deep down/);
});

test('colour is for the first line only', () => {
  const { text } = renderFailure(runtimeErrors.create('VW_RUNTIME_NO_TARGET'), { ...plain, colour: true });
  expect(text.split('\n').map((line) => line.includes('\u001b'))).toEqual([true, false, false, false]);
});
