import { expect, test } from 'vitest';
import { median, quantile, renderRow } from './measure.ts';

test.each([
  [[3, 1, 2], 0.5, 2],
  [[5], 0.99, 5],
  [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9, 10],
])('quantile of %j at %d is %d', (samples, p, expected) => {
  expect(quantile(samples, p)).toBe(expected);
});

test('no samples give no figure', () => {
  expect(median([])).toBeNaN();
});

test('a row shows its ratio, and a row that was not measured its reason', () => {
  const base = { id: 'echo', work: 'echo hi', aim: 'small', notes: ['note'], skipped: undefined };
  const text = renderRow({
    ...base,
    ours: { name: 'viworks', unit: 'ms', samples: [4] },
    others: [{ name: 'floor', unit: 'ms', samples: [2] }],
  });
  expect(text).toContain('ratio 2.00');
  expect(text).toContain('aim: small');
  expect(renderRow({ ...base, ours: undefined, others: [], skipped: 'no nginx here' })).toContain(
    'not measured: no nginx here',
  );
});
