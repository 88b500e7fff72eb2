import { expect, test } from 'vitest';
import { type Attach, judgeAttach } from './conflict.ts';

function play(attaches: readonly [number, string][]): boolean[] {
  let history: readonly Attach[] = [];
  return attaches.map(([at, fingerprint]) => {
    const judged = judgeAttach(history, { at, fingerprint });
    history = judged.history;
    return judged.conflict;
  });
}

test.each<[string, [number, string][], boolean]>([
  [
    'one machine that reconnects',
    [
      [0, 'a'],
      [1, 'a'],
      [2, 'a'],
      [3, 'a'],
      [4, 'a'],
    ],
    false,
  ],
  [
    'a reinstallation',
    [
      [0, 'a'],
      [1, 'b'],
      [2, 'b'],
    ],
    false,
  ],
  [
    'two machines taking turns',
    [
      [0, 'a'],
      [1, 'b'],
      [2, 'a'],
      [3, 'b'],
    ],
    true,
  ],
  [
    'the same, slowly',
    [
      [0, 'a'],
      [30_000, 'b'],
      [61_000, 'a'],
      [95_000, 'b'],
    ],
    false,
  ],
])('%s', (_name, attaches, expected) => {
  expect(play(attaches).at(-1)).toBe(expected);
});
