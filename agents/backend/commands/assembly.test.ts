import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '../../protocol/index.ts';
import { createAssembly, type Piece } from './assembly.ts';

const piece = (offset: number, text: string): Piece => ({ offset, bytes: Buffer.from(text) });
const textOf = (pieces: readonly Piece[] | 'overflow'): string =>
  pieces === 'overflow' ? pieces : pieces.map(({ bytes }) => Buffer.from(bytes).toString()).join('|');

test.each<[string, [number, string][], string[], number]>([
  [
    'in order',
    [
      [0, 'ab'],
      [2, 'cd'],
    ],
    ['ab', 'cd'],
    4,
  ],
  [
    'a repetition',
    [
      [0, 'ab'],
      [0, 'ab'],
      [2, 'cd'],
    ],
    ['ab', '', 'cd'],
    4,
  ],
  [
    'an overlap',
    [
      [0, 'abc'],
      [1, 'bcde'],
    ],
    ['abc', 'de'],
    5,
  ],
  [
    'early',
    [
      [2, 'cd'],
      [0, 'ab'],
    ],
    ['', 'ab|cd'],
    4,
  ],
  [
    'early and overlapping',
    [
      [3, 'de'],
      [1, 'bcd'],
      [0, 'ab'],
    ],
    ['', '', 'ab|cd|e'],
    5,
  ],
  [
    'empty',
    [
      [0, ''],
      [0, 'a'],
    ],
    ['', 'a'],
    1,
  ],
])('%s', (_name, pieces, expected, next) => {
  const assembly = createAssembly(0);
  expect(pieces.map(([offset, text]) => textOf(assembly.add(piece(offset, text))))).toEqual(expected);
  expect(assembly.next).toBe(next);
});

test('it goes on from what is stored', () => {
  const assembly = createAssembly(10);
  expect(textOf(assembly.add(piece(5, 'abcdefgh')))).toBe('fgh');
});

test('a gap is recorded only as far as bytes are missing, and what waited behind it comes', () => {
  const assembly = createAssembly(3);
  assembly.add(piece(8, 'xyz'));
  expect(assembly.skip(2)).toEqual({ missing: undefined, appended: [] });
  const { missing, appended } = assembly.skip(8);
  expect(missing).toEqual({ from: 3, to: 8 });
  expect(textOf(appended)).toBe('xyz');
  expect(assembly.next).toBe(11);
});

test('what is held back is bounded', () => {
  const assembly = createAssembly(0);
  const big = new Uint8Array(limits.TASK_CREDIT_BYTES);
  expect(assembly.add({ offset: 1, bytes: big })).toEqual([]);
  expect(assembly.add({ offset: big.length + 5, bytes: new Uint8Array(1) })).toBe('overflow');
});

test('any order, repetition and overlap of pieces gives the same bytes once', () => {
  const cuts = fc.array(fc.tuple(fc.nat(300), fc.nat(60)), { maxLength: 40 });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), cuts, (whole, picks) => {
      const cover = picks.map(([from, length]) => ({ from: from % whole.length, length }));
      // Whatever was picked, in the end the whole is sent again from where it stands, as a gateway does after a reconnect.
      const assembly = createAssembly(0);
      const got: number[] = [];
      const take = (pieces: ReturnType<typeof assembly.add>): void => {
        if (pieces === 'overflow') throw new Error('overflow');
        for (const { offset, bytes } of pieces) {
          expect(offset).toBe(got.length);
          got.push(...bytes);
        }
      };
      for (const { from, length } of cover)
        take(assembly.add({ offset: from, bytes: whole.slice(from, from + length) }));
      take(assembly.add({ offset: 0, bytes: whole }));
      expect(got).toEqual([...whole]);
      expect(assembly.next).toBe(whole.length);
    }),
  );
});
