import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { readSecretFile, Secret } from './secret.ts';

test('never shows its value', () => {
  const secret = new Secret('hunter2');
  const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret }, { depth: 9 }), `${secret}`].join(' ');
  expect(shown).not.toContain('hunter2');
  expect(secret.reveal()).toBe('hunter2');
});

test('comes from a file; an empty, missing or huge file is named', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'viworks-secret-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const file = join(dir, 'token');
  await expect(readSecretFile('token', file)).rejects.toMatchObject({ code: 'VW_RUNTIME_SECRET_UNREADABLE' });
  await writeFile(file, '\n');
  await expect(readSecretFile('token', file)).rejects.toThrow('empty');
  await writeFile(file, 'x'.repeat(70_000));
  await expect(readSecretFile('token', file)).rejects.toThrow('64 KiB');
  await writeFile(file, 'abc\n');
  expect((await readSecretFile('token', file)).reveal()).toBe('abc');
});
