import { expect, test } from 'vitest';
import { parsePosition } from './stream.ts';

test.each<[string | undefined, { out: number; err: number } | undefined]>([
  ['out:3,err:0', { out: 3, err: 0 }],
  ['out:123456789012345,err:7', { out: 123456789012345, err: 7 }],
  ['out:1234567890123456,err:7', undefined],
  ['out:-1,err:0', undefined],
  ['3', undefined],
  ['', undefined],
  [undefined, undefined],
])('the position of %j is %j', (id, expected) => {
  expect(parsePosition(id)).toEqual(expected);
});
