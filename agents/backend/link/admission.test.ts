import { expect, test } from 'vitest';
import { createFakeClock } from '../../../test/support/fake-clock.ts';
import { createAdmission } from './admission.ts';

test('a burst is let in, the rest comes back later', async () => {
  const clock = createFakeClock();
  const admission = createAdmission(clock);
  const verdicts = Array.from({ length: 1_001 }, () => admission.judge('192.0.2.1', 0));
  expect(verdicts.filter((verdict) => verdict === 'admit')).toHaveLength(1_000);
  expect(verdicts.at(-1)).toBe('busy');
  await clock.advance(10);
  expect(admission.judge('192.0.2.1', 0)).toBe('admit');
});

test('handshakes under way are capped', () => {
  expect(createAdmission(createFakeClock()).judge('192.0.2.1', 2_000)).toBe('busy');
});

test('an address with many wrong signatures waits; others do not', async () => {
  const clock = createFakeClock();
  const admission = createAdmission(clock);
  for (let index = 0; index < 50; index++) admission.badHello('192.0.2.1');
  expect(admission.judge('192.0.2.1', 0)).toBe('blocked');
  expect(admission.judge('192.0.2.2', 0)).toBe('admit');
  await clock.advance(10_000);
  expect(admission.judge('192.0.2.1', 0)).toBe('admit');
});
