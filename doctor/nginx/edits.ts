// Edits of a parsed configuration by offsets: what is replaced stays where it stood, with the indentation of its neighbours.
import type { NginxFiles } from '../engine/index.ts';
import type { FileEdit } from './diff.ts';
import type { Directive } from './parse.ts';

export interface Edits {
  replace(directive: Directive, text: string): void;
  /** The directive with its line, where nothing else stands on it. */
  remove(directive: Directive): void;
  /** Above the directive and the comment that belongs to it. */
  before(directive: Directive, lines: readonly string[]): void;
  /** At the end of the block. */
  append(block: Directive, lines: readonly string[]): void;
  /** The files that change. */
  result(): readonly FileEdit[];
}

interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export function createEdits(files: NginxFiles): Edits {
  const changes = new Map<string, Change[]>();
  const textOf = (path: string) => files.files.find((file) => file.path === path)?.text ?? '';
  const add = (path: string, change: Change) => changes.set(path, [...(changes.get(path) ?? []), change]);
  const lineStart = (text: string, at: number) => text.lastIndexOf('\n', at - 1) + 1;
  /** '' where something else stands before it on its line. */
  const indentOf = ({ file, span }: Directive) => {
    const text = textOf(file);
    return /^[ \t]*$/.exec(text.slice(lineStart(text, span.start), span.start))?.[0] ?? '';
  };
  return {
    replace: ({ file, span }, text) => add(file, { start: span.start, end: span.end, text }),
    remove: ({ file, span }) => {
      const text = textOf(file);
      const start = lineStart(text, span.start);
      const after = /^[ \t]*(?:#[^\n]*)?\n/.exec(text.slice(span.end));
      const isAlone = text.slice(start, span.start).trim() === '' && after !== null;
      add(file, isAlone ? { start, end: span.end + after[0].length, text: '' } : { ...span, text: '' });
    },
    before: (directive, lines) => {
      const { file, span } = directive;
      const text = textOf(file);
      const indent = indentOf(directive);
      let start = span.start - indent.length;
      const isOwnLine = start === lineStart(text, span.start);
      while (isOwnLine && start > 0 && /^[ \t]*#/.test(text.slice(lineStart(text, start - 1), start)))
        start = lineStart(text, start - 1);
      add(file, { start, end: start, text: lines.map((line) => `${indent}${line}\n`).join('') });
    },
    append: (block, lines) => {
      const { file, span } = block;
      if (!span.inside) return;
      const indent = indentOf(block);
      const text = textOf(file);
      const inner = lines.map((line) => `${indent}    ${line}\n`).join('');
      const start = lineStart(text, span.inside.end);
      const isOwnLine = text.slice(start, span.inside.end).trim() === '' && start > span.inside.start;
      if (isOwnLine) add(file, { start, end: start, text: inner });
      else add(file, { start: span.inside.end, end: span.inside.end, text: `\n${inner}${indent}` });
    },
    result: () =>
      [...changes].map(([path, list]) => {
        const before = textOf(path);
        // From the end, so that offsets before it stay true; of two at one place the earlier was meant to come first.
        const ordered = list.map((change, index) => ({ change, index }));
        ordered.sort((a, b) => b.change.start - a.change.start || b.index - a.index);
        const after = ordered.reduce(
          (text, { change }) => text.slice(0, change.start) + change.text + text.slice(change.end),
          before,
        );
        return { path, before, after };
      }),
  };
}
