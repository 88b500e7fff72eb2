// Quoting, checked against a real shell.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { commandLine, scriptLine } from './argv.ts';

test('command lines', () => {
  expect(commandLine(['ls', '-l', 'a b'])).toBe("ls -l 'a b'");
  expect(execFileSync('/bin/sh', ['-c', scriptLine('echo "a b"; echo \'c\'')], { encoding: 'utf8' })).toBe('a b\nc\n');
});
