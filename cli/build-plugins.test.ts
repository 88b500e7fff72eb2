// What the bundler rewrites before it looks: doors and built-ins, and nothing else.
import { expect, test } from 'vitest';
import { openBuiltIns, openDoors, readDoor } from './build-plugins.ts';

const DOOR = `// A room.
export { type A, b, c as d } from './one.ts';
export {
  e,
  type F,
} from './deep/two.ts';
export type { G } from './three.ts';
export * as http from './http.ts';
`;

test('a door lists its values, not its types', () => {
  expect([...readDoor(DOOR)]).toEqual([
    ['b', { file: './one.ts', name: 'b' }],
    ['d', { file: './one.ts', name: 'c' }],
    ['e', { file: './deep/two.ts', name: 'e' }],
    ['http', { file: './http.ts', name: '*' }],
  ]);
});

const open = (text: string): string => openDoors(text, () => readDoor(DOOR));

test.each([
  ["import { b } from '../room/index.ts';", "import { b as b } from '../room/one.ts';"],
  [
    "import { type A, d as x, http } from './index.ts';",
    "import { c as x } from './one.ts'; import * as http from './http.ts';",
  ],
  ["import {\n  e,\n} from '../room/index.ts';", "import { e as e } from '../room/deep/two.ts';"],
  ["import type { A } from '../room/index.ts';", "import type { A } from '../room/index.ts';"],
  ["import { unknown } from '../room/index.ts';", "import { unknown } from '../room/index.ts';"],
  ["import { b } from '../room/other.ts';", "import { b } from '../room/other.ts';"],
])('%s', (text, expected) => {
  expect(open(text)).toBe(expected);
});

const from = (name: string): string => `globalThis.process.getBuiltinModule('node:${name}')`;

test.each([
  ["import { join, type ParsedPath } from 'node:path';", `const { join } = ${from('path')};`],
  ["import { request as plain } from 'node:http';", `const { request: plain } = ${from('http')};`],
  ["import process from 'node:process';", `const process = ${from('process')};`],
  ["import * as os from 'node:os';", `const os = ${from('os')};`],
  ["import fs, { stat } from 'node:fs';", `const fs = ${from('fs')}; const { stat } = ${from('fs')};`],
  ["import type { Readable } from 'node:stream';", "import type { Readable } from 'node:stream';"],
  ["import { type Readable } from 'node:stream';", ''],
  ["import x from 'pkg';", "import x from 'pkg';"],
  ["const text = `import { join } from 'node:path';`;", "const text = `import { join } from 'node:path';`;"],
])('%s', (text, expected) => {
  expect(openBuiltIns(text)).toBe(expected);
});
