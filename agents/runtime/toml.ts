// TOML text → plain values plus the place of every key, so that a later complaint can name file:line:col.
import { parse, TomlError } from 'smol-toml';
import { type AST, parseTOML } from 'toml-eslint-parser';
import { explainSyntax, type Place, type Problem } from './toml-syntax.ts';
import { syntaxOf } from './toml-words.ts';

/** A parsed document: values, and where each key and each value stands. */
export interface TomlDocument {
  readonly values: Record<string, unknown>;
  /** Place of the value at a dotted path (array items by index); of its nearest known ancestor when it has none. */
  placeOf(path: readonly (string | number)[]): Place | undefined;
  /** Place of the key at a dotted path. */
  keyPlaceOf(path: readonly (string | number)[]): Place | undefined;
}

/** Parses TOML. On a syntax error gives one problem with its place instead. */
export function parseToml(source: string): { ok: true; document: TomlDocument } | { ok: false; problem: Problem } {
  // Some editors begin every file with a byte order mark; it means nothing in UTF-8.
  const text = source.replace(/^\uFEFF/, '');
  let values: Record<string, unknown>;
  try {
    values = parse(text) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const place = { line: error.line, column: error.column };
    return { ok: false, problem: explainSyntax(text, { ...syntaxOf(error), place }) };
  }
  const places = collectPlaces(text);
  const find = (map: ReadonlyMap<string, Place>, path: readonly (string | number)[]): Place | undefined => {
    for (let length = path.length; length > 0; length--) {
      const place = map.get(path.slice(0, length).join('\0'));
      if (place) return place;
    }
    return undefined;
  };
  return {
    ok: true,
    document: {
      values,
      placeOf: (path) => find(places.values, path),
      keyPlaceOf: (path) => find(places.keys, path),
    },
  };
}

interface Places {
  readonly keys: Map<string, Place>;
  readonly values: Map<string, Place>;
}

// Only positions are taken from the AST: the values come from smol-toml, since getStaticTOMLValue pollutes Object.prototype.
function collectPlaces(text: string): Places {
  const places: Places = { keys: new Map(), values: new Map() };
  let program: AST.TOMLProgram;
  try {
    program = parseTOML(text, { tomlVersion: '1.0' });
  } catch {
    return places; // Two parsers may differ about an oddity; values without places still do their work.
  }
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLTable') {
      const path = node.resolvedKey.map(String);
      note(places, path, { key: node.key, value: node.key });
      for (const entry of node.body) visitKeyValue(entry, path, places);
    } else visitKeyValue(node, [], places);
  }
  return places;
}

function visitKeyValue(node: AST.TOMLKeyValue, prefix: readonly string[], places: Places): void {
  let path = [...prefix];
  for (const part of node.key.keys) {
    path = [...path, part.type === 'TOMLBare' ? part.name : part.value];
    if (!places.keys.has(path.join('\0'))) note(places, path, { key: part, value: node.value });
  }
  visitValue(node.value, path, places);
}

function visitValue(node: AST.TOMLContentNode, path: readonly string[], places: Places): void {
  if (node.type === 'TOMLInlineTable') for (const entry of node.body) visitKeyValue(entry, path, places);
  if (node.type !== 'TOMLArray') return;
  node.elements.forEach((element, index) => {
    const itemPath = [...path, String(index)];
    note(places, itemPath, { key: element, value: element });
    visitValue(element, itemPath, places);
  });
}

function note(places: Places, path: readonly string[], nodes: { key: AST.TOMLNode; value: AST.TOMLNode }): void {
  const id = path.join('\0');
  if (!places.keys.has(id)) places.keys.set(id, placeOfNode(nodes.key));
  if (!places.values.has(id)) places.values.set(id, placeOfNode(nodes.value));
}

function placeOfNode(node: AST.TOMLNode): Place {
  return { line: node.loc.start.line, column: node.loc.start.column + 1 };
}
