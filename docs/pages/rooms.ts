// The picture of the rooms in ARCHITECTURE.md, drawn from the table that the import rules are made of.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from './page.ts';

interface Room {
  readonly room: string;
  readonly rooms: readonly string[];
  readonly packages: readonly string[];
  readonly node: boolean;
  readonly door: boolean;
}

const START = '<!-- rooms: made by `npm run docs` from test/conventions/rooms.cjs -->';
const END = '<!-- /rooms -->';

/** ARCHITECTURE.md with its picture drawn anew. */
export function roomsPage(root: string): Page {
  const rooms = createRequire(import.meta.url)('../../test/conventions/rooms.cjs') as readonly Room[];
  const id = (name: string): string => name.replaceAll(/[^a-z]/g, '_');
  const nodes = rooms.map(
    (row) => `  ${id(row.room)}["${row.room}${row.node ? '' : ' · pure'}${row.door ? ' · door' : ''}"]`,
  );
  const edges = rooms.flatMap((row) => row.rooms.map((target) => `  ${id(row.room)} --> ${id(target)}`));
  const picture = ['```mermaid', 'flowchart LR', ...nodes, ...edges, '```'].join('\n');
  const text = readFileSync(`${root}ARCHITECTURE.md`, 'utf8');
  const [before, rest] = text.split(START);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error('ARCHITECTURE.md has lost its rooms markers');
  return { path: 'ARCHITECTURE.md', text: `${before}${START}\n${picture}\n${END}${after}` };
}
