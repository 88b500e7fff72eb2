// What is said about a text that is no TOML: where the mistake began, in plain words, with what to write instead.
import { expect, test } from 'vitest';
import { parseToml } from './toml.ts';

const FIRST = 'name = "x"\n';

test.each<[string, string, string, RegExp, RegExp]>([
  [
    'a text that is not closed',
    'a = "b\n[c]\nd = 1\n',
    '2:5',
    /unterminated string: the line ends/,
    /add " at its end/,
  ],
  ['one below a table', '[api]\nbind = "1\nport = 1\n', '3:8', /unterminated/, /"""/],
  ["one in single quotes after a comment's quote", "a = 'b\n", '2:5', /unterminated/, /add ' at its end/],
  ['a text that the file ends in', 'a = "b', '2:5', /unterminated string$/, /add " at its end/],
  ['a long text without an end', 'a = """b\n[c]\n', '2:5', /unterminated string$/, /add """ at its end/],
  ['a heading without its bracket', '[api\nport = 1\n', '2:1', /heading .* not closed/, /\[api\]/],
  ['a bracket too many', '[api]]\n', '2:6', /"\]" is not allowed here/, /KEY = VALUE/],
  [
    'a list without its bracket',
    'a = ["b", "c]"\nd = 1\n',
    '2:5',
    /list that begins here is not closed/,
    /\] at its end/,
  ],
  [
    'an inline table without its brace',
    'a = { b = 1\n',
    '2:5',
    /table that begins here is not closed/,
    /\} at its end/,
  ],
  ['a key twice', 'b = 1\nname = "y"\n', '3:1', /name is a duplicate key; first defined on line 1/, /remove one/],
  [
    'a table twice',
    '[a]\nb = 1\n[c]\n[a]\n',
    '5:2',
    /\[a\] is a duplicate table; first defined on line 2/,
    /one heading/,
  ],
  [
    'a table after its dotted key',
    'a.b = 1\n[a]\n',
    '3:2',
    /\[a\] is a duplicate table; first defined on line 2/,
    /one heading/,
  ],
  ['an escape that there is not', 'a = "b\\qc"\n', '2:7', /\\q is not a TOML escape sequence/, /\\\\/],
  ['a word without quotes', 'a = info # level\n', '2:5', /"info" is not a value/, /a = "info"/],
  ['a word that begins like a number', 'a = 10mb\n', '2:5', /"10mb" is not a value/, /a = "10mb"/],
  ['True', 'a = True\n', '2:5', /True is not a value/, /a = true/],
  ['null', 'a = null\n', '2:5', /TOML has no null/, /delete the line/],
  ['typographic quotes', 'a = “b”\n', '2:5', /typographic/, /straight/],
  ['no value', 'a =\n', '2:3', /a has no value/, /write one after =/],
  ['no =', 'a\n', '2:1', /"a" is neither KEY = VALUE/, /KEY = VALUE/],
  ['a colon', 'a: 1\n', '2:2', /joined by =/, /a = VALUE/],
  ['a comment of another language', '; a\n', '2:1', /comment begins with #/, /#/],
  ['two on a line', 'a = 1 b = 2\n', '2:7', /"b = 2" is not allowed here/, /one KEY = VALUE per line/],
  ['a number beyond all bounds', 'a = 99999999999999999999\n', '2:5', /too large/, /9007199254740991/],
  ['a leading zero', 'a = 0123\n', '2:5', /must not start with 0/, /0o/],
  ['a control character', 'a = "b\u0001"\n', '2:7', /U\+0001/, /\\u0001/],
])('%s', (_what, text, place, message, remedy) => {
  for (const whole of [FIRST + text, (FIRST + text).replaceAll('\n', '\r\n')]) {
    const parsed = parseToml(whole);
    if (parsed.ok) throw new Error('it was taken for TOML');
    const { problem } = parsed;
    expect(`${problem.place?.line}:${problem.place?.column}`).toBe(place);
    expect(problem.message).toMatch(message);
    expect(problem.remedy).toMatch(remedy);
  }
});

test('JSON is recognised', () => {
  expect(parseToml('{"a": 1}')).toMatchObject({
    ok: false,
    problem: { message: /JSON/, place: { line: 1, column: 1 } },
  });
});

test('a byte order mark is nothing, tabs and CRLF are blanks', () => {
  expect(parseToml('\uFEFFa = 1\r\n[b]\r\n\tc\t=\t2\r\n')).toMatchObject({
    ok: true,
    document: { values: { a: 1, b: { c: 2 } } },
  });
});
