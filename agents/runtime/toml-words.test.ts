// The sentences of the installed smol-toml: one that is reworded or new has to be looked at before the version moves.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SMOL_TOML } from './toml-words.ts';

const dist = new URL('../../node_modules/smol-toml/dist/', import.meta.url);

test('each sentence of the parser is known, and no other', () => {
  const source = readdirSync(dist)
    .filter((name) => name.endsWith('.js') && name !== 'index.js')
    .map((name) => readFileSync(new URL(name, dist), 'utf8'))
    .join('\n');
  const said = [...source.matchAll(/TomlError(?:\.x)?\(\s*(?:[\w. ]+=== null\s*\?\s*)?(['"`])(.*?)\1/g)].map(
    (match) => match[2] ?? '',
  );
  expect([...new Set(said)].sort()).toEqual(Object.keys(SMOL_TOML).sort());
});
