// Parsers of /proc by captured text, good and broken.
import { expect, test } from 'vitest';
import { cpuFraction, parseCpuTimes, parseLoad, parseMemoryUsed, parseUptime } from './proc.ts';

const STAT = 'cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 100 0 50 800 50 0 0 0 0 0\nintr 1\n';

test('CPU times, with iowait as idle', () => {
  expect(parseCpuTimes(STAT)).toEqual({ total: 1000, idle: 850 });
  expect(parseCpuTimes('')).toBeUndefined();
  expect(parseCpuTimes('cpu a b c d e\n')).toBeUndefined();
});

test.each([
  [{ total: 1000, idle: 850 }, { total: 1100, idle: 900 }, 0.5],
  [{ total: 1000, idle: 850 }, { total: 1000, idle: 850 }, 0],
  [{ total: 1000, idle: 850 }, { total: 900, idle: 800 }, 0],
  [{ total: 0, idle: 0 }, { total: 10, idle: 20 }, 0],
])('fraction from %j to %j is %d', (before, after, fraction) => {
  expect(cpuFraction(before, after)).toBe(fraction);
});

test.each([
  ['MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:  250 kB\n', 0.75],
  ['MemTotal: 1000 kB\n', 0],
  ['', 0],
])('memory of %j', (text, used) => {
  expect(parseMemoryUsed(text)).toBe(used);
});

test('load and uptime', () => {
  expect(parseLoad('0.52 0.58 0.59 1/389 12345\n')).toBe(0.52);
  expect(parseLoad('nonsense')).toBe(0);
  expect(parseUptime('3082.71 5000.00\n')).toBe(3082);
  expect(parseUptime('')).toBe(0);
});
