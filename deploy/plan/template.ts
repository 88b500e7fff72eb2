// Templates whose values carry a type, and whose dialect decides how that type is written. Undefined is fatal. Pure.

/** The languages that are rendered. */
export type Dialect = 'nginx' | 'systemd' | 'toml';

/** One typed value. */
export type Value =
  /** Free text: quoted as the dialect needs. */
  | { readonly kind: 'text'; readonly text: string }
  /** One argument of a command line (systemd: `$` and `%` are literal). */
  | { readonly kind: 'argument'; readonly text: string }
  | { readonly kind: 'number'; readonly number: number }
  /** A list (systemd: so many arguments of a command line). */
  | { readonly kind: 'texts'; readonly texts: readonly string[] }
  /** Lines rendered already in the same dialect. */
  | { readonly kind: 'block'; readonly text: string }
  /** Decides about the lines between `{{if name}}` and `{{end}}`. */
  | { readonly kind: 'flag'; readonly on: boolean };

export const text = (value: string): Value => ({ kind: 'text', text: value });
export const argument = (value: string): Value => ({ kind: 'argument', text: value });
export const number = (value: number): Value => ({ kind: 'number', number: value });
export const texts = (values: readonly string[]): Value => ({ kind: 'texts', texts: values });
export const block = (lines: string): Value => ({ kind: 'block', text: lines.replace(/\n+$/, '') });
export const flag = (on: boolean): Value => ({ kind: 'flag', on });

/** A template that cannot be rendered: which, where, why. Always a mistake in the template or in its caller. */
export class TemplateError extends Error {
  readonly template: string;
  readonly line: number;

  constructor(place: { readonly template: string; readonly line: number }, problem: string) {
    super(`templates/${place.template}:${place.line}: ${problem}`);
    this.name = 'TemplateError';
    this.template = place.template;
    this.line = place.line;
  }
}

/** A template as read: its name below templates/ and its text. */
export interface Template {
  readonly name: string;
  readonly text: string;
}

/** Renders a template. A name without a value, and a value that the template never names, are both fatal. */
export function renderTemplate(template: Template, dialect: Dialect, values: Readonly<Record<string, Value>>): string {
  const used = new Set<string>();
  const out: string[] = [];
  const open: boolean[] = [];
  const lines = template.text.replace(/\n$/, '').split('\n');
  for (const [index, line] of lines.entries()) {
    const place = { template: template.name, line: index + 1 };
    const condition = /^\s*\{\{if (\w+)\}\}\s*$/.exec(line);
    if (condition?.[1] !== undefined) {
      const value = lookUp(values, condition[1], place);
      used.add(condition[1]);
      if (value.kind !== 'flag')
        throw new TemplateError(place, `${condition[1]} decides nothing: it is a ${value.kind}`);
      open.push(value.on);
    } else if (/^\s*\{\{end\}\}\s*$/.test(line)) {
      if (open.pop() === undefined) throw new TemplateError(place, 'there is no {{if}} to end');
    } else {
      if (open.includes(false)) for (const [, name] of line.matchAll(/\{\{(.*?)\}\}/g)) used.add(name as string);
      else out.push(renderLine(line, { dialect, values, used, place }));
    }
  }
  const end = { template: template.name, line: lines.length };
  if (open.length > 0) throw new TemplateError(end, 'an {{if}} is not ended');
  const spare = Object.keys(values).filter((name) => !used.has(name));
  if (spare.length > 0) throw new TemplateError(end, `the template never names ${spare.join(', ')}`);
  return `${out.join('\n')}\n`;
}

interface LineContext {
  readonly dialect: Dialect;
  readonly values: Readonly<Record<string, Value>>;
  readonly used: Set<string>;
  readonly place: { readonly template: string; readonly line: number };
}

function renderLine(line: string, context: LineContext): string {
  const { dialect, values, used, place } = context;
  return line.replace(/\{\{(.*?)\}\}/g, (_whole, name: string) => {
    used.add(name);
    try {
      return write(dialect, lookUp(values, name, place));
    } catch (error) {
      if (error instanceof TemplateError || !(error instanceof Error)) throw error;
      throw new TemplateError(place, `${name}: ${error.message}`);
    }
  });
}

function lookUp(
  values: Readonly<Record<string, Value>>,
  name: string,
  place: { readonly template: string; readonly line: number },
): Value {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined) throw new TemplateError(place, `${name} has no value`);
  return value;
}

function write(dialect: Dialect, value: Value): string {
  switch (value.kind) {
    case 'number':
      if (!Number.isSafeInteger(value.number)) throw new Error(`${value.number} is not a whole number`);
      return String(value.number);
    case 'block':
      return value.text;
    case 'flag':
      throw new Error('a flag has no text');
    case 'texts':
      if (dialect === 'systemd') return value.texts.map(systemdArgument).join(' ');
      if (dialect !== 'toml') throw new Error(`a list cannot be written in ${dialect}`);
      return `[${value.texts.map((item) => quote.toml(item)).join(', ')}]`;
    case 'argument':
      if (dialect !== 'systemd') throw new Error(`an argument cannot be written in ${dialect}`);
      return systemdArgument(value.text);
    case 'text':
      return quote[dialect](value.text);
  }
}

const quote: Readonly<Record<Dialect, (value: string) => string>> = {
  nginx: nginxText,
  systemd: systemdText,
  toml: tomlText,
};

// nginx has no way to write a literal dollar sign, and a line feed would start a new directive's line in error messages.
function nginxText(value: string): string {
  if (/[$\p{Cc}]/u.test(value)) throw new Error(`${JSON.stringify(value)} cannot be written in nginx`);
  if (/^[A-Za-z0-9_./:@%+=,[\]-]+$/.test(value)) return value;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function systemdText(value: string): string {
  if (/\p{Cc}/u.test(value)) throw new Error(`${JSON.stringify(value)} cannot be written in a unit`);
  return value.replaceAll('%', '%%');
}

// systemd.service(5): `%` starts a specifier, `$` a variable; both are doubled to stay themselves.
function systemdArgument(value: string): string {
  const escaped = systemdText(value).replaceAll('$', '$$$$');
  if (/^[A-Za-z0-9_./:@%+=,$-]+$/.test(escaped)) return escaped;
  return `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function tomlText(value: string): string {
  // JSON's escapes are a subset of TOML's basic strings, but for DEL.
  return JSON.stringify(value).replaceAll('\u007f', '\\u007F');
}

/** `key = "value"` lines of a TOML table, sorted by key. */
export function tomlTable(entries: Readonly<Record<string, string>>): Value {
  return block(
    Object.keys(entries)
      .sort()
      .map((key) => `${tomlText(key)} = ${tomlText(entries[key] as string)}`)
      .join('\n'),
  );
}
