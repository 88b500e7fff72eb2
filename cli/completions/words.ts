// What stands on a command line so far, and so what can come next. Pure: specs in, a question out.
import type { CommandSpec, OptionSpec } from '../../agents/runtime/index.ts';

/** What the last word could be. */
export type Wanted =
  | { readonly kind: 'option'; readonly command: CommandSpec }
  | { readonly kind: 'value'; readonly option: OptionSpec }
  | { readonly kind: 'word'; readonly command: CommandSpec; readonly place: number }
  | { readonly kind: 'elsewhere' };

/** The question at the cursor. */
export interface Cursor {
  readonly wanted: Wanted;
  /** What of it is typed already. */
  readonly typed: string;
  /** Values of options before it, by long name. */
  readonly given: Readonly<Record<string, string>>;
}

/** Long name, short name, and whether a value follows. */
export function flagsOf(option: OptionSpec): { long: string; short: string | undefined; takesValue: boolean } {
  const long = /--([\w-]+)/.exec(option.flags)?.[1] ?? '';
  const short = /(?:^|[\s,])-(\w)\b/.exec(option.flags)?.[1];
  return { long, short, takesValue: option.flags.includes('<') };
}

/** Reads the words after the command's name; the last one is being typed. */
export function readWords(spec: CommandSpec, all: readonly string[]): Cursor {
  const words = joined(all);
  const given: Record<string, string> = {};
  const typed = words.at(-1) ?? '';
  let command = spec;
  let place = 0;
  let open: OptionSpec | undefined;
  for (const word of words.slice(0, -1)) {
    if (word === '--') return { wanted: { kind: 'elsewhere' }, typed, given };
    if (open) {
      given[flagsOf(open).long] = word;
      open = undefined;
    } else if (word.startsWith('-')) {
      const [name = '', value] = split(word);
      const option = optionNamed(command, name);
      if (!option || !flagsOf(option).takesValue) continue;
      if (value === undefined) open = option;
      else given[flagsOf(option).long] = value;
    } else {
      const child = place === 0 ? command.subcommands?.find((one) => one.name === word) : undefined;
      if (child) command = child;
      else place++;
    }
  }
  if (open) return { wanted: { kind: 'value', option: open }, typed, given };
  const [name = '', value] = split(typed);
  const option = value === undefined ? undefined : optionNamed(command, name);
  if (option) return { wanted: { kind: 'value', option }, typed: value ?? '', given };
  if (typed.startsWith('-')) return { wanted: { kind: 'option', command }, typed, given };
  return { wanted: { kind: 'word', command, place }, typed, given };
}

// bash breaks words at = and gives `--state`, `=`, `run`.
function joined(words: readonly string[]): string[] {
  const made: string[] = [];
  words.forEach((word, index) => {
    const glue = word === '=' || (words[index - 1] === '=' && index > 1);
    if (glue && made.length > 0 && made.at(-1)?.startsWith('--')) made.push(`${made.pop()}${word}`);
    else made.push(word);
  });
  return made;
}

function split(word: string): [string, string | undefined] {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function optionNamed(command: CommandSpec, name: string): OptionSpec | undefined {
  return command.options?.find((option) => {
    const { long, short } = flagsOf(option);
    return name === `--${long}` || (short !== undefined && name === `-${short}`);
  });
}
