import { expect, test } from 'vitest';
import { deadlinesFor } from './deadlines.ts';

test('on a LAN one lost SYN is survived, and a report with drops stays below four seconds', () => {
  const { connectMs, answerMs } = deadlinesFor(5);
  expect(connectMs).toBeGreaterThan(1_000 + 5);
  expect(connectMs + answerMs).toBeLessThan(4_000);
});

test('a slow line gets more time, within a bound', () => {
  expect(deadlinesFor(150).connectMs).toBeGreaterThan(deadlinesFor(5).connectMs + 1_000);
  expect(deadlinesFor(60_000)).toEqual({ connectMs: 5_000, answerMs: 5_000, canaryMs: 5_000 });
});

test('a round trip that was not measured allows for two losses', () => {
  expect(deadlinesFor(null).connectMs).toBeGreaterThan(3_000);
});
