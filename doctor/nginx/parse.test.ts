// nginx's token rules, block structure with file and line, includes, and the output of nginx -T.
import { expect, test } from 'vitest';
import { lex } from './lexer.ts';
import { type Directive, parseDump, parseNginx } from './parse.ts';

const words = (text: string): readonly string[] => {
  const result = lex(text);
  if (!result.ok) throw new Error(result.message);
  return result.tokens.map((token) => token.value);
};

test.each([
  ['listen 80;', ['listen', '80', ';']],
  ['a{b c;}', ['a', '{', 'b', 'c', ';', '}']],
  ['a # comment ; {\nb;', ['a', 'b', ';']],
  ['a b#c;', ['a', 'b#c', ';']],
  ['a "b c" \'d;e\';', ['a', 'b c', 'd;e', ';']],
  ['a "say \\"hi\\"";', ['a', 'say "hi"', ';']],
  ["map $x $y { '' close; }", ['map', '$x', '$y', '{', '', 'close', ';', '}']],
  ['set $a ${b}c;', ['set', '$a', '${b}c', ';']],
  ['location ~ \\.php$ {}', ['location', '~', '\\.php$', '{', '}']],
  ['a b\\ c;', ['a', 'b\\ c', ';']],
  ['a it"s;', ['a', 'it"s', ';']],
  ['a\tb\r\nc;', ['a', 'b', 'c', ';']],
  ['if ($x = "y") { }', ['if', '($x', '=', 'y', ')', '{', '}']],
  ['', []],
] as const)('tokens of %j', (text, expected) => {
  expect(words(text)).toEqual(expected);
});

test('lines are counted through quotes and comments', () => {
  const result = lex('a "x\ny"; # z\nb;');
  expect(result.ok && result.tokens.filter((token) => token.value === 'b').map((token) => token.line)).toEqual([3]);
});

test.each([
  ['a "b', 1, 'a quote is never closed'],
  ['a;\nb "c"d;', 2, 'unexpected "d" after a quoted word'],
] as const)('bad tokens: %j', (text, line, message) => {
  expect(lex(text)).toEqual({ ok: false, line, message });
});

const entry = '/etc/nginx/nginx.conf';
const parse = (files: Readonly<Record<string, string>>, unreadable: readonly string[] = []) =>
  parseNginx({
    entry,
    files: Object.entries(files).map(([path, text]) => ({ path, text, mtimeMs: null })),
    unreadable,
  });
const outline = (list: readonly Directive[]): readonly string[] =>
  list.flatMap((item) => [
    `${item.file.replace(/.*\//, '')}:${item.line} ${[item.name, ...item.args].join(' ')}`,
    ...outline(item.block ?? []),
  ]);

test('includes: relative to the entry, globs in the order of names, nested, with their own lines', () => {
  const parsed = parse({
    [entry]: 'events {}\nhttp {\n  include conf.d/*.conf;\n}\n',
    '/etc/nginx/conf.d/b.conf': 'server {\n  include snippets/x;\n}',
    '/etc/nginx/conf.d/a.conf': '\nmap $a $b { default 1; }',
    '/etc/nginx/conf.d/sub/c.conf': 'never;',
    '/etc/nginx/snippets/x': 'listen 443;',
  });
  expect(parsed.problems).toEqual([]);
  expect(outline(parsed.directives)).toEqual([
    'nginx.conf:1 events',
    'nginx.conf:2 http',
    'a.conf:2 map $a $b',
    'a.conf:2 default 1',
    'b.conf:1 server',
    'x:1 listen 443',
  ]);
});

test('what could not be read stays visible where it is included', () => {
  const parsed = parse({ [entry]: 'http {\n  include /etc/nginx/sites/*;\n  include mime.types;\n}' }, [
    '/etc/nginx/sites/secret.conf',
  ]);
  expect(parsed.missing).toEqual(['/etc/nginx/sites/secret.conf', '/etc/nginx/mime.types']);
  expect(outline(parsed.directives)).toEqual([
    'nginx.conf:1 http',
    'nginx.conf:2 include /etc/nginx/sites/secret.conf',
    'nginx.conf:3 include /etc/nginx/mime.types',
  ]);
});

test.each([
  ['http {', 1, 'a block is never closed, expecting "}"'],
  ['a;\n}', 2, 'unexpected "}"'],
  ['http {\n listen 80\n}', 2, 'directive "listen" is not terminated by ";"'],
  [';', 1, 'unexpected ";"'],
  ['a "b', 1, 'a quote is never closed'],
] as const)('broken structure: %j', (text, line, message) => {
  expect(parse({ [entry]: text }).problems).toContainEqual({ file: entry, line, message });
});

test('a file that includes itself ends', () => {
  expect(parse({ [entry]: 'include nginx.conf;' }).problems[0]?.message).toBe('includes are nested too deeply');
});

test('an entry that is not there is missing, not empty', () => {
  expect(parse({})).toEqual({ directives: [], problems: [], missing: [entry] });
});

test('the output of nginx -T gives the files back', () => {
  const dump = [
    'nginx: the configuration file /etc/nginx/nginx.conf syntax is ok',
    '# configuration file /etc/nginx/nginx.conf:',
    'http {',
    'include conf.d/*.conf;',
    '}',
    '',
    '# configuration file /etc/nginx/conf.d/a.conf:',
    'server { listen 443; }',
    '',
  ].join('\n');
  const files = parseDump(dump);
  expect(files.entry).toBe(entry);
  expect(outline(parseNginx(files).directives)).toEqual([
    'nginx.conf:1 http',
    'a.conf:1 server',
    'a.conf:1 listen 443',
  ]);
});
