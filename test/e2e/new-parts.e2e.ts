// `npm run new` on a copy of the sources: the compiler, the captures and the catalogue accept what it lays out.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const copy = mkdtempSync(join(tmpdir(), 'viworks-new-'));
const node = (...args: readonly string[]): string =>
  execFileSync(process.execPath, args, { cwd: copy, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const tool = (path: string): string => join(copy, 'node_modules', path);

beforeAll(() => {
  for (const name of ['agents', 'cli', 'deploy', 'docs', 'doctor', 'test', 'bench', 'templates'])
    cpSync(join(root, name), join(copy, name), { recursive: true });
  for (const name of ['package.json', 'tsconfig.json', 'vitest.config.ts', 'biome.json', '.gitignore'])
    cpSync(join(root, name), join(copy, name));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test('a new probe and a new cause are accepted as they are laid out', () => {
  expect(node('docs/new.ts', 'probe', 'open-files').trim().split('\n')).toHaveLength(5);
  expect(node('docs/new.ts', 'cause', 'BE-90').trim().split('\n')).toHaveLength(3);
  expect(node('docs/new.ts', 'cause', 'SYS-90').trim().split('\n')).toHaveLength(3);
  node(tool('typescript/bin/tsc'), '-p', copy);
  const filter = ['-t', 'BE-90|SYS-90|every cause|codes and scopes|healthy .* installation'];
  const report = node(
    tool('vitest/vitest.mjs'),
    'run',
    '--project',
    'unit',
    'doctor/causes/catalogue.test.ts',
    ...filter,
  );
  expect(report).toMatch(/passed/);
  expect(node(tool('vitest/vitest.mjs'), 'run', '--project', 'unit', 'doctor/probes/cases.test.ts')).toMatch(/passed/);
});
