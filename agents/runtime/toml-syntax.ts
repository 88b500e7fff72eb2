// A parser's verdict on a text that is not TOML → where the mistake began, a plain sentence, and what to write instead. Pure.
import type { SyntaxKind } from './toml-words.ts';

/** A place in a text file; line and column count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One complaint about a file. `path` is the dotted key, empty for the whole file. */
export interface Problem {
  readonly place: Place | undefined;
  readonly path: string;
  readonly message: string;
  readonly remedy?: string | undefined;
}

/** What the parser said, of what kind that is, and where it gave up. */
export interface SyntaxVerdict {
  readonly said: string;
  readonly kind: SyntaxKind;
  readonly place: Place;
}

type Judged = Pick<Problem, 'message' | 'remedy'> & { readonly place?: Place | undefined };

/** The parser stops where it cannot go on; the operator has to look where it went wrong. */
export function explainSyntax(text: string, { said, kind, place }: SyntaxVerdict): Problem {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  const line = lines[place.line - 1] ?? '';
  const judged = judge({ said, kind, place, text, lines, line });
  return { path: '', place: judged.place ?? place, message: judged.message, remedy: judged.remedy };
}

interface Case {
  readonly said: string;
  readonly kind: SyntaxKind;
  readonly place: Place;
  readonly text: string;
  readonly lines: readonly string[];
  readonly line: string;
}

function judge(at: Case): Judged {
  const { said, kind, place, line } = at;
  if (kind === 'control-character') return openString(at) ?? controlCharacter(at);
  if (kind === 'open-string') return unfinished(at);
  if (kind === 'twice') return twice(at);
  if (kind === 'open-bracket') return openBracket(at);
  if (kind === 'escape') {
    const start = line.lastIndexOf('\\', place.column - 1);
    const sequence = /^\\(u\S{0,4}|U\S{0,8}|.)/.exec(line.slice(Math.max(0, start)))?.[0] ?? 'this';
    const remedy = "write a backslash as \\\\, or use 'single quotes', where nothing is escaped";
    const backslash = start === -1 ? place : { line: place.line, column: start + 1 };
    return { place: backslash, message: `${sequence} is not a TOML escape sequence`, remedy };
  }
  if (kind === 'leading-zero') {
    return { message: 'numbers must not start with 0', remedy: 'remove the leading zero; octal is written 0o755' };
  }
  if (kind === 'too-large') {
    return { message: 'this number is too large', remedy: 'the largest is 9007199254740991' };
  }
  if (kind === 'key') return brokenKey(at);
  if (kind === 'value') return brokenValue(at);
  if (kind === 'number') return brokenValue(valueAt(at) ?? at);
  if (kind === 'no-key')
    return { message: 'a name is missing here', remedy: 'write KEY = VALUE, or a heading as [NAME]' };
  if (kind === 'rest-of-line') {
    // What begins like a value (inf in info) and goes on without a blank is one wrong word.
    const value = /[\w.-]/.test(line[place.column - 2] ?? '') ? valueAt(at) : undefined;
    if (value) return brokenValue(value);
    const rest = line.slice(place.column - 1).trim();
    return { message: `${quote(rest || 'a lone carriage return')} is not allowed here`, remedy: ONE_A_LINE };
  }
  return { message: said, remedy: ONE_A_LINE };
}

function valueAt(at: Case): Case | undefined {
  const before = /^[^=]*=\s*(?=[\w+-])/.exec(at.line)?.[0].length;
  return before === undefined ? undefined : { ...at, place: { line: at.place.line, column: before + 1 } };
}

const ONE_A_LINE = 'write one KEY = VALUE per line; quote strings with "…"; comments start with #';

// A text that runs into the end of its line: what matters is where it began.
function openString({ place, line }: Case): Judged | undefined {
  if (place.column <= line.length) return undefined;
  const start = openQuote(line);
  if (start === undefined) return undefined;
  const mark = line[start] as string;
  return {
    place: { line: place.line, column: start + 1 },
    message: `unterminated string: the line ends before the closing quote`,
    remedy: `add ${mark} at its end; for a multi-line string use ${mark.repeat(3)}`,
  };
}

function openQuote(line: string): number | undefined {
  let open: number | undefined;
  for (let index = 0; index < line.length; index++) {
    const character = line[index];
    if (open === undefined) {
      if (character === '#') return undefined;
      if (character === '"' || character === "'") open = index;
    } else if (character === '\\' && line[open] === '"') index++;
    else if (character === line[open]) open = undefined;
  }
  return open;
}

function controlCharacter({ place, line }: Case): Judged {
  const code = (line.codePointAt(place.column - 1) ?? 0).toString(16).padStart(4, '0');
  return {
    message: `a control character (U+${code.toUpperCase()}) is not allowed in a string`,
    remedy: `write it as \\u${code}`,
  };
}

function unfinished({ place, line }: Case): Judged {
  const rest = line.slice(place.column - 1);
  const mark = /^("""|'''|"|')/.exec(rest)?.[0] ?? '"';
  return { message: 'unterminated string', remedy: `add ${mark} at its end` };
}

function twice({ place, lines, line }: Case): Judged {
  const header = /^\s*\[+\s*([^\]]+?)\s*\]/.exec(line)?.[1];
  const name = header ?? /^\s*([^=]+?)\s*=/.exec(line)?.[1] ?? line.trim();
  const earlier =
    header === undefined ? earlierKey(lines, place.line - 1, name) : earlierTable(lines, place.line - 1, name);
  const where = earlier === undefined ? '' : `; first defined on line ${earlier + 1}`;
  const what = header === undefined ? name : `[${header}]`;
  const remedy =
    header === undefined ? 'remove one of the two' : `put all keys of ${what} below one heading and remove the other`;
  return { message: `${what} is a duplicate ${header === undefined ? 'key' : 'table'}${where}`, remedy };
}

function earlierTable(lines: readonly string[], before: number, name: string): number | undefined {
  const found = lines.slice(0, before).findIndex((line) => {
    const heading = /^\s*\[+\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    // [a] after a.b = 1 is the same table.
    return (
      heading === name || line.trim().startsWith(`${name}.`) || new RegExp(`^\\s*${escaped(name)}\\s*=`).test(line)
    );
  });
  return found === -1 ? undefined : found;
}

function earlierKey(lines: readonly string[], before: number, name: string): number | undefined {
  for (let index = before - 1; index >= 0; index--) {
    const line = lines[index] ?? '';
    if (/^\s*\[/.test(line)) return undefined;
    if (new RegExp(`^\\s*${escaped(name)}\\s*[=.]`).test(line)) return index;
  }
  return undefined;
}

function escaped(text: string): string {
  return text.replace(/[^\w-]/g, '\\$&');
}

// The parser notices a missing ] or } where the next thing begins, which may be many lines further down.
function openBracket({ place, lines }: Case): Judged {
  const open: { character: string; place: Place }[] = [];
  lines.slice(0, place.line).forEach((whole, index) => {
    const line = index === place.line - 1 ? whole.slice(0, place.column - 1) : whole;
    let quote: string | undefined;
    for (let column = 0; column < line.length; column++) {
      const character = line[column] as string;
      if (quote !== undefined) {
        if (character === '\\' && quote === '"') column++;
        else if (character === quote) quote = undefined;
      } else if (character === '#') break;
      else if (character === '"' || character === "'") quote = character;
      else if (character === '[' || character === '{')
        open.push({ character, place: { line: index + 1, column: column + 1 } });
      else if (character === ']' || character === '}') open.pop();
    }
  });
  const last = open.at(-1);
  if (!last) return { message: 'a comma or a closing bracket is missing', remedy: ONE_A_LINE };
  const [what, end] = last.character === '[' ? ['list', ']'] : ['table', '}'];
  return {
    place: last.place,
    message: `the ${what} that begins here is not closed, or a comma is missing in it`,
    remedy: `put commas between its entries, and ${end} at its end`,
  };
}

function brokenKey({ place, line, text }: Case): Judged {
  const indent = line.length - line.trimStart().length;
  const here = { line: place.line, column: indent + 1 };
  const trimmed = line.trim();
  if (/^\s*\{/.test(text)) {
    return {
      place: here,
      message: 'this looks like JSON; the file has to be TOML',
      remedy: 'write KEY = VALUE lines, without braces and commas',
    };
  }
  if (trimmed.startsWith('[')) {
    return {
      place: here,
      message: 'the heading that begins here is not closed',
      remedy: `end it with ]: ${trimmed.replace(/[\s#].*$/, '')}]`,
    };
  }
  if (/^(;|\/\/|--)/.test(trimmed))
    return { place: here, message: 'a comment begins with #', remedy: 'put # in front of it' };
  const colon = /^[\w."-]+\s*:/.exec(trimmed)?.[0];
  if (colon !== undefined) {
    const key = colon.replace(/\s*:$/, '');
    return {
      place: { line: place.line, column: indent + colon.length },
      message: 'a key and its value are joined by =, not by :',
      remedy: `write ${key} = VALUE; quote strings with "…"`,
    };
  }
  if (!trimmed.includes('=')) {
    return { place: here, message: `${quote(trimmed)} is neither KEY = VALUE nor a [table]`, remedy: ONE_A_LINE };
  }
  return {
    message: 'this character is not allowed in a key',
    remedy: 'keys consist of A-Z a-z 0-9 _ -; quote any other key',
  };
}

function brokenValue({ place, line }: Case): Judged {
  const rest = line.slice(place.column - 1).trim();
  const word = rest.replace(/\s*#.*$/, '');
  const key = /^\s*([^=]+?)\s*=/.exec(line)?.[1] ?? 'KEY';
  if (word === '') {
    const empty = { line: place.line, column: Math.min(place.column, line.length) };
    return { place: empty, message: `${key} has no value`, remedy: `write one after =, or delete the line` };
  }
  if (/^(true|false)$/i.test(word))
    return { place, message: `${word} is not a value`, remedy: `write ${key} = ${word.toLowerCase()}` };
  if (/^[“”„«»‘’]/.test(word)) return { message: 'these are typographic quotes', remedy: 'use the straight ones: "' };
  if (/^(null|nil|none|undefined)$/i.test(word))
    return { message: `TOML has no ${word}`, remedy: 'delete the line to get the default' };
  return {
    place,
    message: `${quote(word)} is not a value`,
    remedy: `quote strings: ${key} = ${JSON.stringify(word)}`,
  };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 39)}…` : text);
}
