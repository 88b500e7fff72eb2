// Offsets and hashes of a stream whatever the order of writing, sending and going back; and what goes next on a link.
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFakeClock } from '../../../test/support/fake-clock.ts';
import { decodeOutput, limits } from '../../protocol/index.ts';
import { createFlow, createOutflow, type Flow } from './outflow.ts';
import { SpoolStream } from './spool.ts';

const { signal } = new AbortController();
let dir: string;
let made = 0;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'vw-spool-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const newFile = (): string => {
  const path = join(dir, `stream-${made++}`);
  writeFileSync(path, '');
  return path;
};
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('any mix of writing, reading and going back: every byte at its offset, the hash over each byte once', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('write' as const), size: fc.integer({ min: 1, max: 300 }) }),
    fc.record({ do: fc.constant('read' as const), size: fc.integer({ min: 1, max: 200 }) }),
    fc.record({ do: fc.constant('back' as const), size: fc.nat(1000) }),
    fc.record({ do: fc.constant('finish' as const), size: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const path = newFile();
      const stream = new SpoolStream(path);
      let all = Buffer.alloc(0);
      const target = Buffer.alloc(400);
      for (const { do: what, size } of steps) {
        if (what === 'write') {
          const bytes = Buffer.from(Array.from({ length: size }, (_, index) => (all.length + index) % 251));
          appendFileSync(path, bytes);
          all = Buffer.concat([all, bytes]);
        } else if (what === 'read') {
          const at = stream.next;
          const got = stream.read(target, 7, size);
          expect(got).toBe(Math.min(size, all.length - at));
          expect(target.subarray(7, 7 + got).equals(all.subarray(at, at + got))).toBe(true);
          expect(stream.next).toBe(at + got);
        } else if (what === 'back') stream.resumeAt(Math.min(size, stream.next));
        else expect(await stream.finish(signal)).toEqual({ bytes: all.length, sha256: sha256(all) });
      }
      expect(stream.produced).toBe(all.length);
      expect(await stream.finish(signal)).toEqual({ bytes: all.length, sha256: sha256(all) });
      stream.close();
    }),
    { numRuns: 60 },
  );
});

test('a backend that has more than the spool does not move offsets', async () => {
  const path = newFile();
  writeFileSync(path, 'four');
  const stream = new SpoolStream(path);
  stream.resumeAt(100);
  expect(stream).toMatchObject({ next: 4, produced: 4, truncations: 0 });
  expect(await stream.finish(signal)).toEqual({ bytes: 4, sha256: sha256(Buffer.from('four')) });
  stream.close();
});

test('a spool that is not there is an empty stream', async () => {
  const stream = new SpoolStream(join(dir, 'nowhere'));
  expect(stream.produced).toBe(0);
  expect(await stream.finish(signal)).toEqual({ bytes: 0, sha256: sha256(Buffer.alloc(0)) });
});

test('a task that truncates its output: offsets go on, nothing repeats, and what is lost is said', async () => {
  const path = newFile();
  const stream = new SpoolStream(path);
  const target = Buffer.alloc(100);
  appendFileSync(path, 'first part');
  expect(stream.read(target, 0, 100)).toBe(10);
  truncateSync(path, 0);
  appendFileSync(path, 'next');
  expect(stream.produced).toBe(14);
  expect(stream.read(target, 0, 100)).toBe(4);
  expect(target.subarray(0, 4).toString()).toBe('next');
  expect(stream.truncations).toBe(1);
  expect(await stream.finish(signal)).toEqual({ bytes: 14, sha256: sha256(Buffer.from('first partnext')) });
  stream.resumeAt(4);
  expect(stream.takeGap()).toEqual({ from: 4, to: 10 });
  expect(stream.read(target, 0, 100)).toBe(4);
  stream.close();
});

function flowOf(text: string): Flow & { append(more: string): void } {
  const [out, err] = [newFile(), newFile()];
  writeFileSync(out, text);
  const flow = createFlow(new SpoolStream(out), new SpoolStream(err));
  flow.taskRef = made;
  flow.credit = 1_000_000;
  return Object.assign(flow, {
    append(more: string) {
      appendFileSync(out, more);
      flow.dirty = true;
    },
  });
}

const textOf = (frame: Uint8Array | undefined): string | undefined =>
  frame && Buffer.from(decodeOutput(frame)?.bytes ?? []).toString();

test('output after a pause goes at once; what follows closely is gathered for 10 ms', async () => {
  const clock = createFakeClock();
  let woken = 0;
  const outflow = createOutflow(clock, { wake: () => void woken++, gap: () => undefined });
  const flow = flowOf('a');
  outflow.add(flow);
  expect(textOf(outflow.next())).toBe('a');
  flow.append('b');
  flow.append('c');
  expect(outflow.next()).toBeUndefined();
  await clock.advance(10);
  expect(woken).toBe(1);
  expect(textOf(outflow.next())).toBe('bc');
  flow.append('d');
  flow.ended = true;
  expect(textOf(outflow.next())).toBe('d');
});

test('a large amount is not gathered, frames are at most 64 KiB, credit is never passed', () => {
  const outflow = createOutflow(createFakeClock(), { wake: () => undefined, gap: () => undefined });
  const flow = flowOf('x'.repeat(200_000));
  flow.credit = 100_000;
  outflow.add(flow);
  const sizes: number[] = [];
  for (let frame = outflow.next(); frame; frame = outflow.next()) sizes.push(decodeOutput(frame)?.bytes.length ?? 0);
  expect(sizes).toEqual([limits.MAX_OUTPUT_BYTES, 100_000 - limits.MAX_OUTPUT_BYTES]);
  flow.credit = 200_000;
  expect(decodeOutput(outflow.next() as Uint8Array)).toMatchObject({ offset: 100_000, sequence: 2 });
});

test('tasks take turns; a task without a number on this link is silent', () => {
  const outflow = createOutflow(createFakeClock(), { wake: () => undefined, gap: () => undefined });
  const flows = [flowOf('x'.repeat(150_000)), flowOf('y'.repeat(150_000)), flowOf('z')];
  for (const flow of flows) outflow.add(flow);
  (flows[2] as Flow).taskRef = 0;
  const order: string[] = [];
  for (let frame = outflow.next(); frame; frame = outflow.next()) order.push(textOf(frame)?.[0] ?? '?');
  expect(order).toEqual(['y', 'x', 'y', 'x', 'y', 'x']);
  outflow.reset();
  expect(flows.every((flow) => flow.taskRef === 0)).toBe(true);
});

test('what cannot be read back is lost, and no reason to stop: the end must still be told', async () => {
  const path = join(dir, 'unreadable');
  mkdirSync(path); // opens and has a size, but each read of it fails
  const stream = new SpoolStream(path);
  expect(stream.produced).toBeGreaterThan(0);
  expect(stream.read(Buffer.alloc(10), 0, 10)).toBe(0);
  expect(await stream.finish(signal)).toEqual({ bytes: 0, sha256: sha256(Buffer.alloc(0)) });
  stream.close();
});
