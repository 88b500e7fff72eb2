// Values by the name that stands before them: TOML, INI, YAML, JSON, XML, environment, headers, queries, options, nginx directives. Pure.
import type { Cut, Shape } from './secret-shapes.ts';

// The last part of a name. Those of the second group are also ordinary words, so their values have to look like secrets.
const strong =
  'pass(?:word|wd|phrase|code|wort)|pwd|secret|token|credentials?|api[-_ ]?key|(?:private|access|secret|auth|shared|account|signing|encryption|master|session|client|preshared|hmac|aes|deploy|license|storage|webhook)[-_ ]?key|(?:proxy-)?authorization|(?:set-)?cookie|client-key-data|jwt';
const weak = 'pass|psk|auth|seed|otp|totp|sig|signature|key|code';
const word = new RegExp(`(${strong})|(?<![a-zA-Z])(${weak})(?![a-zA-Z])`, 'gi');
// What may follow the word within the name.
const suffix =
  /s?(?:[-_.]?(?:value|data|hash|b64|base64|hex|raw|text|plain|string|old|new|current|primary|secondary|\d{1,2}))?(?![\w])/iy;
const separator = /(\\{0,3}["'`\]])?[ \t]{0,8}(=>|:=|[!=]?=|!?~\*?|:|%3D|%3A|>)[ \t]{0,8}/iy;
const blank = /["']?[ \t]{1,8}/y;
const opening = /\\{0,3}(?:"""|'''|["'`])/y;
const blockScalar = /(?:![\w:-]{1,32}[ \t]{1,8})?[|>][-+]?\d?[ \t]{0,8}$/y;
const directive =
  /(?:^|[;{\s])(?:fastcgi_param|uwsgi_param|scgi_param|proxy_set_header|grpc_set_header|more_set_\w{1,20}|add_header|set|env|SetEnv|RequestHeader[ \t]{1,8}set)[ \t]{1,8}["']?\$?$/;

const harmless =
  /^(?:true|false|null|nil|undefined|none|yes|no|on|off|\[?redacted\]?|\*+|-{1,2}[a-z][\w-]*|\$\{?[a-z_]+\}?|\$\{?[A-Z_]+\}?|%[\w{}()]+|SHA256:\S*|[\w.-]*:?\/(?:etc|run|var|opt|usr|home|srv|root|tmp|mnt|data|proc|credentials)\/[\w./@%-]*)$/i;
// Prose behind a colon: `token: expired for gw-1`.
const prose =
  /^(?:invalid|expired|missing|refused|required|unknown|rejected|failed|wrong|denied|accepted|used|not|is|was|has|the|an?|error|enabled|disabled|bad|no|too|cannot|could|must|may|needs?|of|for|from|in|it|and|or|this|that|sudo|run|see|use|viworks)(?:[.,;:]?\s|[.,;:]?$)/i;
const looksRandom = /[\d=+/]|[a-z][A-Z]|^[A-Z]{12,}/;

interface Found {
  readonly line: string;
  /** Where the name's last word begins. */
  readonly at: number;
  readonly weak: string;
  readonly strong: string;
}

/** Values behind names. */
export const named: Shape = { may: new RegExp(word), find: namedCuts };

function namedCuts(line: string, cuts: Cut[]): void {
  word.lastIndex = 0;
  for (let hit = word.exec(line); hit; hit = word.exec(line)) {
    const found = { line, at: hit.index, strong: lower(hit[1]), weak: lower(hit[2]) };
    const cut = valueAfter(found, word.lastIndex);
    if (cut) cuts.push(cut);
    if (cut) word.lastIndex = Math.max(cut.to, word.lastIndex);
  }
}

const lower = (text: string | undefined): string => (text === undefined ? '' : text.toLowerCase());

function valueAfter(found: Found, end: number): Cut | undefined {
  const { line } = found;
  suffix.lastIndex = end;
  if (!suffix.test(line)) return undefined;
  const nameEnd = suffix.lastIndex;
  separator.lastIndex = nameEnd;
  const sep = separator.exec(line);
  if (sep) {
    const start = nameStart(line, found.at);
    if (sep[2] === '>' && line[start - 1] !== '<' && line[start - 1] !== ':') return undefined;
    if (sep[2] === ':' && line.startsWith('//', separator.lastIndex)) return undefined;
    return cutOf(found, { start, from: separator.lastIndex, sep: sep[2] ?? '', closed: sep[1] !== undefined });
  }
  blank.lastIndex = nameEnd;
  if (!blank.test(line)) return undefined;
  const from = blank.lastIndex;
  const start = nameStart(line, found.at);
  const option = line[start - 1] === '-' || (line[start] === '-' && start < found.at);
  const before = line.slice(Math.max(0, start - 64), start);
  if (!option && !directive.test(before)) return undefined;
  return cutOf(found, { start, from, sep: ' ', closed: false });
}

const inName: ReadonlySet<number> = new Set(
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$-'].map((letter) => letter.charCodeAt(0)),
);

/** Where the name begins; a longer one is none. */
function nameStart(line: string, at: number): number {
  let start = at;
  while (start > 0 && at - start < 64 && inName.has(line.charCodeAt(start - 1))) start -= 1;
  return start;
}

interface Place {
  readonly start: number;
  readonly from: number;
  readonly sep: string;
  /** A quote or bracket closed the name. */
  readonly closed: boolean;
}

function cutOf(found: Found, place: Place): Cut | undefined {
  const { line } = found;
  const { from } = place;
  // YAML: the value may stand alone in the next line.
  if (from >= line.length)
    return place.sep === ':' && found.weak === ''
      ? { from, to: from, open: { deeper: 'bare', column: place.start } }
      : undefined;
  if (found.weak !== '' && !weakMayBe(found, place)) return undefined;
  const first = line[from] ?? '';
  if (place.sep === ':' && (first === '|' || first === '>' || first === '!')) {
    blockScalar.lastIndex = from;
    const below = { from: line.length, to: line.length };
    if (blockScalar.test(line)) return { ...below, open: { deeper: 'all', column: place.start } };
  }
  if (first === '"' || first === "'" || first === '`' || first === '\\') {
    opening.lastIndex = from;
    const quote = opening.exec(line)?.[0];
    if (quote !== undefined) return quoted(found, from + quote.length, quote);
  }
  if (first === '[' && !line.startsWith('[redacted]', from)) {
    const end = line.indexOf(']', from);
    return end < 0 ? { from, to: line.length, open: { until: ']' } } : judged(found, { from: from + 1, to: end });
  }
  if (first === '{' || first === '(') return undefined;
  const to = bareEnd(found, place);
  const cut = judged(found, { from, to, sep: place.sep });
  return cut && line.endsWith('\\') && cut.to >= line.length - 1
    ? { ...cut, to: line.length, open: { next: true } }
    : cut;
}

/** The name is an ordinary word: only where it is a key for certain, and the value looks like no word. */
function weakMayBe(found: Found, place: Place): boolean {
  const { line, weak: name } = found;
  if (name === 'key' || name === 'code' || name === 'sig' || name === 'signature') {
    const before = line[place.start - 1];
    return place.sep === '=' && (before === '?' || before === '&');
  }
  if (name === 'pass') return place.sep !== ' ';
  weakValue.lastIndex = place.from;
  const value = weakValue.exec(line)?.[1] ?? '';
  if ((name === 'otp' || name === 'totp') && /^\d{6,8}\b/.test(value)) return true;
  return value.length >= 6 && looksRandom.test(value);
}

const weakValue = /[\\"'`]*([^\s"'\\,;&]{6,32})/y;

function quoted(found: Found, from: number, quote: string): Cut | undefined {
  const { line } = found;
  let end = line.indexOf(quote, from);
  while (quote.length === 1 && end > 0 && isEscaped(line, end, from)) end = line.indexOf(quote, end + 1);
  if (end >= 0) return judged(found, { from, to: end });
  return { from, to: line.length, open: { until: quote } };
}

function isEscaped(line: string, at: number, from: number): boolean {
  let slashes = 0;
  while (at - 1 - slashes >= from && slashes < 16 && line[at - 1 - slashes] === '\\') slashes += 1;
  return slashes % 2 === 1;
}

// Ends of an unquoted value in the middle of a line; a mark that no other field follows belongs to the value.
const wordEnd = /[\s;]/g;
const fieldEnd = /\s|(?<![;,&})])[;,&})]+(?=\s|$|["'\\]|[\w.-]{1,64}\s{0,4}[=:])|["'`<]/g;

function bareEnd(found: Found, place: Place): number {
  const { line, strong: name } = found;
  const { start, from } = place;
  // `"KEY=some value"`, `-H 'Cookie: a=b'`: the quote opened before the name.
  const mark = line[start - 1];
  if (!place.closed && (mark === '"' || mark === "'" || mark === '`')) return endAt(line, mark, from);
  if (place.sep === '>') return endAt(line, '<', from);
  if (/authorization|cookie/.test(name)) return line.length;
  // A file of settings: the line is the value's. `Environment=A=1 B=2` holds several.
  if (place.sep !== ' ' && start <= 64 && /^[ \t]*(?:export[ \t]+|-[ \t]+|[A-Z_]+ )?$/.test(line.slice(0, start)))
    return line.length;
  const ends = place.sep === ' ' ? wordEnd : fieldEnd;
  ends.lastIndex = from;
  return ends.exec(line)?.index ?? line.length;
}

function endAt(line: string, mark: string, from: number): number {
  const end = line.indexOf(mark, from);
  return end < 0 ? line.length : end;
}

/** The cut, unless the value is none. Words are only a sentence where nothing says that they are a value. */
function judged(
  found: Found,
  place: { readonly from: number; readonly to: number; readonly sep?: string },
): Cut | undefined {
  const { from, to } = place;
  const value = found.line.slice(from, Math.min(to, from + 512)).trim();
  const bare = value.replace(/[;,]$/, '');
  // Nothing harmless is long, and whatever were let go at that length would be searched again from each name in it.
  if (bare === '' || (to - from <= 512 && harmless.test(bare)) || value.startsWith('[redacted]')) return undefined;
  if (/^token/.test(found.strong) && /^\d{1,6}$/.test(bare)) return undefined;
  if (place.sep === ':' && !/authorization|cookie/.test(found.strong) && prose.test(bare)) return undefined;
  return { from, to };
}
