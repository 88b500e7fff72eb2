// Durations as people write them, and what is refused.
import { expect, test } from 'vitest';
import { parseDuration, renderSpan } from './duration.ts';

const option = { flag: '--timeout', command: 'viworks run' };

test.each([
  ['0', 0],
  ['30', 30_000],
  ['1.5', 1_500],
  ['500ms', 500],
  ['30s', 30_000],
  [' 5m ', 300_000],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  ['30d', 2_592_000_000],
  ['0.25s', 250],
])('%s', (text, ms) => {
  expect(parseDuration(text, option)).toBe(ms);
});

test.each(['', 's', '-5s', '5x', '5 s', '1e3', 'five', '5m3', 'NaN', 'Infinity', '31d', '99999999999'])(
  '%j is refused with the option named',
  (text) => {
    expect(() => parseDuration(text, option)).toThrow(/^--timeout: /);
  },
);

test.each([
  [0, '0.0 s'],
  [412, '0.4 s'],
  [12_300, '12 s'],
  [150_000, '3 min'],
  [8_000_000, '2 h'],
  [200_000_000, '2 d'],
])('%d ms reads %s', (ms, text) => {
  expect(renderSpan(ms)).toBe(text);
});
