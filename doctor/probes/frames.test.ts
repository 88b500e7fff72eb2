// The frames of a round: whatever arrives in whatever pieces, and whatever a host prints around it.
import { expect, test } from 'vitest';
import { createFrameReader, type SectionOutput } from './frames.ts';

const nonce = 'c0ffee';
const frame = (id: string, text: string, rc = 0, size = `${Buffer.byteLength(text)}`): string =>
  `\n@${nonce} ${id} ${rc} ${size}\n${text}`;
const end = `\n@${nonce} end 0 0\n`;

function readAll(text: string, piece = text.length): { sections: SectionOutput[]; done: boolean; noise: string } {
  const reader = createFrameReader(nonce);
  const sections: SectionOutput[] = [];
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += piece) sections.push(...reader.push(bytes.subarray(at, at + piece)));
  return { sections, done: reader.done, noise: reader.noise };
}

const whole = `${frame('a', 'one\ntwo')}${frame('b', '', 3)}${frame('c', 'Zürich')}${end}`;
const expected = [
  { id: 'a', rc: 0, text: 'one\ntwo', truncated: false },
  { id: 'b', rc: 3, text: '', truncated: false },
  { id: 'c', rc: 0, text: 'Zürich', truncated: false },
];

test.each([1, 2, 3, 7, 64, 10_000])('sections come out whole from pieces of %i bytes', (piece) => {
  expect(readAll(whole, piece)).toEqual({ sections: expected, done: true, noise: '' });
});

test('a banner before the first frame is noise, not a section', () => {
  const read = readAll(`Welcome to host!\nPassword expires soon\n${whole}`);
  expect(read.sections).toEqual(expected);
  expect(read.noise).toBe('Welcome to host!\nPassword expires soon\n');
});

test('a section is given as soon as its bytes are there, while the next one still runs', () => {
  const read = readAll(frame('a', 'one'));
  expect(read.sections).toEqual([{ id: 'a', rc: 0, text: 'one', truncated: false }]);
  expect(read.done).toBe(false);
});

test('half a section is not given', () => {
  expect(readAll(`\n@${nonce} a 0 10\nhalf`).sections).toEqual([]);
});

test('output that was capped on the host is marked', () => {
  const read = readAll(`${frame('a', 'xxxx', 0, '4+')}${end}`);
  expect(read.sections).toEqual([{ id: 'a', rc: 0, text: 'xxxx', truncated: true }]);
});

test('a frame of another nonce is text', () => {
  const text = '\n@f00 a 0 3\nfoo';
  expect(readAll(`${frame('a', text)}${end}`).sections[0]?.text).toBe(text);
});

test('a length that does not fit what came marks the section', () => {
  // bash in a UTF-8 locale counts characters; the next frame still begins where it begins.
  const read = readAll(`${frame('a', 'Zürich', 0, '99')}${frame('b', 'x')}${end}`);
  expect(read.sections.map(({ id, truncated }) => [id, truncated])).toEqual([
    ['a', true],
    ['b', false],
  ]);
});
