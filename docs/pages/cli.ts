// docs/cli.md: every command with its options, examples and exit codes.
import type { CommandSpec } from '../../agents/runtime/index.ts';
import { COMMANDS } from '../../cli/commands.ts';
import { GENERATED, type Page, table } from './page.ts';

/** Loads every command of the table and writes down its help. */
export async function cliPage(): Promise<Page> {
  const sections: string[] = [];
  for (const entry of COMMANDS) sections.push(...section(await entry.load(), 'viworks', 2));
  const intro = ['# Commands', '', GENERATED, '', '`viworks COMMAND --help` prints the same.', ''];
  return { path: 'docs/cli.md', text: [...intro, ...sections].join('\n') };
}

function section(spec: CommandSpec, parent: string, level: number): string[] {
  const name = `${parent} ${spec.name}`;
  const args = (spec.arguments ?? []).map((argument) => {
    const shown = argument.variadic ? `${argument.name}…` : argument.name;
    return argument.optional ? `[${shown}]` : shown;
  });
  const lines = [`${'#'.repeat(level)} ${name}`, '', `${spec.summary}.`, ''];
  if (spec.description) lines.push(spec.description, '');
  if (args.length > 0) lines.push(`\`${[name, ...args].join(' ')}\``, '');
  if (spec.options && spec.options.length > 0) {
    const rows = spec.options.map((option) => [
      `\`${option.flags}\``,
      [
        option.help,
        option.choices ? `one of ${option.choices.join(', ')}` : '',
        option.default === undefined ? '' : `default \`${String(option.default)}\``,
      ]
        .filter(Boolean)
        .join('; '),
    ]);
    lines.push(table(['option', ''], rows), '');
  }
  if (spec.examples.length > 0) {
    lines.push('```sh', ...spec.examples.map((example) => `${example.command}   # ${example.does}`), '```', '');
  }
  if (spec.exitCodes.length > 0) {
    lines.push(
      table(
        ['exit code', ''],
        spec.exitCodes.map((exit) => [String(exit.code), exit.means]),
      ),
      '',
    );
  }
  if (spec.seeAlso) lines.push(`See also: ${spec.seeAlso.map((place) => `\`${place}\``).join(' · ')}`, '');
  for (const child of spec.subcommands ?? []) lines.push(...section(child, name, Math.min(level + 1, 4)));
  return lines;
}
