// Quoting, checked against a real shell.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { commandLine, quoteWord, scriptLine } from './argv.ts';

test.each([
  ['plain', 'a/b.c-d_e'],
  ['empty', ''],
  ['space', 'a b'],
  ['quote', "it's"],
  ['dollar and backquote', '$HOME `id` \\'],
  ['newline', 'a\nb'],
  ['glob', '*'],
  ['option-like', '-n'],
])('a shell reads %s back as one word', (_name, word) => {
  const out = execFileSync('/bin/sh', ['-c', `printf '[%s]' ${quoteWord(word)}`], { encoding: 'utf8' });
  expect(out).toBe(`[${word}]`);
});

test('command lines', () => {
  expect(commandLine(['ls', '-l', 'a b'])).toBe("ls -l 'a b'");
  expect(execFileSync('/bin/sh', ['-c', scriptLine('echo "a b"; echo \'c\'')], { encoding: 'utf8' })).toBe('a b\nc\n');
});
