// The server's events → what a viewer is told: repeats dropped, overlaps cut, holes never hidden.
import { expect, test } from 'vitest';
import { understand } from './follow.ts';

const event = (name: string, data: unknown) => ({ name, data: JSON.stringify(data), id: undefined });
const output = (offset: number, text: string, stream = 'out') =>
  event('output', { taskId: 't', stream, offset, data: Buffer.from(text).toString('base64') });
const text = (given: ReturnType<typeof understand>): string => (given?.kind === 'output' ? given.bytes.toString() : '');

test('streams are counted apart', () => {
  const seen = { out: 0, err: 0 };
  expect(text(understand(output(0, 'abc'), seen))).toBe('abc');
  expect(text(understand(output(0, 'xy', 'err'), seen))).toBe('xy');
  expect(seen).toEqual({ out: 3, err: 2 });
});

test('what was seen is dropped, what overlaps is cut', () => {
  const seen = { out: 5, err: 0 };
  expect(understand(output(0, 'abcde'), seen)).toBeUndefined();
  expect(understand(output(3, 'defg'), seen)).toMatchObject({ kind: 'output', offset: 5, bytes: Buffer.from('fg') });
  expect(seen.out).toBe(7);
});

test('a hole is an error that is tried again, and moves nothing', () => {
  const seen = { out: 5, err: 0 };
  expect(() => understand(output(6, 'x'), seen)).toThrow(/from byte 5 to 6|jumped/);
  expect(seen.out).toBe(5);
});

test('a gap says what is lost, once', () => {
  const seen = { out: 5, err: 0 };
  const gap = event('gap', { taskId: 't', stream: 'out', from: 3, to: 9, reason: 'spool_lost' });
  expect(understand(gap, seen)).toEqual({ kind: 'gap', stream: 'out', from: 5, to: 9, reason: 'spool_lost' });
  expect(understand(gap, seen)).toBeUndefined();
  expect(text(understand(output(9, 'z'), seen))).toBe('z');
});

test('events of a newer server are skipped', () => {
  expect(understand(event('weather', { sunny: true }), { out: 0, err: 0 })).toBeUndefined();
});
