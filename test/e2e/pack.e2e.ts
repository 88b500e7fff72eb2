// What npm packs is whole: installed somewhere else, its `viworks` runs on the Node that it brought along.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
let home = '';
let bin = '';

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'viworks-pack-'));
  execFileSync('npm', ['pack', '--silent', '--pack-destination', home], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const prefix = join(home, 'prefix');
  mkdirSync(prefix);
  const tarball = join(home, `viworks-${version}.tgz`);
  execFileSync(
    'npm',
    ['install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', '--loglevel=error', tarball],
    {
      cwd: home,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  bin = join(prefix, 'bin', 'viworks');
}, 300_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

const run = (program: string, argv: readonly string[], path = '/usr/bin:/bin') =>
  spawnSync(program, argv, { encoding: 'utf8', cwd: home, env: { PATH: path, HOME: home } });

test('its version carries the revision that it was built from', () => {
  const { status, stdout } = run(bin, ['--version']);
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(new RegExp(`^viworks ${version} \\([0-9a-f]{7}\\+?\\)\n$`)),
  ]);
});

test('it brings its own Node, whatever is on PATH', () => {
  expect(run(bin, ['--version'], '/bin').status).toBe(0);
  mkdirSync(join(home, 'links'));
  symlinkSync(bin, join(home, 'links', 'vw'));
  expect(run(join(home, 'links', 'vw'), ['--help']).stdout).toContain('Usage: viworks COMMAND');
});

test('every command is part of it', () => {
  const overview = run(bin, ['--help']).stdout;
  const names = [...overview.matchAll(/^ {2}(\w+) {3,}/gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'viworks');
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    const help = run(bin, [name, '--help']);
    expect([name, help.status, help.stderr]).toEqual([name, 0, '']);
    expect(help.stdout).toMatch(/^Usage: viworks /);
  }
});

test('it holds what runs, and no sources', () => {
  const files = execFileSync('tar', ['-tzf', join(home, `viworks-${version}.tgz`)], { encoding: 'utf8' }).split('\n');
  for (const file of [
    'viworks',
    'cli/node.sh',
    'dist/main.js',
    'dist/THIRD-PARTY-NOTICES.txt',
    'dist/launcher.pl',
    'dist/launcher-os.pl',
    'dist/launcher-tasks.pl',
    'dist/notify.pl',
    'dist/templates/nginx/private.conf.tmpl',
  ]) {
    expect(files).toContain(`package/${file}`);
  }
  expect(files.filter((file) => /\.(ts|tsx|test\.js)$|node_modules|\.git/.test(file))).toEqual([]);
});
