// Frames: requests with their bytes, whatever the pieces they arrive in; answers found in the noise of a shell.
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeMessage, encodeMessage, FrameReader } from './frames.ts';

async function take(reader: FrameReader, count: number): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of reader.bytes(count)) parts.push(part);
  return Buffer.concat(parts).toString('latin1');
}

test('lines and counted bytes come apart again, however they were cut', async () => {
  const payload = 'a\nb\0c\n';
  const whole = Buffer.from(`{"id":1}\n${payload}{"id":2}\n`, 'latin1');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 8 }), async (cuts) => {
      const at = [0, ...[...new Set(cuts)].sort((a, b) => a - b), whole.length];
      const pieces = at.slice(1).map((end, index) => whole.subarray(at[index], end));
      const reader = new FrameReader(Readable.from(pieces));
      expect(await reader.line()).toBe('{"id":1}');
      expect(await take(reader, payload.length)).toBe(payload);
      expect(await reader.line()).toBe('{"id":2}');
      expect(await reader.line()).toBeUndefined();
    }),
  );
});

test('an upload that ends early is an error, not a short file', async () => {
  const reader = new FrameReader(Readable.from([Buffer.from('abc')]));
  await expect(take(reader, 10)).rejects.toThrow('in the middle of an upload');
});

test('nothing is read beyond what was asked for', async () => {
  const stream = new PassThrough();
  const reader = new FrameReader(stream);
  stream.write('one\ntwo');
  expect(await reader.line()).toBe('one');
  stream.write('\n');
  expect(await reader.line()).toBe('two');
});

test('only lines with our word are ours', () => {
  const message = { type: 'done', id: 3, value: { a: 'é\n' } } as const;
  const line = encodeMessage('vwabc', message).trimEnd();
  expect(decodeMessage('vwabc', line)).toEqual(message);
  for (const noise of ['Welcome to Debian', '', 'vwother {"type":"done"}', 'vwabc {broken', ` ${line}`]) {
    expect(decodeMessage('vwabc', noise)).toBeUndefined();
  }
});
