// The price of a new part in files, against the sources as they are: a probe with its fact at most four, a cause with its world two.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newCause, newProbe } from './new-parts.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string | null => {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return null;
  }
};

test('a new probe with its fact touches at most four files', () => {
  const laid = newProbe('open-files', read);
  expect(laid.map((file) => file.path)).toEqual([
    'doctor/probes/open-files.ts',
    'doctor/engine/vocabulary/facts.ts',
    'doctor/probes/host-probes.ts',
    'doctor/probes/cases/open-files/example.json',
  ]);
  for (const { path, text } of laid) expect(text, path).not.toBe(read(path));
});

test.each(['BE-90', 'DOC-90', 'NGX-90', 'NGR-90', 'TLS-90', 'NET-90', 'SYS-90', 'CFG-90', 'CMD-90'])(
  'a new cause %s touches two files',
  (code) => {
    const laid = newCause(code, read);
    expect(laid).toHaveLength(2);
    for (const { text } of laid) expect(text.split(code)).toHaveLength(text.includes('necessary') ? 3 : 4);
  },
);

test.each([
  ['a code without a family', () => newCause('XX-01', read)],
  ['a code that is taken', () => newCause('BE-01', read)],
  ['a name that is no file', () => newProbe('../open', read)],
  ['a probe that is there', () => newProbe('host', read)],
])('%s is refused', (_name, make) => {
  expect(make).toThrow(/\S+ is /);
});
