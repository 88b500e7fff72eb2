import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame, decodeOutput, encodeOutput, OUTPUT_HEADER_BYTES } from './codec.ts';
import { MAX_OUTPUT_BYTES } from './limits.ts';

test.each([
  ['', 'not_json'],
  ['{', 'not_json'],
  ['null', 'unknown_type'],
  ['[]', 'unknown_type'],
  ['{"type":7}', 'unknown_type'],
  ['{"type":"session.teleport"}', 'unknown_type'],
  ['{"type":"session.ping"}', 'malformed'],
  ['{"type":"session.ping","nonce":1e400}', 'malformed'],
  ['{"type":"task.ack","taskId":"../../etc","out":0,"err":0,"credit":0}', 'malformed'],
  ['{"type":"task.ack","taskId":"abcdefgh","out":-1,"err":0,"credit":0}', 'malformed'],
])('%j is %s', (text, kind) => {
  expect(decodeFrame(text)).toMatchObject({ ok: false, error: { kind } });
});

test.each([
  [{ stage: 'exec', errno: 'ENOENT' }, true],
  [{ stage: 'held' }, true],
  [{ stage: 'spool', errno: 'ENOSPC', place: '/srv/tasks' }, true],
  [undefined, true],
  [{ errno: 'ENOENT' }, false],
  ['exec: ENOENT', false],
])('a refusal may say what stood in the way, as data: %j', (obstacle, ok) => {
  const frame = { type: 'task.refused', taskId: 'abcdefgh', fence: 1, code: 'start_failed', message: 'm', obstacle };
  const decoded = decodeFrame(JSON.stringify(frame));
  expect(decoded.ok).toBe(ok);
  if (decoded.ok) expect(decoded.frame).toEqual(JSON.parse(JSON.stringify(frame)));
});

test('decoding never throws, whatever the text', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof decodeFrame(text).ok === 'boolean'));
});

const chunk = fc.record({
  taskRef: fc.integer({ min: 1, max: 0xffff_ffff }),
  stream: fc.constantFrom('out' as const, 'err' as const),
  offset: fc.maxSafeNat(),
  sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
  bytes: fc.uint8Array({ maxLength: 300 }),
});

test('an output chunk comes back as it was', () => {
  fc.assert(
    fc.property(chunk, (value) => {
      expect(decodeOutput(encodeOutput(value))).toEqual(value);
    }),
  );
});

test('truncated, padded or foreign bytes are not an output chunk', () => {
  const good = encodeOutput({ taskRef: 1, stream: 'out', offset: 0, sequence: 0, bytes: new Uint8Array(8) });
  for (let length = 0; length < good.length; length++) expect(decodeOutput(good.subarray(0, length))).toBeUndefined();
  expect(decodeOutput(new Uint8Array([...good, 0]))).toBeUndefined();
  for (const [at, value] of [
    [0, 9],
    [1, 2],
    [8, 0xff],
  ] as const) {
    const bad = good.slice();
    bad[at] = value;
    expect(decodeOutput(bad)).toBeUndefined();
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => decodeOutput(bytes)?.bytes.length !== -1));
});

test('a chunk above the limit is refused', () => {
  const bytes = new Uint8Array(MAX_OUTPUT_BYTES + 1);
  expect(decodeOutput(encodeOutput({ taskRef: 1, stream: 'out', offset: 0, sequence: 0, bytes }))).toBeUndefined();
  expect(encodeOutput({ taskRef: 1, stream: 'out', offset: 0, sequence: 0, bytes: bytes.subarray(1) }).length).toBe(
    OUTPUT_HEADER_BYTES + MAX_OUTPUT_BYTES,
  );
});
