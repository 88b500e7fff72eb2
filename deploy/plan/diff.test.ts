// Unified diffs: by hand, and by applying random ones with patch(1).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unifiedDiff } from './diff.ts';

const text = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');

test.each([
  ['equal', text('a', 'b'), text('a', 'b'), []],
  ['one line', text('a', 'b', 'c'), text('a', 'x', 'c'), ['@@ -1,3 +1,3 @@', ' a', '-b', '+x', ' c']],
  ['from nothing', '', text('a'), ['@@ -1,0 +1,1 @@', '+a']],
  ['to nothing', text('a'), '', ['@@ -1,1 +1,0 @@', '-a']],
])('%s', (_name, before, after, expected) => {
  expect(unifiedDiff(before, after)).toEqual(expected);
});

test('changes that are far apart are hunks of their own, with three lines around each', () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index + 1}`);
  const changed = lines.map((line, index) => (index === 4 || index === 24 ? 'new' : line));
  const diff = unifiedDiff(text(...lines), text(...changed));
  expect(diff.filter((line) => line.startsWith('@@'))).toEqual(['@@ -2,7 +2,7 @@', '@@ -22,7 +22,7 @@']);
});

const hasPatch = spawnSync('patch', ['--version']).status === 0;
test.skipIf(!hasPatch)('what it gives makes one text of the other', () => {
  const directory = mkdtempSync(join(tmpdir(), 'viworks-diff-'));
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const diff = unifiedDiff(text(...before), text(...after));
      if (diff.length === 0) return before.join() === after.join();
      const file = join(directory, 'file');
      writeFileSync(file, text(...before));
      const input = `--- file\n+++ file\n${diff.join('\n')}\n`;
      const patched = spawnSync('patch', ['-s', '-p0', '--no-backup-if-mismatch', file], { input, encoding: 'utf8' });
      return patched.status === 0 && readFileSync(file, 'utf8') === text(...after);
    }),
    { numRuns: 60 },
  );
  rmSync(directory, { recursive: true });
});
