// Events survive any cut, any line ending, comments and multi-byte characters.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEventParser, type ServerEvent } from './event-stream.ts';

function parseAll(text: string, cuts: readonly number[] = []): ServerEvent[] {
  const bytes = Buffer.from(text);
  const parser = createEventParser();
  const marks = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return marks.slice(1).flatMap((end, index) => parser.push(bytes.subarray(marks[index], end)));
}

const SAMPLE =
  ': hello\n\nevent: output\nid: out:3,err:0\ndata: {"a":"ü€😀"}\n\nevent: state\r\ndata:x\r\ndata: y\r\n\r\ndata\n\nevent: empty\n\n';

test('fields, comments, several data lines, carriage returns', () => {
  expect(parseAll(SAMPLE)).toEqual([
    { name: 'output', data: '{"a":"ü€😀"}', id: 'out:3,err:0' },
    { name: 'state', data: 'x\ny', id: 'out:3,err:0' },
    { name: 'message', data: '', id: 'out:3,err:0' },
  ]);
});

test('an unfinished event is not given', () => {
  expect(parseAll('event: exit\ndata: {}\n')).toEqual([]);
});

test('however the bytes are cut, the events are the same', () => {
  const whole = parseAll(SAMPLE);
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 40 }), (cuts) => {
      expect(parseAll(SAMPLE, cuts)).toEqual(whole);
    }),
  );
});
