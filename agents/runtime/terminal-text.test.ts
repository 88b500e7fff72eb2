// No text reaches a terminal, a file or a CI log as a command to it, whoever said it; bytes of a task stay as they are.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rewriting, screenOf, terminalText, visibleText } from './terminal-text.ts';

const steering = [
  ['ESC', '\u001b[2J'],
  ['OSC 52', '\u001b]52;c;aGk=\u0007'],
  ['DCS', '\u001bPtmux;x\u001b\\'],
  ['C1 CSI', '\u009b31m'],
  ['C1 OSC', '\u009d0;title\u009c'],
  ['backspace', 'abc\b\b\bxyz'],
  ['CR', 'good\rbad'],
  ['NUL', 'a\u0000b'],
  ['DEL', 'a\u007fb'],
  ['right-to-left override', 'a\u202eb'],
  ['isolates', 'a\u2066b\u2069'],
  ['marks of direction', '\u200e\u200f\u061c'],
  ['separators', 'a\u2028b\u2029c'],
  ['zero width', 'a\u200bb\ufeffc'],
  ['tags', 'a\u{e0041}b'],
  ['conceal', '\u001b[8mhidden\u001b[0m'],
] as const;
const bad = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\udb40/;

test.each(steering)('%s is shown', (_, text) => {
  expect(terminalText(text, false)).not.toMatch(bad);
  expect(terminalText(text, false)).toContain('\\u');
  expect(terminalText(text, true).replaceAll('\u001b[0m', '')).not.toMatch(bad);
  expect(visibleText(text)).not.toMatch(bad);
  // A document stays the same document.
  const document = JSON.stringify({ text });
  expect(JSON.parse(terminalText(document, false))).toEqual({ text });
  expect(terminalText(document, false)).not.toMatch(bad);
});

test('our own styles stay where colour is allowed, and nowhere else', () => {
  const text = '\u001b[1mviworks\u001b[22m \u001b[31mbad\u001b[0m\n';
  expect(terminalText(text, true)).toBe(text);
  expect(terminalText(text, false)).not.toContain('\u001b');
});

test.each([
  '::error::x',
  '  ::warning file=a,line=1::x',
  '::set-output name=a::b',
  'x ##[error]y',
  '##[group]a',
  '##vso[task.setvariable variable=a]b',
  "##teamcity[message text='x']",
])('%s is no command to a runner', (command) => {
  for (const text of [command, `first\n${command}`, `first\r\n${command}`]) {
    const shown = terminalText(text, false);
    expect(shown).not.toMatch(/^\s*::[a-z]/m);
    expect(shown).not.toMatch(/##(\[|vso\[|teamcity\[)/);
  }
});

test.each([
  '::1 is listening',
  'url = "https://[::1]:8080/"',
  'grüße, 日本語 👍🏽',
  '## heading',
  'a\tb\nc',
  '::ffff:192.0.2.1',
])('%s stays', (text) => {
  expect(terminalText(text, false)).toBe(text);
});

test('any text: nothing that steers, and a second time changes nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = terminalText(text, false);
      expect(shown).not.toMatch(bad);
      expect(terminalText(shown, false)).toBe(shown);
    }),
  );
});

test('strings are rewritten, bytes are not, and what draws by itself goes around it', async () => {
  const below = new PassThrough();
  const stream = rewriting(below, (text) => terminalText(text, false));
  stream.write('a\u001b[2J');
  stream.write(Buffer.from('b\u001b[2J'));
  screenOf(stream).write('c\u001b[2J');
  stream.end('d\u001b[2J');
  expect((await below.toArray()).join('')).toBe('a\\u001b[2Jb\u001b[2Jc\u001b[2Jd\\u001b[2J');
});

/** Words of ours alone (usage, help from the build, missing packages), JSON that only the deployer reads, and the wrapper itself. */
const writers = [
  'cli/build.ts',
  'cli/main.ts',
  'cli/missing-packages.ts',
  'cli/terminal.ts',
  'deploy/apply/host-link.ts',
  'deploy/host/main.ts',
];

// Every way to a terminal, as the sources have it: whatever is not on the list goes through the command's filtered streams.
test('nothing writes to the process’s streams but those who may', () => {
  const sources = ['agents', 'cli', 'deploy', 'doctor'].flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' })
      .filter((name) => /(?<!\.test)\.tsx?$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(room, name)),
  );
  const holding = (pattern: RegExp): string[] =>
    sources.filter((file) => pattern.test(readFileSync(file, 'utf8'))).sort();
  expect(holding(/process\.std(out|err)\b|console\./)).toEqual(writers);
  expect(holding(/\bscreenOf\(/)).toEqual(['deploy/command.ts', 'doctor/ui/screen.tsx']);
});
