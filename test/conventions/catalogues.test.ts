// The error catalogues against the code and against docs/errors.md: every code declared once, with a hint, documented, used.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts', '*.tsx'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter(
    (file) => /^(agents|cli|deploy|doctor)\//.test(file) && !/\.test\.tsx?$/.test(file) && existsSync(root + file),
  );
const texts = files.map((file) => ({ file, text: readFileSync(root + file, 'utf8') }));
const declared = texts.flatMap(({ file, text }) =>
  [...text.matchAll(/^ {2}(VW_[A-Z0-9_]+): \{/gm)].map((match) => ({ file, code: match[1] ?? '' })),
);

test('codes are declared once', () => {
  const codes = declared.map(({ code }) => code);
  expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
});

test('every declared code is used outside its own row', () => {
  const unused = declared.filter(({ code }) => {
    const uses = texts.reduce((sum, { text }) => sum + text.split(new RegExp(`\\b${code}\\b`)).length - 1, 0);
    return uses < 2;
  });
  expect(unused).toEqual([]);
});

test('every code that is thrown is declared', () => {
  const known = new Set(declared.map(({ code }) => code));
  const used = texts.flatMap(({ file, text }) =>
    [...text.matchAll(/'(VW_[A-Z0-9_]+)'/g)].map((match) => ({ file, code: match[1] ?? '' })),
  );
  expect(used.filter(({ code }) => !known.has(code))).toEqual([]);
});

test('docs/errors.md and the catalogues name the same codes', () => {
  const documented = [...readFileSync(`${root}docs/errors.md`, 'utf8').matchAll(/^### `(VW_[A-Z0-9_]+)`/gm)].map(
    (match) => match[1],
  );
  expect([...documented].sort()).toEqual(declared.map(({ code }) => code).sort());
});
