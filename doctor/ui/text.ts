// Text in a given number of columns: styled pieces, wrapping, cutting, and the glyphs of this terminal. Pure; knows no ink.

/** A piece of a line. State is carried by word and glyph; colour only repeats it. */
export interface Piece {
  readonly text: string;
  readonly tone?: 'good' | 'bad' | 'warn' | 'dim' | 'strong' | 'mark' | undefined;
}

export type Line = readonly Piece[];

export interface Glyphs {
  readonly ok: string;
  readonly fail: string;
  readonly warn: string;
  readonly unknown: string;
  readonly blocked: string;
  readonly dash: string;
  readonly open: string;
  readonly close: string;
  readonly dot: string;
  readonly closed: string;
  readonly ellipsis: string;
  readonly keys: { readonly move: string; readonly enter: string };
}

const unicode: Glyphs = {
  ok: '✓',
  fail: '✗',
  warn: '!',
  unknown: '?',
  blocked: '⋯',
  dash: '─',
  open: '▐',
  close: '▌',
  dot: '●',
  closed: '▸',
  ellipsis: '…',
  keys: { move: '↑↓', enter: '⏎' },
};

const ascii: Glyphs = {
  ok: '+',
  fail: 'x',
  warn: '!',
  unknown: '?',
  blocked: '.',
  dash: '-',
  open: '[',
  close: ']',
  dot: '*',
  closed: '>',
  ellipsis: '~',
  keys: { move: 'j/k', enter: 'Enter' },
};

/** By the locale: what a terminal cannot show would be worse than plain letters. */
export function glyphsFor(env: Readonly<Record<string, string | undefined>>): Glyphs {
  return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '') ? unicode : ascii;
}

/** Without the glyphs, reports keep their typographic characters; a terminal that has none gets the nearest letters. */
export function plainLetters(text: string, glyphs: Glyphs): string {
  if (glyphs === unicode) return text;
  return text
    .replaceAll('→', '->')
    .replaceAll('…', '...')
    .replaceAll('·', '-')
    .replaceAll(/[’‘]/g, "'")
    .replaceAll(/[–—]/g, '-')
    .replaceAll(/[“”]/g, '"')
    .replaceAll(/[^\x20-\x7e]/g, '?');
}

export function lengthOf(line: Line): number {
  return line.reduce((sum, piece) => sum + piece.text.length, 0);
}

/** Cuts a line at its end. */
export function cut(line: Line, width: number, glyphs: Glyphs): Line {
  let left = width;
  const out: Piece[] = [];
  for (const piece of line) {
    if (left <= 0) break;
    const isLast = piece.text.length > left;
    out.push(isLast ? { ...piece, text: `${piece.text.slice(0, left - 1)}${glyphs.ellipsis}` } : piece);
    left -= piece.text.length;
  }
  return out;
}

/** Breaks prose at blanks; a word that is too long alone is broken hard. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter(Boolean)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  if (line !== '') lines.push(line);
  return lines;
}

/** A paragraph with a word in front of its first line. */
export function labelled(label: string, text: string, width: number): readonly Line[] {
  const indent = label === '' ? 0 : 5;
  return wrap(text, Math.max(10, width - indent)).map((part, index) =>
    indent === 0
      ? [{ text: part }]
      : [{ text: (index === 0 ? label : '').padEnd(indent), tone: 'dim' }, { text: part }],
  );
}
