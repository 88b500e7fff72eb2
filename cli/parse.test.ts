// Words → which command with which values; and what the help of a command must say.
import { expect, test } from 'vitest';
import type { CommandSpec } from '../agents/runtime/index.ts';
import { type Parsed, parseCommand } from './parse.ts';

const run = async (): Promise<number> => 0;
const leaf = (name: string, more: Partial<CommandSpec> = {}): CommandSpec => ({
  name,
  summary: `does ${name}`,
  examples: [{ command: `viworks ${name} x`, does: 'an example' }],
  exitCodes: [
    { code: 0, means: 'good' },
    { code: 64, means: 'usage' },
  ],
  run,
  ...more,
});
const spec = leaf('try', {
  arguments: [
    { name: 'thing', help: 'what' },
    { name: 'others', help: 'more', optional: true, variadic: true },
  ],
  rest: 'CMD...',
  options: [
    { flags: '-n, --dry-run', help: 'only say it' },
    { flags: '--token-file <file>', help: 'a file' },
    { flags: '-e, --env <pair>', help: 'a pair', repeatable: true },
    { flags: '--output <format>', help: 'how', choices: ['plain', 'json'], default: 'plain' },
    { flags: '--no-nginx', help: 'without' },
  ],
});
const parse = (words: readonly string[], of = spec): Extract<Parsed, { kind: 'run' }> => {
  const parsed = parseCommand(of, words);
  if (parsed.kind !== 'run') throw new Error(`text: ${parsed.text}`);
  return parsed;
};

const caught = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

test('options have camel-cased names, defaults and choices', () => {
  expect(parse(['a']).options).toEqual({ output: 'plain', nginx: true });
  const words = ['a', '-n', '--token-file', '/t', '-e', 'A=1', '--env', 'B=2', '--output=json', '--no-nginx'];
  expect(parse(words).options).toEqual({
    dryRun: true,
    tokenFile: '/t',
    env: ['A=1', 'B=2'],
    output: 'json',
    nginx: false,
  });
});

test('what follows -- is not looked at', () => {
  const parsed = parse(['a', 'b', 'c', '--', '--dry-run', '--', '-x']);
  expect([parsed.args, parsed.rest, parsed.options.dryRun]).toEqual([
    ['a', 'b', 'c'],
    ['--dry-run', '--', '-x'],
    undefined,
  ]);
});

test.each([
  [[], /missing required argument 'thing'/],
  [['a', '--tokn-file', 'x'], /--tokn-file.*Did you mean --token-file/],
  [['a', '--output', 'xml'], /xml.*plain, json/],
  [['a', '--token-file'], /argument missing/],
  [['a', '--output', 'plian'], /"plian" is not one of the choices; did you mean plain\? \(known: plain, json\)/],
  [['a', '--token-file', ''], /--token-file is empty/],
  [[''], /<thing> is empty/],
  [['a', 'b', ''], /<others> is empty/],
])('%j is a usage error that names the help', (words, message) => {
  expect(() => parse(words)).toThrow(message);
  try {
    parse(words);
  } catch (error) {
    expect(error).toMatchObject({
      code: 'VW_RUNTIME_USAGE',
      exitCode: 64,
      hint: expect.stringContaining('viworks try --help'),
    });
  }
});

const parent = leaf('tree', {
  subcommands: [leaf('show', { arguments: [{ name: 'id', help: 'which' }] }), leaf('list')],
});

test('subcommands are found, and their own help shows the whole path', () => {
  expect(parse(['show', '7'], parent)).toMatchObject({ spec: { name: 'show' }, args: ['7'] });
  expect(parse([], parent).spec.name).toBe('tree');
  const help = parseCommand(parent, ['show', '--help']);
  expect(help.kind === 'text' && help.text).toMatch(/^Usage: viworks tree show \[options\] <id>/);
});

test.each([
  [['shwo'], 'viworks tree', /unknown subcommand `viworks tree shwo`; did you mean show\? \(known: show, list\)/],
  [['show'], 'viworks tree show', /missing required argument 'id'/],
  [['show', '1', '2'], 'viworks tree show', /unexpected argument "2"/],
  [['list', '--jsno'], 'viworks tree list', /unknown option/],
])('%j of a tree is told with the help of %s', (words, path, message) => {
  const thrown = caught(() => parse(words, parent));
  expect(String(thrown)).toMatch(message);
  expect(thrown).toMatchObject({ exitCode: 64, hint: expect.stringContaining(`\`${path} --help\``) });
});

test('a word before -- that should stand after it is told so', () => {
  const one = leaf('run', { arguments: [{ name: 'gateway', help: 'where' }], rest: 'CMD' });
  expect(() => parse(['gw1', 'id'], one)).toThrow(/unexpected argument "id"; did you forget `--` before the command\?/);
});

test('a parent that does nothing by itself shows its help', () => {
  const { run: _run, ...silent } = parent;
  const parsed = parseCommand(silent, []);
  expect(parsed.kind === 'text' && parsed.text).toMatch(/Usage: viworks tree .*[\s\S]*show .*does show/);
});

test('help has usage, options, examples and exit codes', () => {
  const parsed = parseCommand(spec, ['--help']);
  const text = parsed.kind === 'text' ? parsed.text : '';
  expect(text).toMatch(/^Usage: viworks try \[options\] <thing> \[others\.\.\.\] -- CMD\.\.\.\n/);
  for (const part of ['Does try.', '--token-file <file>', 'Examples:\n  viworks try x', 'Exit codes:\n    0  good']) {
    expect(text).toContain(part);
  }
});
