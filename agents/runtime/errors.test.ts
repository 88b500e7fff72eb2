import { expect, test } from 'vitest';
import { defineErrors, describe as describeError, fromUnknown, isAbort, ViworksError } from './errors.ts';

const errors = defineErrors({
  VW_TEST_FULL: { message: '{path} is full', hint: 'free space: df -h {path}', retry: 'later', exitCode: 11 },
  VW_TEST_PLAIN: { message: 'plain', hint: 'none', retry: 'never' },
});

test('a row becomes an error with its fields filled in', () => {
  const error = errors.create('VW_TEST_FULL', { path: '/var' });
  expect(error).toMatchObject({
    code: 'VW_TEST_FULL',
    message: '/var is full',
    hint: 'free space: df -h /var',
    exitCode: 11,
  });
  expect(errors.create('VW_TEST_PLAIN').exitCode).toBe(1);
});

test('a field that was not given stays visible instead of reading "undefined"', () => {
  expect(errors.create('VW_TEST_FULL').message).toBe('{path} is full');
});

test('the cause is kept and a ViworksError passes through fromUnknown', () => {
  const cause = new Error('ENOSPC');
  const error = errors.create('VW_TEST_FULL', { path: '/' }, cause);
  expect(error.cause).toBe(cause);
  expect(fromUnknown(error)).toBe(error);
});

test.each([
  [new Error('boom'), 'boom'],
  ['text', 'text'],
  [new AggregateError([new Error('a'), new Error('b')]), 'a; b'],
  [
    new Error('not verified; if the root CA is installed locally, try running Node.js with --use-system-ca'),
    'not verified',
  ],
])('anything else is a bug that carries the original: %s', (thrown, what) => {
  const error = fromUnknown(thrown);
  expect(error).toBeInstanceOf(ViworksError);
  expect(error.code).toBe('VW_RUNTIME_BUG');
  expect(error.exitCode).toBe(70);
  expect(error.message).toContain(what);
  expect(describeError(thrown)).toBe(what);
});

test('an abort is recognised however it is dressed', () => {
  expect(isAbort(AbortSignal.abort().reason)).toBe(true);
  expect(isAbort(Object.assign(new Error('x'), { code: 'ABORT_ERR' }))).toBe(true);
  expect(isAbort(new Error('x'))).toBe(false);
});
