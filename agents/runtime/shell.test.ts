// A quoted word comes out of a shell as it went in.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { quoteWord } from './shell.ts';

test.each(['plain', '', "it's", 'a b', '$HOME', '`id`', '~', '*', 'a\nb', '"', "''", '\\', '-n', '!x'])(
  '%j',
  (word) => {
    expect(execFileSync('/bin/sh', ['-c', `printf %s. ${quoteWord(word)}`], { encoding: 'utf8' })).toBe(`${word}.`);
  },
);
