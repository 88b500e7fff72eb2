// Files that cannot be read, and bytes that are no text: each with its place and what to do.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { badBytes, readConfigText } from './config-text.ts';

const place = mkdtempSync(join(tmpdir(), 'viworks-config-text-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

test('UTF-8 is read as it is, also with a replacement character of its own', async () => {
  const file = join(place, 'good.toml');
  writeFileSync(file, 'a = "ä€😀\uFFFD"\n');
  expect(await readConfigText(file)).toBe('a = "ä€😀\uFFFD"\n');
});

test.each([
  ['no such file', 'missing.toml', /no such file/],
  ['a directory', '.', /it is a directory/],
])('%s is told', async (_what, name, message) => {
  const error: unknown = await readConfigText(join(place, name)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'VW_RUNTIME_CONFIG_UNREADABLE', exitCode: 64 });
  expect(String(error)).toMatch(message);
});

test.each<[string, Buffer, object]>([
  ['Latin-1', Buffer.from('x = 1\nä = "caf\xe9"\n', 'latin1'), { line: 2, column: 1 }],
  [
    'after good text',
    Buffer.concat([Buffer.from('x = "ä\uFFFD"\ny = "'), Buffer.from([0xe9, 0x22])]),
    { line: 2, column: 6 },
  ],
  ['a NUL', Buffer.from('a = "b\0"\n'), { line: 1, column: 7, message: 'not valid UTF-8 (byte 0x00)' }],
  ['cut in the middle of a character', Buffer.from([0x61, 0xe2, 0x82]), { line: 1, column: 2 }],
  ['UTF-16', Buffer.from('\uFEFFa = 1', 'utf16le'), { line: 1, column: 1, message: expect.stringContaining('UTF-16') }],
])('%s: %#', async (_what, bytes, expected) => {
  expect(badBytes(bytes)).toMatchObject(expected);
  const file = join(place, 'bad.toml');
  writeFileSync(file, bytes);
  await expect(readConfigText(file)).rejects.toMatchObject({ code: 'VW_RUNTIME_CONFIG' });
});
