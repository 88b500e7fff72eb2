import { expect, test } from 'vitest';
import { deadlinesFor } from './deadlines.ts';

const lan = { roundTripMs: 5, startMs: 20 };

test('on a LAN one lost SYN is survived, and a report with drops stays below four seconds', () => {
  const { connectMs, answerMs } = deadlinesFor(lan);
  expect(connectMs).toBeGreaterThan(1_000 + 5);
  expect(connectMs + answerMs).toBeLessThan(4_000);
});

test('a slow line gets more time, within a bound', () => {
  expect(deadlinesFor({ ...lan, roundTripMs: 150 }).connectMs).toBeGreaterThan(deadlinesFor(lan).connectMs + 1_000);
  expect(deadlinesFor({ roundTripMs: 60_000, startMs: 60_000 })).toEqual({ connectMs: 5_000, answerMs: 5_000 });
});

test('a busy host gets more time for an answer, and none for a SYN: the kernel answers that one', () => {
  const busy = deadlinesFor({ ...lan, startMs: 400 });
  expect(busy.answerMs).toBeGreaterThan(deadlinesFor(lan).answerMs + 1_000);
  expect(busy.connectMs).toBe(deadlinesFor(lan).connectMs);
});

test('where nothing was measured one lost SYN is survived on a line of half a second', () => {
  expect(deadlinesFor().connectMs).toBeGreaterThan(1_000 + 500);
});
