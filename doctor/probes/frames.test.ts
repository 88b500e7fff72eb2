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

test.each([
  ['endless words of a login script', 'login noise without an end '.repeat(2_000)],
  ['a section that is announced larger than any may be', `\n@${nonce} big 0 99999999999\n${'x'.repeat(60_000)}`],
  ['a section that goes on behind its cap', `\n@${nonce} big 0 65536+\n${'x'.repeat(60_000)}`],
])('%s ends the round within a few MB', (_, first) => {
  const reader = createFrameReader(nonce);
  let pushed = 0;
  reader.push(Buffer.from(first));
  for (; !reader.flooded && pushed < 1000; pushed += 1) reader.push(Buffer.alloc(64 * 1024, 'y'));
  expect(reader.flooded).toBe(true);
  expect(pushed).toBeLessThan(200);
  expect(reader.push(Buffer.from(`\n@${nonce} end 0 0\n`))).toEqual([]);
  expect(reader.done).toBe(false);
});

test('a mark that comes in two pieces behind a long banner is seen', () => {
  const reader = createFrameReader(nonce);
  reader.push(Buffer.from(`${'banner '.repeat(5_000)}\n@${nonce.slice(0, 3)}`));
  expect(
    reader.push(Buffer.from(`${nonce.slice(3)} one 0 2\nok\n@${nonce} end 0 0\n`)).map((item) => item.text),
  ).toEqual(['ok']);
  expect(reader.noise.startsWith('banner banner')).toBe(true);
});
