// Takes secrets out of text of others before it is kept, logged or shown. Lines keep their number and order, so that a line number still
// points to the right place. Pure; the work grows with the text.
import { named } from './secret-names.ts';
import { accounts, type Cut, prefixed, programs, type Shape, schemes, urls } from './secret-shapes.ts';

const REDACTED = '[redacted]';

/** Text of others that has been through {@link redactText}. Only that makes it. */
export type RemoteText = string & { readonly [remote]: true };
declare const remote: unique symbol;

/** A private key without an end is at most this long, in lines. */
const KEY_LINES = 400;
/** A value over several lines is at most this long, in lines. */
const VALUE_LINES = 20;

const keyBegins = /-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}/;
const keyEnds = /-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}/;
const puttyBegins = /Private-Lines: (\d{1,3})\s*$/;
const keyBody = /(?:^|\s)[A-Za-z0-9+/=]{16,}\s*$/;
const keyRest = /^\s*(?:[A-Za-z0-9+/=]{1,76}|(?:Proc-Type|DEK-Info|Comment|Version|Hash): .{0,200})?\s*$/;

/** The same text without secrets. */
export function redactText(text: string): RemoteText {
  if (text.length < 4) return text as RemoteText;
  const lines = text.split('\n');
  const whole = withoutKeys(lines, text);
  const gates = shapes.map((shape) => new Gate(shape, whole));
  const ahead = new Ahead(lines);
  let open: Cut['open'];
  let left = 0;
  /** Blanks before the line in which the open value began. */
  let indent = 0;
  let start = 0;
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] as string;
    const next = start + line.length + 1;
    let from = 0;
    if (open !== undefined) {
      const end = endOf(line, open, indent);
      left -= 1;
      if (end === undefined && left > 0) {
        lines[index] = line === '' ? '' : REDACTED;
        start = next;
        continue;
      }
      open = undefined;
      from = end ?? 0;
    }
    const rest = from === 0 ? line : line.slice(from);
    const cuts = cutsOf(rest, gates, { from: start + from, to: next });
    if (from > 0 || cuts.length > 0) lines[index] = (from === 0 ? '' : REDACTED) + applied(rest, cuts);
    open = cuts.at(-1)?.open;
    // A quote that is never closed hides nothing of what follows.
    if (open !== undefined && 'until' in open && !ahead.holds(open.until, index + 1)) open = undefined;
    if (open !== undefined) indent = line.length - line.trimStart().length;
    left = VALUE_LINES;
    start = next;
  }
  return lines.join('\n') as RemoteText;
}

const shapes: readonly Shape[] = [prefixed, schemes, urls, ...programs, accounts, named];

/** Says in which lines a shape may be, by one search through the whole text: a line that cannot hold it costs nothing. */
class Gate {
  readonly shape: Shape;
  readonly #text: string;
  #next = -1;

  constructor(shape: Shape, text: string) {
    this.shape = shape;
    this.#text = text;
  }

  isOpen({ from, to }: { readonly from: number; readonly to: number }): boolean {
    if (this.#next < from) {
      const { may } = this.shape;
      may.lastIndex = from;
      this.#next = may.exec(this.#text)?.index ?? Number.POSITIVE_INFINITY;
    }
    return this.#next < to;
  }
}

/** Looks for the end of a value in the lines below; each line is looked at once for each kind of end. */
class Ahead {
  readonly #lines: readonly string[];
  readonly #seen = new Map<string, { readonly at: number; readonly found: boolean }>();

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  holds(mark: string, from: number): boolean {
    const to = Math.min(from + VALUE_LINES - 1, this.#lines.length);
    const seen = this.#seen.get(mark) ?? { at: -1, found: false };
    if (seen.found && seen.at >= from) return seen.at < to;
    for (let at = Math.max(from, seen.at + 1); at < to; at += 1) {
      if (!this.#lines[at]?.includes(mark)) continue;
      this.#seen.set(mark, { at, found: true });
      return true;
    }
    this.#seen.set(mark, { at: Math.max(to - 1, seen.at), found: false });
    return false;
  }
}

/** Where the value that began above ends in this line; undefined when all of the line is of it. */
function endOf(line: string, open: NonNullable<Cut['open']>, indent: number): number | undefined {
  if ('until' in open) {
    const at = line.indexOf(open.until);
    return at < 0 ? undefined : at;
  }
  if ('next' in open) return line.endsWith('\\') ? undefined : line.length;
  if (line.trim() === '') return undefined;
  // Counted from the column of the name: in a log, each line has the log's own words before it. Of an error text only the first line has.
  const isPlain = indent < open.column && /^\s/.test(line.slice(indent));
  const rest = line.slice(isPlain ? indent : open.column);
  if (open.deeper === 'bare' && /^\s*(?:- )?["']?[\w.-]{1,128}["']?\s{0,8}[:=]/.test(rest)) return 0;
  return /^\s/.test(rest) ? undefined : 0;
}

function cutsOf(line: string, gates: readonly Gate[], place: { readonly from: number; readonly to: number }): Cut[] {
  const cuts: Cut[] = [];
  for (const gate of gates) if (gate.isOpen(place)) gate.shape.find(line, cuts);
  return cuts.length < 2 ? cuts : cuts.sort((a, b) => a.from - b.from || b.to - a.to);
}

function applied(line: string, cuts: readonly Cut[]): string {
  if (cuts.length === 0) return line;
  let out = '';
  let at = 0;
  for (const { from, to } of cuts) {
    if (to <= at && from < at) continue;
    if (from >= at) out += line.slice(at, from) + (from === to ? '' : REDACTED);
    at = Math.max(at, to);
  }
  return out + line.slice(at);
}

/** Takes out private keys, whole or cut off at either end, also where every line has the log's own words before it; gives the text that is left. */
function withoutKeys(lines: string[], text: string): string {
  if (!/PRIVATE KEY|Private-Lines:/.test(text)) return text;
  const ends = lines.flatMap((line, index) => (keyEnds.test(line) ? [index] : []));
  let next = 0;
  let done = -1;
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    while (next < ends.length && (ends[next] ?? 0) < index) next += 1;
    const putty = puttyBegins.exec(line)?.[1];
    const begins = keyBegins.exec(line);
    let last = index;
    if (putty !== undefined) last = index + Number(putty);
    else if (begins) {
      const end = ends[next];
      last = end !== undefined && end - index <= KEY_LINES ? end : unfinished(lines, index);
    } else if (ends[next] === index) {
      const first = headless(lines, index, done);
      for (let at = first; at < index; at += 1) lines[at] = '';
      lines[index] = line.replace(keyEnds, `-----${REDACTED} PRIVATE KEY-----`);
      continue;
    } else continue;
    lines[index] = begins ? `${line.slice(0, begins.index)}-----${REDACTED} PRIVATE KEY-----${tailOf(line)}` : line;
    for (let at = index + 1; at <= last && at < lines.length; at += 1) lines[at] = '';
    done = last;
    index = last;
  }
  return lines.join('\n');
}

/** A key in one line: what stands behind its end stays. */
function tailOf(line: string): string {
  const end = keyEnds.exec(line);
  return end ? line.slice(end.index + end[0].length) : '';
}

function unfinished(lines: readonly string[], from: number): number {
  let at = from;
  while (at + 1 < lines.length && at - from < KEY_LINES) {
    const line = lines[at + 1] ?? '';
    if (!keyBody.test(line) && !keyRest.test(line)) break;
    at += 1;
  }
  return at;
}

function headless(lines: readonly string[], end: number, done: number): number {
  let at = end;
  while (at - 1 > done && end - at < KEY_LINES) {
    const line = lines[at - 1] ?? '';
    if (line.trim() === '' || !(keyBody.test(line) || (at === end && keyRest.test(line)))) break;
    at -= 1;
  }
  return at;
}
