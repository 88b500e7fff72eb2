// Answers one TAB: `viworks complete -- WORDS…`. Quick or silent: what it cannot know at once it leaves out.
// Written as cobra's scripts expect it: `candidate<TAB>description` lines, then a directive.
import { readFile } from 'node:fs/promises';
import type { http } from '../../agents/protocol/index.ts';
import {
  type CommandSpec,
  type Invocation,
  type OptionSpec,
  readContexts,
  resolveTarget,
  systemClock,
  withDeadline,
} from '../../agents/runtime/index.ts';
import { createClient } from '../api/client.ts';
import { COMMANDS } from '../commands.ts';
import { endingOf } from '../tasks/render.ts';
import { type Cursor, flagsOf, readWords } from './words.ts';

/** A backend that needs longer than this is not asked twice at a prompt: nobody waits for a TAB. */
const LIVE_NAMES_MS = 400;
/** Directives (cobra's ShellCompDirective): complete file names yourself; complete nothing but these. */
const FILES = ':0\n';
const ONLY_THESE = ':4\n';

/** A candidate and what it is. */
type Candidate = readonly [value: string, about: string];
type Offer = readonly Candidate[] | 'files';

/** Prints the candidates for the last word. Never fails: a prompt is no place for an error. */
export async function complete(
  words: readonly string[],
  around: Pick<Invocation, 'env' | 'terminal'>,
): Promise<number> {
  const [name = '', ...rest] = words[0] === 'help' && words.length > 1 ? words.slice(1) : words;
  const { stdout } = around.terminal;
  if (rest.length === 0) {
    stdout.write(
      lines(
        name,
        COMMANDS.map((entry) => [entry.name, entry.summary]),
      ),
    );
    return 0;
  }
  const spec: CommandSpec | undefined = await COMMANDS.find((command) => command.name === name)
    ?.load()
    .catch(() => undefined);
  const cursor = spec && readWords(spec, rest);
  const found = cursor && (await candidates(cursor, around.env));
  stdout.write(found === 'files' ? FILES : lines(cursor?.typed ?? '', found ?? []));
  return 0;
}

function lines(typed: string, all: readonly Candidate[]): string {
  const fitting = all.filter(([value]) => value.startsWith(typed));
  return fitting.map(([value, about]) => `${value}\t${about.replace(/\s+/g, ' ')}\n`).join('') + ONLY_THESE;
}

async function candidates({ wanted, given }: Cursor, env: Invocation['env']): Promise<Offer> {
  const from = { given, env };
  switch (wanted.kind) {
    case 'elsewhere':
      return 'files';
    case 'option':
      return optionsOf(wanted.command);
    case 'value':
      return valuesOf(wanted.option, from);
    case 'word': {
      const { command, place } = wanted;
      const children = place === 0 ? (command.subcommands ?? []) : [];
      const argument = command.arguments?.[place] ?? command.arguments?.findLast((one) => one.variadic === true);
      const named = argument ? await namesOf(argument.name, command.name, from) : [];
      if (named === 'files') return 'files';
      const apart: readonly Candidate[] = !argument && command.rest !== undefined ? [['--', command.rest]] : [];
      return [...children.map((child): Candidate => [child.name, child.summary]), ...named, ...apart];
    }
  }
}

function optionsOf(command: CommandSpec): Candidate[] {
  const own = (command.options ?? []).map((option): Candidate => [`--${flagsOf(option).long}`, option.help]);
  return [...own, ['--help', 'options, examples and exit codes']];
}

/** What was typed before, and where settings come from. */
interface From {
  readonly given: Cursor['given'];
  readonly env: Invocation['env'];
}

async function valuesOf(option: OptionSpec, from: From): Promise<Offer> {
  if (option.choices) return option.choices.map((choice): Candidate => [choice, '']);
  if (/<(file|directory)/.test(option.flags)) return 'files';
  const { long } = flagsOf(option);
  if (long === 'gateway') return await gatewayNames(from);
  if (long === 'host') return await hostNames(from.given.inventory ?? 'viworks.toml');
  return long === 'context' ? await contextNames(from) : [];
}

// What an argument is called says what it is.
async function namesOf(argument: string, command: string, from: From): Promise<Offer> {
  switch (argument) {
    case 'file':
      return 'files';
    case 'gateway':
      return await gatewayNames(from);
    case 'task':
      return await taskNames(from, command === 'cancel');
    case 'host':
      return await hostNames(from.given.inventory ?? 'viworks.toml');
    case 'kind':
      return ['inventory', 'backend', 'gateway', 'launcher'].map((kind): Candidate => [kind, `${kind}.toml`]);
    default:
      return [];
  }
}

async function gatewayNames(from: From): Promise<Candidate[]> {
  const list = await ask<{ gateways: readonly http.GatewayBody[] }>('/api/v1/gateways', from);
  return (list?.gateways ?? []).map((gateway) => [gateway.gatewayId, gateway.state]);
}

async function taskNames(from: From, unfinished: boolean): Promise<Candidate[]> {
  const list = await ask<{ tasks: readonly http.TaskBody[] }>('/api/v1/tasks?limit=20', from);
  return (list?.tasks ?? [])
    .filter((task) => !unfinished || task.state !== 'finished')
    .map((task) => [task.taskId, `${endingOf(task)} on ${task.gatewayId}`]);
}

async function contextNames({ env }: From): Promise<Candidate[]> {
  const { contexts } = await readContexts(env).catch(() => ({ contexts: {} }));
  return Object.entries(contexts).map(([name, { url }]) => [name, url]);
}

// Names only; whether the inventory is right is for others to say.
async function hostNames(file: string): Promise<Candidate[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*\[hosts\.["']?([^\]"'.]+)["']?\]/gm)].map(([, name = '']) => [name, `in ${file}`]);
}

async function ask<T>(path: string, { given, env }: From): Promise<T | undefined> {
  try {
    const { context, url } = given;
    const files = { tokenFile: given['token-file'], trustFile: given['trust-file'] };
    const client = createClient(await resolveTarget({ context, url, ...files }, env));
    return await withDeadline((signal) => client.json<T>({ method: 'GET', path, signal }), {
      ms: LIVE_NAMES_MS,
      clock: systemClock,
      onTimeout: () => new Error('too slow for a prompt'),
    });
  } catch {
    return undefined; // No context, no backend, no token: then there is nothing to offer.
  }
}
