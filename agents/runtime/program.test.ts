import { expect, test } from 'vitest';
import { createFakeClock } from '../../test/support/fake-clock.ts';
import { runtimeErrors } from './errors.ts';
import { silentLogger } from './log.ts';
import type { Notifier } from './notify.ts';
import { runProgram } from './program.ts';

function recordingNotifier(watchdogMs?: number): Notifier & { said: string[] } {
  const said: string[] = [];
  return {
    said,
    watchdogMs,
    ready: () => void said.push('ready'),
    stopping: () => void said.push('stopping'),
    status: (text) => void said.push(text),
    watchdog: () => void said.push('watchdog'),
  };
}

const forever = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

test('drains on the first signal, then stops, then closes in reverse order', async () => {
  const clock = createFakeClock();
  const notifier = recordingNotifier();
  const controller = new AbortController();
  const order: string[] = [];
  const program = runProgram({
    signal: controller.signal,
    clock,
    logger: silentLogger,
    notifier,
    drainMs: 1_000,
    compose: async (scope) => {
      scope.add('store', () => void order.push('store closed'));
      return { loops: [{ name: 'loop', run: forever }], drain: async () => void order.push('drained') };
    },
  });
  await clock.advance(1);
  controller.abort();
  expect(await program).toBe(0);
  expect(order).toEqual(['drained', 'store closed']);
  expect(notifier.said).toEqual(['stopping']);
});

test('a drain that hangs is stopped at its deadline', async () => {
  const clock = createFakeClock();
  const controller = new AbortController();
  const program = runProgram({
    signal: controller.signal,
    clock,
    logger: silentLogger,
    notifier: recordingNotifier(),
    drainMs: 1_000,
    compose: async () => ({ loops: [{ name: 'loop', run: forever }], drain: forever }),
  });
  await clock.advance(1);
  controller.abort();
  await clock.advance(1_000);
  expect(await program).toBe(0);
});

test('a failing start gives the exit code of its error and closes what was opened', async () => {
  let closed = false;
  const code = await runProgram({
    signal: new AbortController().signal,
    clock: createFakeClock(),
    logger: silentLogger,
    notifier: recordingNotifier(),
    drainMs: 1,
    compose: async (scope) => {
      scope.add('x', () => {
        closed = true;
      });
      throw runtimeErrors.create('VW_RUNTIME_CONFIG', { problems: 'x' });
    },
  });
  expect(code).toBe(64);
  expect(closed).toBe(true);
});

test('the watchdog is pinged from the event loop', async () => {
  const clock = createFakeClock();
  const notifier = recordingNotifier(500);
  const controller = new AbortController();
  const program = runProgram({
    signal: controller.signal,
    clock,
    logger: silentLogger,
    notifier,
    drainMs: 1,
    compose: async () => ({ loops: [{ name: 'loop', run: forever }], drain: async () => {} }),
  });
  await clock.advance(1_600);
  expect(notifier.said).toEqual(['watchdog', 'watchdog', 'watchdog']);
  controller.abort();
  await program;
});
