// What may reach a terminal or a CI log as text: printable characters, our own colours, nothing that steers either. Pure but for `screenOf`.
import type { Writable } from 'node:stream';

// C0 but for tab and line feed, DEL, C1, marks that turn or hide text, separators of lines and paragraphs, and tag characters.
const steering =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udfff]/g;
/** The styles that our outputs use: bold, dim, four colours, and their ends. */
const ownStyle = /\u001b\[(?:0|1|2|22|31|32|33|36|39)m/g;
// Commands to GitHub's, Azure's and TeamCity's runners; GitHub cuts blanks off first and looks for `##[` everywhere.
const runnerLine = /^([^\S\n]*):(?=:[a-zA-Z][^\n]*?::)/gm;
const runnerMark = /#(?=#(?:\[|vso\[|teamcity\[))/g;

/** As in JSON, where it stays the same character; a person sees that something was there. */
function escaped(text: string): string {
  return [...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');
}

/** The text with everything made visible that moves a cursor, turns the writing direction, or hides. Tabs and line feeds stay. */
export function visibleText(text: string): string {
  return text.replace(steering, escaped);
}

/** What is written to a terminal or a log: visible, and no command to a CI runner. With `colour` our own styles stay. */
export function terminalText(text: string, colour: boolean): string {
  const parts = colour ? text.split(ownStyle) : [text];
  const styles = colour ? (text.match(ownStyle) ?? []) : [];
  const shown = parts.map((part, index) => visibleText(part) + (styles[index] ?? '')).join('');
  return shown.replace(runnerLine, '$1\\u003a').replace(runnerMark, '\\u0023');
}

/** The stream for what draws by itself and takes care of its text (the screen, the line editor): strings go through as bytes. */
export function screenOf<T extends Writable>(stream: T): T {
  return rewriting(stream, (text) => Buffer.from(text));
}

/** The same stream, whose strings are rewritten first. Bytes are a task's own output and stay as they are. */
export function rewriting<T extends Writable>(stream: T, rewrite: (text: string) => string | Buffer): T {
  const through =
    (method: 'write' | 'end') =>
    (first?: unknown, ...rest: unknown[]) =>
      Reflect.apply(stream[method], stream, [typeof first === 'string' ? rewrite(first) : first, ...rest]);
  const methods = { write: through('write'), end: through('end') };
  return new Proxy(stream, {
    get(target, key) {
      if (key === 'write' || key === 'end') return methods[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}
