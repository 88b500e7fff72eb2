// What a TAB offers.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Terminal } from '../../agents/runtime/index.ts';
import { type FakeBackend, startFakeBackend } from '../../test/support/fake-backend.ts';
import { complete } from './complete.ts';

let printed = '';
let backend: FakeBackend | undefined;
beforeEach(() => {
  printed = '';
});
afterEach(async () => {
  await backend?.[Symbol.asyncDispose]();
  backend = undefined;
});

async function offered(
  words: readonly string[],
  env: Record<string, string> = { HOME: '/nonexistent' },
): Promise<string[]> {
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      printed += chunk.toString();
      done();
    },
  });
  expect(await complete(words, { env, terminal: { stdout } as Pick<Terminal, 'stdout'> as Terminal })).toBe(0);
  return printed
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '');
}

test('commands by their beginning', async () => {
  expect(await offered(['do'])).toEqual(['doctor', ':4']);
});

test('options and their choices', async () => {
  expect(await offered(['run', 'gw', '--ti'])).toEqual(['--timeout', ':4']);
  printed = '';
  expect(await offered(['config', 'check', '--kind', 'b'])).toEqual(['backend', ':4']);
});

test('subcommands', async () => {
  expect(await offered(['tasks', ''])).toEqual(['list', 'show', 'logs', 'cancel', ':4']);
});

test('files are left to the shell, and so is another program’s command line', async () => {
  for (const words of [
    ['config', 'check', ''],
    ['config', 'check', 'a.toml', 'b'],
    ['run', 'gw', '--token-file', '/'],
    ['run', 'gw', '--', 'ls', ''],
  ]) {
    printed = '';
    expect(await offered(words)).toEqual([':0']);
  }
});

test('where a value is wanted, only its values; = or a blank before it is the same', async () => {
  for (const words of [
    ['tasks', '--state', 'r'],
    ['tasks', '--state=r'],
    ['tasks', '--state', '=', 'r'],
    ['tasks', 'list', '--limit', '5', '--state', 'r'],
  ]) {
    printed = '';
    expect(await offered(words), words.join(' ')).toEqual(['running', ':4']);
  }
  printed = '';
  expect(await offered(['run', 'gw', '--timeout', ''])).toEqual([':4']);
});

test('after the last argument, what is left to write', async () => {
  expect(await offered(['run', 'gw', ''])).toEqual(['--', ':4']);
  printed = '';
  expect(await offered(['run', 'gw', '--'])).toEqual(expect.arrayContaining(['--timeout', '--detach', '--help']));
  printed = '';
  expect(await offered(['help', 'task'])).toEqual(['tasks', ':4']);
});

test('hosts come from the inventory that is named, contexts from their file', async () => {
  const home = mkdtempSync(join(tmpdir(), 'viworks-complete-'));
  writeFileSync(`${home}/i.toml`, '[hosts.be1]\naddress = "a"\n[hosts."gw1"]\n');
  expect(await offered(['deploy', 'trust', '-i', `${home}/i.toml`, ''])).toEqual(['be1', 'gw1', ':4']);
  mkdirSync(`${home}/.config/viworks`, { recursive: true });
  const contexts = { acme: { url: 'https://a.test', tokenFile: '/t' } };
  writeFileSync(`${home}/.config/viworks/contexts.json`, JSON.stringify({ current: 'acme', contexts }));
  printed = '';
  expect(await offered(['gateways', '--context', ''], { HOME: home })).toEqual(['acme', ':4']);
  rmSync(home, { recursive: true });
});

test('gateways and tasks by asking the backend; without one there is nothing to offer', async () => {
  expect(await offered(['run', ''])).toEqual([':4']);
  backend = await startFakeBackend();
  const home = mkdtempSync(join(tmpdir(), 'viworks-complete-'));
  writeFileSync(`${home}/token`, backend.token);
  const env = { HOME: home, VIWORKS_URL: backend.url, VIWORKS_TOKEN_FILE: `${home}/token` };
  const made = await fetch(`${backend.url}/api/v1/commands`, {
    method: 'POST',
    headers: { authorization: `Bearer ${backend.token}`, 'idempotency-key': 'k' },
    body: JSON.stringify({ verb: 'exec', args: { argv: ['sleep', '60'] }, gateways: ['gw1'] }),
  });
  const { tasks } = (await made.json()) as { tasks: { taskId: string }[] };
  for (const [words, names] of [
    [['run', 'g'], ['gw1']],
    [['tasks', '--gateway', ''], ['gw1']],
    [['tasks', 'logs', '-f', ''], [tasks[0]?.taskId]],
    [['tasks', 'cancel', ''], [tasks[0]?.taskId]],
    [['tasks', 'show', 'nope'], []],
  ] as const) {
    printed = '';
    expect(await offered(words, env), words.join(' ')).toEqual([...names, ':4']);
  }
  rmSync(home, { recursive: true });
});
