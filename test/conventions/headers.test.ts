// Every source file says at its top what it owns; names and sizes stay inside the house rules.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => /^(agents|bench|cli|deploy|docs|doctor|test)\//.test(file) && existsSync(root + file));
const sources = files.filter((file) => /\.(ts|tsx|js|cjs)$/.test(file) && !/\.test\.tsx?$/.test(file));
const read = (file: string): string => readFileSync(root + file, 'utf8');

const BANNED = new Set(['utils', 'helpers', 'common', 'misc', 'shared', 'types', 'manager']);

test('every file opens with a header comment of one to four lines', () => {
  const headless = sources.filter((file) => {
    const lines = read(file)
      .replace(/^#!.*\n/, '')
      .split('\n');
    const header = lines.findIndex((line) => !line.startsWith('//'));
    return header < 1 || header > 6;
  });
  expect(headless).toEqual([]);
});

test('no file or folder has a name that says nothing', () => {
  const bad = files.filter((file) =>
    file.split('/').some((part) => BANNED.has(part.replace(/\..*$/, '').toLowerCase())),
  );
  expect(bad).toEqual([]);
});

test('file names are kebab-case', () => {
  expect(sources.filter((file) => !/^[a-z0-9]+([-.][a-z0-9]+)*\.(ts|tsx|js|cjs)$/.test(basename(file)))).toEqual([]);
});

test('no source file is longer than 400 lines', () => {
  const long = sources.filter((file) => read(file).split('\n').length > 401);
  expect(long).toEqual([]);
});

test('nothing is switched off, left for later, or mocked', () => {
  const marks =
    /vi\.mock\(|\b(?:test|it|describe)\.(?:only|skip|todo)\(|@ts-ignore|@ts-expect-error|eslint-disable|biome-ignore|\bTODO\b|\bFIXME\b|\bXXX\b/;
  const here = 'test/conventions/headers.test.ts';
  const found = files.filter((file) => /\.(ts|tsx)$/.test(file) && file !== here && marks.test(read(file)));
  expect(found).toEqual([]);
});

test('no address but loopback, documentation ranges and wildcards stands in the tree', () => {
  const address = /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/g;
  const allowed =
    /^(127\.|0\.0\.0\.0|255\.|192\.0\.[02]\.|198\.51\.100\.|203\.0\.113\.|1\.2\.3\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|10\.)/;
  const strangers = files
    .filter((file) => /\.(ts|tsx|toml|tmpl|md|pl|sh|json)$/.test(file) && !file.includes('package-lock'))
    .flatMap((file) =>
      (read(file).match(address) ?? []).filter((found) => !allowed.test(found)).map((found) => `${file}: ${found}`),
    );
  expect(strangers).toEqual([]);
});

test('every door has a paragraph that says what the room is for', () => {
  const doors = sources.filter((file) => basename(file) === 'index.ts' && !file.startsWith('test/'));
  const bare = doors.filter((file) => !/^\/\/ .{20,}/.test(read(file)));
  expect(bare.map((file) => dirname(file))).toEqual([]);
});
