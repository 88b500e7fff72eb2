// Tokens → directives with file and line, and includes resolved against a map of files. Never reads a disk.
import type { NginxFile, NginxFiles } from '../engine/index.ts';
import { lex, type Token } from './lexer.ts';

export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  readonly block: readonly Directive[] | null;
  readonly file: string;
  readonly line: number;
  readonly span: Span;
}

/** Offsets in the directive's file: from its name to its semicolon or closing brace, and the inside of its block. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly inside: { readonly start: number; readonly end: number } | null;
}

export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export interface Configuration {
  readonly directives: readonly Directive[];
  readonly problems: readonly Problem[];
  /** Files named by an include that are not in the map: what they hold is not known. */
  readonly missing: readonly string[];
}

/** Parses the entry file with everything that it includes. */
export function parseNginx(input: NginxFiles): Configuration {
  const context: Context = {
    files: new Map(input.files.map((file) => [file.path, file])),
    prefix: input.entry.replace(/\/[^/]*$/, ''),
    problems: [],
    missing: new Set(input.unreadable),
    depth: 0,
  };
  const entry = context.files.get(input.entry);
  if (!entry) return { directives: [], problems: [], missing: [input.entry] };
  const directives = parseFile(entry, context);
  return { directives, problems: context.problems, missing: [...context.missing] };
}

interface Context {
  readonly files: ReadonlyMap<string, NginxFile>;
  readonly prefix: string;
  readonly problems: Problem[];
  readonly missing: Set<string>;
  depth: number;
}

function parseFile(file: NginxFile, context: Context): readonly Directive[] {
  const lexed = lex(file.text);
  if (!lexed.ok) {
    context.problems.push({ file: file.path, line: lexed.line, message: lexed.message });
    return [];
  }
  const cursor = { tokens: lexed.tokens, at: 0, file: file.path };
  const directives = parseBlock(cursor, context, true);
  return directives;
}

interface Cursor {
  readonly tokens: readonly Token[];
  at: number;
  readonly file: string;
}

function parseBlock(cursor: Cursor, context: Context, top: boolean): readonly Directive[] {
  const found: Directive[] = [];
  const complain = (line: number, message: string) => context.problems.push({ file: cursor.file, line, message });
  for (;;) {
    const token = cursor.tokens[cursor.at];
    if (!token) {
      if (!top) complain(cursor.tokens.at(-1)?.line ?? 1, 'a block is never closed, expecting "}"');
      return found;
    }
    cursor.at += 1;
    if (token.type === '}') {
      if (!top) return found;
      complain(token.line, 'unexpected "}"');
      continue;
    }
    if (token.type !== 'word') {
      complain(token.line, `unexpected "${token.type}"`);
      continue;
    }
    const args: string[] = [];
    let next = cursor.tokens[cursor.at];
    while (next?.type === 'word') {
      args.push(next.value);
      cursor.at += 1;
      next = cursor.tokens[cursor.at];
    }
    const base = { name: token.value, args, file: cursor.file, line: token.line };
    cursor.at += 1;
    const spanTo = (end: number, inside: Span['inside'] = null): Span => ({ start: token.start, end, inside });
    if (!next || next.type === '}') {
      complain(token.line, `directive "${token.value}" is not terminated by ";"`);
      if (next) cursor.at -= 1;
    } else if (next.type === ';') {
      if (token.value === 'include') found.push(...include(base, context));
      else found.push({ ...base, block: null, span: spanTo(next.end) });
    } else {
      const block = parseBlock(cursor, context, false);
      const close = cursor.tokens[cursor.at - 1];
      const end = close?.end ?? next.end;
      found.push({ ...base, block, span: spanTo(end, { start: next.end, end: close?.start ?? next.end }) });
    }
  }
}

/** nginx nests includes without a limit of its own; a file that includes itself would never end. */
const deepest = 20;

function include(
  directive: { readonly args: readonly string[]; readonly file: string; readonly line: number },
  context: Context,
): readonly Directive[] {
  const pattern = directive.args[0] ?? '';
  const path = pattern.startsWith('/') ? pattern : `${context.prefix}/${pattern}`;
  if (context.depth >= deepest) {
    context.problems.push({ file: directive.file, line: directive.line, message: 'includes are nested too deeply' });
    return [];
  }
  const isGlob = /[*?[]/.test(path);
  const named = new Set([...context.files.keys(), ...context.missing]);
  const paths = isGlob ? [...named].filter((name) => globPattern(path).test(name)).sort() : [path];
  context.depth += 1;
  const found = paths.flatMap((name) => {
    const file = context.files.get(name);
    if (file) return parseFile(file, context);
    context.missing.add(name);
    // The include stays visible as itself, so that whoever follows a request knows where something is missing.
    const span = { start: 0, end: 0, inside: null };
    return [{ name: 'include', args: [name], block: null, file: directive.file, line: directive.line, span }];
  });
  context.depth -= 1;
  return found;
}

function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '[^/]*')
    .replace(/\?/g, '[^/]');
  return new RegExp(`^${source.replace(/\[!/g, '[^')}$`);
}

/** Splits the output of `nginx -T` into its files. */
export function parseDump(output: string): NginxFiles {
  const files: NginxFile[] = [];
  let path: string | null = null;
  let lines: string[] = [];
  const close = () => {
    if (path !== null) files.push({ path, text: lines.join('\n'), mtimeMs: null });
  };
  for (const line of output.split('\n')) {
    const header = line.match(/^# configuration file (.+):$/);
    if (header) {
      close();
      path = header[1] ?? '';
      lines = [];
    } else lines.push(line);
  }
  close();
  return { entry: files[0]?.path ?? '/etc/nginx/nginx.conf', files, unreadable: [] };
}
