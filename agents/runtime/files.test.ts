// Files are replaced whole, with their mode, and leave nothing beside them; what cannot be seen is not said to be missing.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { errnoText, exists, replaceFile, whyUnread } from './files.ts';
import { parseProcStat } from './proc-stat.ts';

const dir = await mkdtemp(join(tmpdir(), 'viworks-files-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

test('a file is replaced with its new mode, its directory made, and nothing is left beside it', async () => {
  const file = join(dir, 'a/b/token');
  await replaceFile(file, 'one', { mode: 0o644 });
  await chmod(file, 0o666);
  await Promise.all(['two', 'two', 'two'].map((text) => replaceFile(file, text, { mode: 0o600 })));
  expect(await readFile(file, 'utf8')).toBe('two');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(dir, 'a/b'))).toEqual(['token']);
});

test('what cannot be put in its place leaves nothing beside it', async () => {
  await mkdir(join(dir, 'taken/x'), { recursive: true });
  await expect(replaceFile(join(dir, 'taken'), '', { mode: 0o600 })).rejects.toThrow();
  expect((await readdir(dir)).filter((name) => name.startsWith('taken'))).toEqual(['taken']);
});

test('only what is known not to be there is not there', async () => {
  await writeFile(join(dir, 'file'), '');
  await symlink('loop', join(dir, 'loop'));
  expect(await Promise.all(['file', 'none', 'file/x', 'loop'].map((name) => exists(join(dir, name))))).toEqual([
    true,
    false,
    false,
    true,
  ]);
});

test('why a file could not be read, and what an error number means', async () => {
  const why = (name: string) => readFile(join(dir, name)).then(String, whyUnread);
  expect([await why('none'), await why('.')]).toEqual(['no such file', 'it is a directory']);
  expect(errnoText('ENOSPC')).toBe('ENOSPC: no space left on device');
  expect(errnoText('EODD')).toBe('EODD');
});

test('a line of /proc/PID/stat is counted from the last bracket of the name', () => {
  const line = '7 (a) R (b) S 1 7 7 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0 4711 1 2\n';
  expect(parseProcStat(line)).toEqual({ name: 'a) R (b', state: 'S', cpuTicks: 42, startTicks: 4711 });
  expect(parseProcStat('')).toBeUndefined();
});
