import { expect, test } from 'vitest';
import { createFakeClock } from '../../test/support/fake-clock.ts';
import { backoffMs, systemClock, withDeadline } from './clock.ts';

test.each([
  [0, 250],
  [1, 500],
  [3, 2_000],
  [7, 30_000],
  [500, 30_000],
])('back-off attempt %i is half of its ceiling when the dice say 0.5', (attempt, expected) => {
  expect(backoffMs(attempt, { baseMs: 500, capMs: 60_000, random: () => 0.5 })).toBe(expected);
});

test('a delay above 2^31-1 ms does not fire at once', async () => {
  let fired = false;
  const timer = systemClock.after(2 ** 31 + 5, () => {
    fired = true;
  });
  await systemClock.sleep(20);
  timer.cancel();
  expect(fired).toBe(false);
});

test('sleep ends with the reason of its signal', async () => {
  const controller = new AbortController();
  const sleeping = systemClock.sleep(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
});

test('a deadline ends work that does not listen', async () => {
  const clock = createFakeClock();
  const work = withDeadline(() => new Promise<never>(() => {}), { ms: 100, clock, onTimeout: () => new Error('late') });
  const outcome = expect(work).rejects.toThrow('late');
  await clock.advance(100);
  await outcome;
  expect(clock.pending()).toBe(0);
});

test('work inside its deadline gives its value and leaves no timer', async () => {
  const clock = createFakeClock();
  expect(await withDeadline(async () => 7, { ms: 100, clock, onTimeout: () => new Error('late') })).toBe(7);
  expect(clock.pending()).toBe(0);
});
