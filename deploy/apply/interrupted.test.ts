// What is said about each host when somebody ends a deploy early.
import { expect, test } from 'vitest';
import { runtimeErrors } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { describeInterrupt, interruptedResult, nothingReached } from './interrupted.ts';

test('before the switch, nothing live was changed', () => {
  expect(describeInterrupt(nothingReached())).toBe('interrupted: nothing live was changed');
});

test('after the switch, who stays and who goes back, and the next command', () => {
  const reached = nothingReached();
  for (const host of ['be1', 'gw1']) reached.switched.add(host);
  expect(describeInterrupt(reached)).toMatch(
    /^interrupted · switched, rolling back automatically now: be1, gw1\n.*deploy status/,
  );
  reached.committed.add('be1');
  expect(describeInterrupt(reached)).toMatch(
    /^interrupted · committed: be1 · switched, rolling back automatically now: gw1\n/,
  );
  const leaving = { ...nothingReached(), removing: new Set(['gw1', 'be1']), removed: new Set(['gw1']) };
  expect(describeInterrupt(leaving)).toMatch(
    /removed from: gw1 · removing, carried to its end by the host: be1\n.*deploy remove$/,
  );
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])('%s ends with %d', (signal, code) => {
  const reason = runtimeErrors.create('VW_RUNTIME_INTERRUPTED', { signal });
  const context = { signal: AbortSignal.abort(reason), reached: nothingReached() };
  const result = { exitCode: code, interrupted: true, summary: 'interrupted: nothing live was changed' };
  expect(interruptedResult(reason, context)).toEqual(result);
});

test('what was settled before the interrupt stays the end, and without one nothing was interrupted', () => {
  const detail = { host: 'be1', what: 'verification', reason: 'no answer' };
  const rolledBack = deployErrors.create('VW_DEPLOY_ROLLED_BACK', detail);
  const held = deployErrors.create('VW_DEPLOY_HOLD', detail);
  const context = { signal: AbortSignal.abort(), reached: nothingReached() };
  for (const error of [rolledBack, held]) expect(interruptedResult(error, context)).toBeUndefined();
  const failed = deployErrors.create('VW_DEPLOY_HOST_FAILED', detail);
  expect(interruptedResult(failed, context)).toMatchObject({ exitCode: 130 });
  expect(interruptedResult(failed, { ...context, signal: new AbortController().signal })).toBeUndefined();
});
