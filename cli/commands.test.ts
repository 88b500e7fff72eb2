// Every command of the table: its row and its own data agree, and its help can be used.
import { expect, test } from 'vitest';
import type { CommandSpec } from '../agents/runtime/index.ts';
import { COMMANDS } from './commands.ts';
import { renderOverview } from './overview.ts';
import { parseCommand } from './parse.ts';

const leaves = (spec: CommandSpec, path: readonly string[] = []): { spec: CommandSpec; path: readonly string[] }[] => [
  { spec, path },
  ...(spec.subcommands ?? []).flatMap((child) => leaves(child, [...path, child.name])),
];

test('names are unique and in the overview', () => {
  const names = COMMANDS.map((command) => command.name);
  expect(new Set(names).size).toBe(names.length);
  const overview = renderOverview();
  for (const { name, summary } of COMMANDS) expect(overview).toContain(`  ${name.padEnd(14)}${summary}`);
});

test.each(COMMANDS.map((entry) => [entry.name, entry] as const))('%s', async (_name, entry) => {
  const spec = await entry.load();
  expect([spec.name, spec.summary]).toEqual([entry.name, entry.summary]);
  for (const { spec: command, path } of leaves(spec)) {
    expect(command.run ?? command.subcommands, `${path.join(' ')} does something`).toBeDefined();
    // A name that only groups subcommands says nothing of its own.
    if (!command.run) continue;
    expect(command.examples.length, `${path.join(' ')} has an example`).toBeGreaterThan(0);
    expect(command.exitCodes.map(({ code }) => code)).toContain(0);
    expect(command.examples[0]?.command).toContain(`viworks ${entry.name}`);
    const help = parseCommand(spec, [...path, '--help']);
    const text = help.kind === 'text' ? help.text : '';
    expect(text).toContain(`Usage: viworks ${[entry.name, ...path].join(' ')}`);
    for (const option of command.options ?? []) expect(text).toContain(option.flags);
    expect(text).toMatch(/Examples:[\s\S]*Exit codes:/);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
  }
});

// The words of one shell line up to its first pipe or redirection; quotes as sh has them.
function words(line: string): string[] {
  const found: string[] = [];
  for (const [word] of line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)) {
    if (/^([|<>]|\d?>)/.test(word)) break;
    found.push(word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));
  }
  return found;
}

test('words are cut as a shell does', () => {
  expect(words(`sudo a 'b | c' --d="e f" | g`)).toEqual(['sudo', 'a', 'b | c', '--d=e f']);
});

test.each(COMMANDS.map((entry) => [entry.name, entry] as const))(
  'examples of %s can be pasted',
  async (_name, entry) => {
    const spec = await entry.load();
    const lines = leaves(spec).flatMap((leaf) => leaf.spec.examples.map((example) => example.command));
    for (const line of lines) {
      const all = words(/\((viworks .*)\)/.exec(line)?.[1] ?? line);
      const [program, name = '', ...argv] = all[0] === 'sudo' ? all.slice(1) : all;
      if (program !== 'viworks') continue;
      const named = await COMMANDS.find((command) => command.name === name)?.load();
      if (!named) throw new Error(`${line}: there is no command ${name}`);
      expect(() => parseCommand(named, argv), line).not.toThrow();
    }
  },
);
