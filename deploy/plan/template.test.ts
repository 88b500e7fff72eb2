// The template engine: what each dialect makes of a type, and that a mistake never renders.
import { expect, test } from 'vitest';
import {
  argument,
  block,
  type Dialect,
  flag,
  number,
  renderTemplate,
  TemplateError,
  text,
  texts,
  tomlTable,
  type Value,
} from './template.ts';

const render = (source: string, dialect: Dialect, values: Record<string, Value>): string =>
  renderTemplate({ name: 'x.tmpl', text: source }, dialect, values);

test.each<[Dialect, Value, string]>([
  ['nginx', text('agents.example.test'), 'agents.example.test'],
  ['nginx', text('/srv/my certs/a.pem'), '"/srv/my certs/a.pem"'],
  ['nginx', text('a"b\\c'), '"a\\"b\\\\c"'],
  ['nginx', text('a;b'), '"a;b"'],
  ['nginx', text(''), '""'],
  ['nginx', number(443), '443'],
  ['systemd', text('100 % sure'), '100 %% sure'],
  ['systemd', argument('/srv/a b/$HOME/%n'), '"/srv/a b/$$HOME/%%n"'],
  ['systemd', argument('--config'), '--config'],
  ['systemd', argument('say "hi"'), '"say \\"hi\\""'],
  ['toml', text('a "b" \\ \n é \u007f'), '"a \\"b\\" \\\\ \\n é \\u007F"'],
  ['toml', texts(['core', 'pack:users']), '["core", "pack:users"]'],
  ['toml', tomlTable({ site: 'berlin', 'a.b': 'x' }), '"a.b" = "x"\n"site" = "berlin"'],
])('%s writes %o', (dialect, value, expected) => {
  expect(render('{{value}}', dialect, { value })).toBe(`${expected}\n`);
});

test.each<[string, string, Dialect, Record<string, Value>, string]>([
  ['an undefined value', 'a\n{{value}}', 'nginx', {}, 'templates/x.tmpl:2: value has no value'],
  ['an inherited name', '{{toString}}', 'nginx', {}, 'toString has no value'],
  ['a value that is never named', 'a', 'nginx', { spare: text('x') }, 'never names spare'],
  [
    'a dollar sign in nginx',
    '{{value}}',
    'nginx',
    { value: text('$host') },
    'value: "$host" cannot be written in nginx',
  ],
  ['a line feed in a unit', '{{value}}', 'systemd', { value: text('a\nb') }, 'cannot be written in a unit'],
  ['a fraction', '{{value}}', 'toml', { value: number(1.5) }, 'not a whole number'],
  ['a list outside of TOML', '{{value}}', 'nginx', { value: texts(['a']) }, 'cannot be written in nginx'],
  ['an argument outside of a unit', '{{value}}', 'toml', { value: argument('a') }, 'cannot be written in toml'],
  ['a flag as text', '{{value}}', 'toml', { value: flag(true) }, 'a flag has no text'],
  ['a condition that is none', '{{if value}}\n{{end}}', 'toml', { value: text('x') }, 'decides nothing'],
  ['an open condition', '{{if value}}\na', 'toml', { value: flag(true) }, 'is not ended'],
  ['an end without a start', '{{end}}', 'toml', {}, 'no {{if}} to end'],
])('%s is fatal', (_name, source, dialect, values, message) => {
  expect(() => render(source, dialect, values)).toThrowError(TemplateError);
  expect(() => render(source, dialect, values)).toThrowError(message);
});

test('conditions nest, and what is off is neither written nor asked for', () => {
  const source = 'a\n{{if outer}}\nb {{inner_value}}\n{{if inner}}\nc\n{{end}}\n{{end}}\nd\n';
  const off = render(source, 'toml', { outer: flag(false), inner: flag(true) });
  expect(off).toBe('a\nd\n');
  const on = render(source, 'toml', { outer: flag(true), inner: flag(false), inner_value: number(1) });
  expect(on).toBe('a\nb 1\nd\n');
});

test('blocks keep their lines', () => {
  expect(render('{{lines}}', 'nginx', { lines: block('a\nb\n\n') })).toBe('a\nb\n');
});
