// What a TAB offers.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Terminal } from '../../agents/runtime/index.ts';
import { type FakeBackend, startFakeBackend } from '../../test/support/fake-backend.ts';
import { complete } from './complete.ts';

let printed = '';
let backend: FakeBackend | undefined;
beforeEach(() => {
  printed = '';
  // The library prints by itself.
  vi.spyOn(console, 'log').mockImplementation((line: unknown) => {
    printed += `${String(line)}\n`;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
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

test('gateways by asking the backend; without one there is nothing to offer', async () => {
  expect(await offered(['run', ''])).toEqual([':4']);
  backend = await startFakeBackend();
  printed = '';
  const home = mkdtempSync(join(tmpdir(), 'viworks-complete-'));
  writeFileSync(`${home}/token`, backend.token);
  const env = { HOME: home, VIWORKS_URL: backend.url, VIWORKS_TOKEN_FILE: `${home}/token` };
  expect(await offered(['run', 'g'], env)).toEqual(['gw1', ':4']);
  rmSync(home, { recursive: true });
});
