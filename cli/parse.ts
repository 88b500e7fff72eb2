// A CommandSpec and the operator's words → which (sub)command, with which arguments and options. commander does the parsing.
import { Argument, Command, CommanderError, Option } from 'commander';
import { type ArgumentSpec, type CommandSpec, type OptionSpec, runtimeErrors } from '../agents/runtime/index.ts';
import { renderNotes } from './help-notes.ts';
import { nearest } from './suggest.ts';

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
  const choose = (leaf: CommandSpec, path: string, command: Command): void => {
    const options: Readonly<Record<string, string | boolean | readonly string[]>> = command.optsWithGlobals();
    refuseEmpty({ leaf, path }, command.args, options);
    chosen = { kind: 'run', spec: leaf, args: command.args, rest, options };
  };
  let failed: At = { leaf: spec, path: `viworks ${spec.name}` };
  const fail = (at: At): void => {
    failed = at;
  };
  const program = build(spec, failed.path, { printed, choose, columns, fail });
  try {
    program.parse([...own], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usage(problemOf(error, failed), failed.path);
  }
  return chosen ?? { kind: 'text', text: printed.join('') };
}

/** The (sub)command that words were meant for. */
interface At {
  readonly leaf: CommandSpec;
  readonly path: string;
}

interface Sink {
  readonly printed: string[];
  readonly columns: number;
  choose(leaf: CommandSpec, path: string, command: Command): void;
  fail(at: At): void;
}

function build(spec: CommandSpec, path: string, sink: Sink): Command {
  const command = new Command(path)
    .summary(spec.summary)
    .description((spec.description ?? sentence(spec.summary)).replaceAll('\n', ' '))
    .usage(usageOf(spec))
    .exitOverride((error) => {
      sink.fail({ leaf: spec, path });
      throw error;
    })
    .allowExcessArguments(false)
    .configureHelp({
      helpWidth: Math.min(sink.columns, 120),
      sortSubcommands: false,
      optionDescription: describeOption,
    })
    .configureOutput({ writeOut: (text) => void sink.printed.push(text), writeErr: () => {}, outputError: () => {} })
    .helpOption('-h, --help', 'this text')
    .helpCommand(false)
    .addHelpText('after', `\n${renderNotes(spec)}`);
  for (const argument of spec.arguments ?? []) command.addArgument(toArgument(argument));
  for (const option of spec.options ?? []) command.addOption(toOption(option));
  for (const child of spec.subcommands ?? [])
    command.addCommand(nameChild(build(child, `${path} ${child.name}`, sink), child));
  if (spec.run) command.action(() => sink.choose(spec, path, command));
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

// Values as they are typed, without the quotes of JSON.
function describeOption({ description, argChoices, defaultValue }: Option): string {
  const notes = [
    ...(argChoices ? [`one of ${argChoices.join(', ')}`] : []),
    ...(typeof defaultValue === 'string' ? [`default: ${defaultValue}`] : []),
  ];
  return notes.length > 0 ? `${description} (${notes.join('; ')})` : description;
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

function usage(problem: string, command: string): Error {
  return runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command });
}

// commander's words are kept where they say it; where an operator would ask "and now?", ours are there.
function problemOf(error: CommanderError, { leaf, path }: At): string {
  const said = error.message.replace(/^error: /, '').replace(/\n\((.*)\)$/, ' ($1)');
  if (error.code === 'commander.excessArguments') {
    const words = /got \d+: (.*)\.$/.exec(said)?.[1]?.split(', ') ?? [];
    const [word = ''] = words.slice((leaf.arguments ?? []).length);
    const children = (leaf.subcommands ?? []).map((child) => child.name);
    if (children.length > 0) return `unknown subcommand \`${path} ${word}\`${oneOf(word, children)}`;
    if (leaf.rest !== undefined)
      return `unexpected argument ${JSON.stringify(word)}; did you forget \`--\` before the command?`;
    return `unexpected argument ${JSON.stringify(word)}`;
  }
  const choice = /^option '(?:.*?)(--[\w-]+).*' argument '(.*)' is invalid\. Allowed choices are (.*)\.$/.exec(said);
  if (choice) {
    const [, flag, value = '', allowed = ''] = choice;
    return `${flag}: ${JSON.stringify(value)} is not one of the choices${oneOf(value, allowed.split(', '))}`;
  }
  return said;
}

function oneOf(word: string, known: readonly string[]): string {
  const guess = nearest(word, known);
  return `${guess === undefined ? '' : `; did you mean ${guess}?`} (known: ${known.join(', ')})`;
}

// Nearly always a variable that is not set; going on would ask for something else than what was meant.
function refuseEmpty({ leaf, path }: At, args: readonly string[], options: Readonly<Record<string, unknown>>): void {
  const index = args.indexOf('');
  const name = leaf.arguments?.[Math.min(index, leaf.arguments.length - 1)]?.name;
  if (index !== -1) throw usage(`<${name}> is empty`, path);
  for (const [key, value] of Object.entries(options)) {
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (value === '') throw usage(`--${flag} is empty`, path);
  }
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
