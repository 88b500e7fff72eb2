// The first minute: a fresh clone, an ordinary user, a system Node that is too old. `npm start -- --once` must do the rest.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts, processesWith } from '../support/local-system.ts';
import { type Outcome, watch } from '../support/program.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const ROOTED = process.getuid?.() === 0;
/** nobody: an account that every Debian has and that owns nothing. Without root the tests' own user is ordinary enough. */
const USER = ROOTED ? { uid: 65_534, gid: 65_534 } : {};

let home = '';
let clone = '';
let outcome: Outcome;
let ports: number[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'viworks-start-'));
  clone = join(home, 'viworks');
  execFileSync('git', ['-c', 'safe.directory=*', 'clone', '--quiet', ROOT, clone], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  mkdirSync(join(home, 'home'));
  chmodSync(home, 0o755);
  if (ROOTED) give(home, 65_534);
  ports = await freePorts(4);
  outcome = await start([]);
}, 300_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

function give(path: string, id: number): void {
  chownSync(path, id, id);
  if (lstatSync(path).isDirectory())
    for (const name of readdirSync(path)) if (!lstatSync(join(path, name)).isSymbolicLink()) give(join(path, name), id);
}

function start(argv: readonly string[]): Promise<Outcome> {
  const [api, agents, tls, local] = ports.map(String) as [string, string, string, string];
  const moved = ['--api-port', api, '--agents-port', agents, '--tls-port', tls, '--local-port', local];
  // What npm puts in front of PATH for our own suite must not help the clone.
  const path = (process.env.PATH ?? '').split(':').filter((directory) => !directory.includes('node_modules'));
  const env = { PATH: path.join(':'), HOME: join(home, 'home'), npm_config_cache: join(home, 'npm') };
  const argvOfNpm = ['start', '--', '--once', ...moved, ...argv];
  return watch(spawn('npm', argvOfNpm, { cwd: clone, env, stdio: ['ignore', 'pipe', 'pipe'], ...USER })).outcome;
}

test('it says what it does, and ends with a healthy report and a command’s live output', () => {
  const text = outcome.stdout.toString();
  expect([outcome.code, outcome.stderr]).toEqual([0, expect.not.stringContaining('viworks:')]);
  const parts = [
    /^viworks \d+\.\d+\.\d+ \(\w+\) on Node 24\./m,
    /^ {2}install +\d+ packages/m,
    /^ {2}build +/m,
    /^ {2}backend +http.*ready in/m,
  ];
  const more = [
    /^ {2}(nginx|tls) +https.*ready in/m,
    /^ {2}gateway +this-machine.*connected in/m,
    /healthy/,
    /^\$ viworks run this-machine -- uname -sr\nLinux /m,
  ];
  for (const part of [...parts, ...more, /^ {2}stopped +everything/m]) expect(text).toMatch(part);
});

test('it leaves no process behind', () => {
  expect(processesWith(home)).toEqual([]);
});

test('nothing was changed in the clone that git would see', () => {
  const git = ['-c', 'safe.directory=*', '-C', clone, 'status', '--porcelain'];
  expect(execFileSync('git', git, { encoding: 'utf8' })).toBe('');
});

test('the second time it installs and builds nothing', async () => {
  const second = await start([]);
  expect(second.code).toBe(0);
  expect(second.stdout.toString()).toMatch(/install +up to date\n {2}build +up to date\n/);
}, 120_000);
