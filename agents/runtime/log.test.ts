import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { runtimeErrors } from './errors.ts';
import { createLogger } from './log.ts';
import { RUNTIME_MESSAGES } from './messages.ts';
import { Secret } from './secret.ts';

function capture(): { stream: PassThrough; lines: () => Record<string, unknown>[] } {
  const stream = new PassThrough();
  const lines = () =>
    (stream.read()?.toString() ?? '')
      .split('\n')
      .filter(Boolean)
      .map((line: string) => JSON.parse(line));
  return { stream, lines };
}

test('one JSON line with a constant message and fields beside it', () => {
  const { stream, lines } = capture();
  createLogger({ level: 'info', stream, name: 'backend' })
    .child({ gateway: 'gw-1' })
    .info({ code: 'BE_HELLO_ACCEPTED', text: 'HELLO accepted' }, { session: 's' });
  expect(lines()).toEqual([
    expect.objectContaining({
      level: 'info',
      program: 'backend',
      event: 'BE_HELLO_ACCEPTED',
      msg: 'HELLO accepted',
      gateway: 'gw-1',
      session: 's',
    }),
  ]);
});

test('secrets do not reach the line', () => {
  const { stream, lines } = capture();
  createLogger({ level: 'info', stream }).info(
    { code: 'X_X', text: 'x' },
    {
      token: 'abc-secret',
      wrapped: new Secret('abc-secret'),
      auth: { password: 'abc-secret' },
    },
  );
  expect(JSON.stringify(lines())).not.toContain('abc-secret');
});

test('the level changes while it runs', () => {
  const { stream, lines } = capture();
  const logger = createLogger({ level: 'warn', stream });
  logger.info({ code: 'X_QUIET', text: 'quiet' });
  logger.setLevel('debug');
  logger.debug({ code: 'X_LOUD', text: 'loud' });
  expect(lines().map((line) => line.msg)).toEqual(['loud']);
});

test('a failure of the system has its errno beside its sentence', () => {
  const { stream, lines } = capture();
  const full = Object.assign(new Error('in whatever words'), { code: 'ENOSPC' });
  const error = runtimeErrors.create('VW_RUNTIME_LOOP_ENDED', { loop: 'x' }, full);
  createLogger({ level: 'info', stream }).failure(RUNTIME_MESSAGES.programEnds, error);
  expect(lines()).toEqual([expect.objectContaining({ errno: 'ENOSPC' })]);
});

test('a failure is one line with code, reason and hint', () => {
  const { stream, lines } = capture();
  createLogger({ level: 'info', stream }).failure(
    RUNTIME_MESSAGES.programEnds,
    runtimeErrors.create('VW_RUNTIME_LOOP_ENDED', { loop: 'x' }),
  );
  expect(lines()).toEqual([
    expect.objectContaining({
      level: 'error',
      event: 'RT_PROGRAM_ENDS',
      code: 'VW_RUNTIME_LOOP_ENDED',
      reason: 'the loop x ended unexpectedly',
    }),
  ]);
});
