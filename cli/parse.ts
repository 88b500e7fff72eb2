// A CommandSpec and the operator's words → which (sub)command, with which arguments and options. commander does the parsing.
import { Argument, Command, CommanderError, Option } from 'commander';
import { type ArgumentSpec, type CommandSpec, type OptionSpec, runtimeErrors } from '../agents/runtime/index.ts';

/** What the words meant: run this spec with these values, or print this text and exit. */
export type Parsed =
  | {
      readonly kind: 'run';
      readonly spec: CommandSpec;
      readonly args: readonly string[];
      readonly rest: readonly string[];
      readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
    }
  | { readonly kind: 'text'; readonly text: string };

/** Parses what follows the command's name. Throws VW_RUNTIME_USAGE. */
export function parseCommand(spec: CommandSpec, argv: readonly string[], columns = 80): Parsed {
  // What follows `--` belongs to somebody else's program and is never looked at.
  const cut = argv.indexOf('--');
  const own = cut === -1 ? argv : argv.slice(0, cut);
  const rest = cut === -1 ? [] : argv.slice(cut + 1);
  const printed: string[] = [];
  let chosen: Parsed | undefined;
  const choose = (leaf: CommandSpec, command: Command): void => {
    chosen = { kind: 'run', spec: leaf, args: command.args, rest, options: command.optsWithGlobals() };
  };
  const program = build(spec, `viworks ${spec.name}`, { printed, choose, columns });
  try {
    program.parse([...own], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, spec);
  }
  return chosen ?? { kind: 'text', text: printed.join('') };
}

interface Sink {
  readonly printed: string[];
  readonly columns: number;
  choose(leaf: CommandSpec, command: Command): void;
}

function build(spec: CommandSpec, path: string, sink: Sink): Command {
  const command = new Command(path)
    .summary(spec.summary)
    .description((spec.description ?? sentence(spec.summary)).replaceAll('\n', ' '))
    .usage(usageOf(spec))
    .exitOverride()
    .allowExcessArguments(false)
    .configureHelp({ helpWidth: Math.min(sink.columns, 120), sortSubcommands: false })
    .configureOutput({ writeOut: (text) => void sink.printed.push(text), writeErr: () => {}, outputError: () => {} })
    .helpOption('-h, --help', 'this text')
    .helpCommand(false)
    .addHelpText('after', `\n${renderNotes(spec)}`);
  for (const argument of spec.arguments ?? []) command.addArgument(toArgument(argument));
  for (const option of spec.options ?? []) command.addOption(toOption(option));
  for (const child of spec.subcommands ?? [])
    command.addCommand(nameChild(build(child, `${path} ${child.name}`, sink), child));
  if (spec.run) command.action(() => sink.choose(spec, command));
  else command.action(() => command.help());
  return command;
}

// commander matches subcommands by their bare name, while usage lines are to show the whole path.
function nameChild(command: Command, spec: CommandSpec): Command {
  const path = command.name();
  const usage = command.usage();
  return command.name(spec.name).configureHelp({ ...command.configureHelp(), commandUsage: () => `${path} ${usage}` });
}

function toArgument(spec: ArgumentSpec): Argument {
  const name = spec.variadic ? `${spec.name}...` : spec.name;
  return new Argument(spec.optional ? `[${name}]` : `<${name}>`, spec.help);
}

function toOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.help);
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.choices) option.choices(spec.choices);
  if (spec.repeatable)
    option.argParser((value: string, previous: unknown) => [...(Array.isArray(previous) ? previous : []), value]);
  return option;
}

function usageOf(spec: CommandSpec): string {
  const args = (spec.arguments ?? [])
    .map((argument) => toArgument(argument))
    .map((argument) => {
      const name = argument.variadic ? `${argument.name()}...` : argument.name();
      return argument.required ? `<${name}>` : `[${name}]`;
    });
  const command = spec.subcommands ? [spec.run ? '[command]' : '<command>'] : [];
  const rest = spec.rest === undefined ? [] : ['--', spec.rest];
  return ['[options]', ...command, ...args, ...rest].join(' ');
}

/** Examples and exit codes, which every command has. */
function renderNotes(spec: CommandSpec): string {
  const wide = Math.max(0, ...spec.examples.map((example) => example.command.length));
  const longest = wide + Math.max(0, ...spec.examples.map((example) => example.does.length));
  const examples = spec.examples.map((example) =>
    wide > 56 || longest > 100
      ? `  ${example.command}\n      ${example.does}`
      : `  ${example.command.padEnd(wide)}   ${example.does}`,
  );
  const codes = spec.exitCodes.map((row) => `  ${String(row.code).padStart(3)}  ${row.means}`);
  return [
    ...(examples.length > 0 ? ['Examples:', ...examples, ''] : []),
    ...(codes.length > 0 ? ['Exit codes:', ...codes] : []),
  ].join('\n');
}

function usageError(error: CommanderError, spec: CommandSpec): Error {
  const problem = error.message.replace(/^error: /, '').replace(/\n\((.*)\)$/, ' ($1)');
  return runtimeErrors.create('VW_RUNTIME_USAGE', { problem: `${problem}`, command: `viworks ${spec.name}` });
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
