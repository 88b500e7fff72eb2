// Frames of every released version: never edited once released, decoded by every later version.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame } from './codec.ts';
import { FRAME_TYPES, FROM_BACKEND, FROM_GATEWAY } from './envelope.ts';
import { PROTOCOL_VERSION } from './version.ts';

const root = new URL('./golden/', import.meta.url);
const versions = readdirSync(root);
const goldens = versions.flatMap((version) =>
  readdirSync(new URL(`${version}/`, root)).map((name) => ({
    version,
    type: name.replace(/\.json$/, ''),
    text: readFileSync(new URL(`${version}/${name}`, root), 'utf8'),
  })),
);

test.each(goldens)('$version $type is understood and written back as it was', ({ type, text }) => {
  const decoded = decodeFrame(text);
  expect(decoded).toMatchObject({ ok: true, frame: { type } });
  if (decoded.ok) expect(JSON.parse(encodeFrame(decoded.frame))).toEqual(JSON.parse(text));
});

test('every frame type of this version has a golden and a sender', () => {
  const current = goldens.filter((golden) => golden.version === `v${PROTOCOL_VERSION}`).map((golden) => golden.type);
  expect([...current].sort()).toEqual([...FRAME_TYPES].sort());
  expect([...new Set([...FROM_BACKEND, ...FROM_GATEWAY])].sort()).toEqual([...FRAME_TYPES].sort());
});

test.each(goldens)('$version $type with a field of a newer peer is understood without it', ({ text }) => {
  const original = JSON.parse(text);
  const decoded = decodeFrame(JSON.stringify({ ...original, fromTheFuture: { deep: true } }));
  expect(decoded.ok && decoded.frame).toEqual(original);
});

test.each(goldens)('$version $type with any field of a wrong type is refused, not thrown', ({ text }) => {
  const original = JSON.parse(text) as Record<string, unknown>;
  for (const key of Object.keys(original)) {
    for (const wrong of [null, -1.5, { a: 1 }, ['x']]) {
      if (JSON.stringify(original[key])?.[0] === JSON.stringify(wrong)?.[0] && typeof wrong === 'object') continue;
      expect(decodeFrame(JSON.stringify({ ...original, [key]: wrong })).ok, `${key} = ${JSON.stringify(wrong)}`).toBe(
        false,
      );
    }
  }
});
