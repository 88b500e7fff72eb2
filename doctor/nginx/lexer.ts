// nginx's own token rules: words end at blank, ; or {; quotes and comments count only at the start of a word; ${ does not open a block.

export interface Token {
  readonly type: 'word' | ';' | '{' | '}';
  readonly value: string;
  readonly quoted: boolean;
  readonly line: number;
  /** Offsets in the text, quotes included. */
  readonly start: number;
  readonly end: number;
}

export type LexResult =
  | { readonly ok: true; readonly tokens: readonly Token[] }
  | { readonly ok: false; readonly line: number; readonly message: string };

const escapes: Readonly<Record<string, string>> = { '"': '"', "'": "'", '\\': '\\', t: '\t', r: '\r', n: '\n' };

/** Splits one configuration file into tokens. Bad input is ordinary: it comes back as a message with its line. */
export function lex(text: string): LexResult {
  const tokens: Token[] = [];
  let line = 1;
  let at = 0;
  const blank = (char: string | undefined) => char === ' ' || char === '\t' || char === '\r' || char === '\n';
  while (at < text.length) {
    const char = text[at];
    if (char === '\n') line += 1;
    if (blank(char)) {
      at += 1;
    } else if (char === '#') {
      while (at < text.length && text[at] !== '\n') at += 1;
    } else if (char === ';' || char === '{' || char === '}') {
      tokens.push({ type: char, value: char, quoted: false, line, start: at, end: at + 1 });
      at += 1;
    } else if (char === '"' || char === "'") {
      const start = line;
      const read = readQuoted(text, at + 1, char);
      if (!read) return { ok: false, line: start, message: `a quote is never closed` };
      tokens.push({ type: 'word', value: read.value, quoted: true, line: start, start: at, end: read.end });
      line += read.lines;
      at = read.end;
      const next = text[at];
      if (next !== undefined && !blank(next) && next !== ';' && next !== '{' && next !== ')') {
        return { ok: false, line, message: `unexpected "${next}" after a quoted word` };
      }
    } else {
      const read = readWord(text, at);
      tokens.push({ type: 'word', value: read.value, quoted: false, line, start: at, end: read.end });
      line += read.lines;
      at = read.end;
    }
  }
  return { ok: true, tokens };
}

interface ReadWord {
  readonly value: string;
  readonly end: number;
  readonly lines: number;
}

function readQuoted(text: string, from: number, quote: string): ReadWord | null {
  let value = '';
  let lines = 0;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === quote) return { value, end: at + 1, lines };
    if (char === '\n') lines += 1;
    if (char === '\\') {
      const step = unescapeAt(text, at);
      value += step;
      at += 1;
    } else value += char;
  }
  return null;
}

function readWord(text: string, from: number): ReadWord {
  let value = '';
  let lines = 0;
  let at = from;
  for (; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (/[\s;]/.test(char)) break;
    if (char === '{' && text[at - 1] !== '$') break;
    if (char === '\\' && at + 1 < text.length) {
      value += unescapeAt(text, at);
      if (text[at + 1] === '\n') lines += 1;
      at += 1;
    } else value += char;
  }
  return { value, end: at, lines };
}

/** What a backslash and the character after it stand for; unknown pairs stay as they are, which regexes need. */
function unescapeAt(text: string, at: number): string {
  const next = text[at + 1] ?? '';
  return escapes[next] ?? `\\${next}`;
}
