// Answers one TAB: `viworks complete -- WORDS…`. Quick or silent: what it cannot know at once it leaves out.
import { RootCommand } from '@bomb.sh/tab';
import type { http } from '../../agents/protocol/index.ts';
import {
  type CommandSpec,
  type Invocation,
  type OptionSpec,
  resolveTarget,
  systemClock,
  withDeadline,
} from '../../agents/runtime/index.ts';
import { createClient } from '../api/client.ts';
import { COMMANDS } from '../commands.ts';

/** A backend that needs longer than this is not asked twice at a prompt: nobody waits for a TAB. */
const LIVE_NAMES_MS = 400;
/** Directive for the shell to complete file names itself (cobra's ShellCompDirectiveDefault, which the scripts follow). */
const FILES = ':0\n';

/** Prints the candidates for the last word. Never fails: a prompt is no place for an error. */
export async function complete(
  words: readonly string[],
  around: Pick<Invocation, 'env' | 'terminal'>,
): Promise<number> {
  const spec = await specOf(words);
  if (words.includes('--') || (spec && wantsFile(spec, words))) {
    around.terminal.stdout.write(FILES);
    return 0;
  }
  const wantsGateway = spec?.arguments?.[0]?.name === 'gateway' && positionals(spec, words).length <= 1;
  const names = wantsGateway ? await gatewayNames(around.env) : [];
  build(spec, names).parse([...words]);
  return 0;
}

async function specOf(words: readonly string[]): Promise<CommandSpec | undefined> {
  if (words.length < 2) return undefined;
  const entry = COMMANDS.find((command) => command.name === words[0]);
  const loaded: CommandSpec | undefined = await entry?.load().catch(() => undefined);
  return loaded;
}

function build(spec: CommandSpec | undefined, gateways: readonly string[]): RootCommand {
  const root = new RootCommand();
  for (const entry of COMMANDS) root.command(entry.name, entry.summary);
  const add = (command: CommandSpec, path: string): void => {
    const node = root.command(path, command.summary);
    for (const option of command.options ?? []) addOption(node, option);
    node.option('help', 'options, examples and exit codes', 'h');
    for (const argument of command.arguments ?? []) {
      node.argument(argument.name, (give) => {
        if (argument.name === 'gateway') for (const name of gateways) give(name, '');
      });
    }
    for (const child of command.subcommands ?? []) add(child, `${path} ${child.name}`);
  };
  if (spec) add(spec, spec.name);
  return root;
}

function addOption(node: ReturnType<RootCommand['command']>, option: OptionSpec): void {
  const { long, short, takesValue } = flagsOf(option);
  if (!takesValue) node.option(long, option.help, ...(short === undefined ? [] : [short]));
  else {
    const choices = (give: (value: string, description: string) => void): void => {
      for (const choice of option.choices ?? []) give(choice, '');
    };
    node.option(long, option.help, choices, short);
  }
}

// The last word is a file's when the option before it, or the argument at its place, says so by name.
function wantsFile(spec: CommandSpec, words: readonly string[]): boolean {
  const before = words.at(-2);
  const command = leafOf(spec, words);
  const option = command.options?.find((candidate) => {
    const { long, short } = flagsOf(candidate);
    return before === `--${long}` || (short !== undefined && before === `-${short}`);
  });
  if (option && flagsOf(option).takesValue) return /<(file|directory)/.test(option.flags);
  if (words.at(-1)?.startsWith('-')) return false;
  const place = positionals(command, words).length - 1;
  const argument =
    command.arguments?.[place] ?? command.arguments?.findLast((candidate) => candidate.variadic === true);
  return argument?.name === 'file';
}

function leafOf(spec: CommandSpec, words: readonly string[]): CommandSpec {
  let leaf = spec;
  for (const word of words.slice(1, -1)) leaf = leaf.subcommands?.find((child) => child.name === word) ?? leaf;
  return leaf;
}

// Words that are no options, no values of options and no names of subcommands; the one being typed is among them.
function positionals(spec: CommandSpec, words: readonly string[]): string[] {
  const leaf = leafOf(spec, words);
  const valued = (leaf.options ?? []).map(flagsOf).filter((flags) => flags.takesValue);
  const takesNext = (word: string | undefined): boolean =>
    valued.some((flags) => word === `--${flags.long}` || (flags.short !== undefined && word === `-${flags.short}`));
  const depth = words.lastIndexOf(leaf.name) + 1;
  return words.slice(depth).filter((word, index, all) => !word.startsWith('-') && !takesNext(all[index - 1]));
}

function flagsOf(option: OptionSpec): { long: string; short: string | undefined; takesValue: boolean } {
  const long = /--([\w-]+)/.exec(option.flags)?.[1] ?? '';
  const short = /(?:^|[\s,])-(\w)\b/.exec(option.flags)?.[1];
  return { long, short, takesValue: option.flags.includes('<') };
}

async function gatewayNames(env: Invocation['env']): Promise<string[]> {
  try {
    const client = createClient(await resolveTarget({}, env));
    const list = await withDeadline(
      (signal) =>
        client.json<{ gateways: readonly http.GatewayBody[] }>({ method: 'GET', path: '/api/v1/gateways', signal }),
      { ms: LIVE_NAMES_MS, clock: systemClock, onTimeout: () => new Error('too slow for a prompt') },
    );
    return list.gateways.map((gateway) => gateway.gatewayId);
  } catch {
    return []; // No context, no backend, no token: then there is nothing to offer.
  }
}
