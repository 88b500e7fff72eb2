import { expect, test } from 'vitest';
import { runtimeErrors } from './errors.ts';
import { interruptCode } from './interrupt.ts';

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])('%s ends with %i', (signal, code) => {
  expect(interruptCode(AbortSignal.abort(runtimeErrors.create('VW_RUNTIME_INTERRUPTED', { signal })))).toBe(code);
});

test('a reason that is no signal ends as Ctrl-C does', () => {
  expect(interruptCode(AbortSignal.abort(new Error('x')))).toBe(130);
});
