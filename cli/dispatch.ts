// From the operator's words to one command's exit code: load it, parse, run, and print whatever went wrong.
import {
  describe,
  errnoOf,
  type Invocation,
  isAbort,
  runtimeErrors,
  systemClock,
  type Terminal,
  ViworksError,
} from '../agents/runtime/index.ts';
import { COMMANDS, type CommandEntry } from './commands.ts';
import { cliErrors } from './errors.ts';
import { renderFailure } from './failure.ts';
import { parseCommand } from './parse.ts';
import { type Interrupts, listenForInterrupts } from './signals.ts';
import { nearest } from './suggest.ts';
import { processTerminal } from './terminal.ts';

/** Runs one command line; gives the exit code. Never throws. */
export async function runCli(argv: readonly string[], env: Invocation['env']): Promise<number> {
  const interrupts = listenForInterrupts();
  let lost: Error | undefined;
  // `viworks tasks | head -1` is no error: the command is asked to end, and nothing is printed about it.
  const { terminal, flush } = processTerminal(env, (error) => {
    // A full disk behind stdout is not our reader leaving: it is told, whatever the command makes of it.
    if (error.code !== 'EPIPE' && error.code !== 'EIO')
      lost ??= cliErrors.create('VW_CLI_OUTPUT', { reason: describe(error) }, error);
    interrupts.abort(cliErrors.create('VW_CLI_BROKEN_PIPE'));
  });
  const debug = env.VIWORKS_DEBUG === '1';
  const fail = (thrown: unknown): number => {
    const { text, code } = renderFailure(thrown, { colour: terminal.colour.stderr, debug });
    terminal.stderr.write(text);
    return code;
  };
  process.on('uncaughtException', (error) => process.exit(fail(error)));
  try {
    const code = await runCommand(argv, { env, terminal, interrupts });
    await flush();
    return lost === undefined ? code : fail(lost);
  } catch (error) {
    if (lost !== undefined) return fail(lost);
    const reason: unknown = interrupts.signal.reason;
    const asked = interrupts.signal.aborted && (isAbort(error) || error === reason || isBrokenPipe(error));
    if (!asked) return fail(error);
    return interrupts.code() ?? 0;
  } finally {
    await flush();
  }
}

// Whoever writes may notice it before the terminal does, and with an error of his own.
function isBrokenPipe(error: unknown): boolean {
  return error instanceof ViworksError && error.code === 'VW_CLI_BROKEN_PIPE';
}

interface Surroundings {
  readonly env: Invocation['env'];
  readonly terminal: Terminal;
  readonly interrupts: Interrupts;
}

async function runCommand(argv: readonly string[], around: Surroundings): Promise<number> {
  const { terminal, interrupts } = around;
  const helpFirst = argv[0] === 'help' && argv.length > 1;
  const [name = '', ...words] = helpFirst ? [argv[1] ?? '', ...argv.slice(2), '--help'] : argv;
  // What the shells' completion scripts call; not for people, so it is in no list.
  if (name === 'complete') {
    const { complete } = await import('./completions/complete.ts');
    return await complete(words.slice(words.indexOf('--') + 1), around);
  }
  // What the build asks its own result.
  if (name === 'help-index') {
    const { renderHelpIndex } = await import('./help-index.ts');
    terminal.stdout.write(JSON.stringify(await renderHelpIndex()));
    return 0;
  }
  const entry = COMMANDS.find((command) => command.name === name);
  if (!entry) throw unknownCommand(name);
  const parsed = parseCommand(await load(entry), words, terminal.columns);
  if (parsed.kind === 'text') {
    terminal.stdout.write(parsed.text);
    return 0;
  }
  const { spec, args, rest, options } = parsed;
  if (!spec.run) throw cliErrors.create('VW_CLI_NOT_BUILT', { name });
  return await spec.run({
    args,
    rest,
    options,
    terminal,
    signal: interrupts.signal,
    leaving: interrupts.leaving,
    clock: systemClock,
    env: around.env,
  });
}

async function load(entry: CommandEntry): ReturnType<CommandEntry['load']> {
  const spec: Awaited<ReturnType<CommandEntry['load']>> | undefined = await entry.load().catch((error: unknown) => {
    // A managed host has only what its agents and their operator need there.
    if (errnoOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw cliErrors.create('VW_CLI_NOT_HERE', { name: entry.name }, error);
  });
  if (spec === undefined) throw cliErrors.create('VW_CLI_NOT_BUILT', { name: entry.name });
  return spec;
}

function unknownCommand(name: string): Error {
  if (name.startsWith('-')) {
    const problem = `unknown option ${name} (options go after the command)`;
    return runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: 'viworks' });
  }
  const names = COMMANDS.map((command) => command.name);
  const guess = nearest(name, names);
  return cliErrors.create('VW_CLI_UNKNOWN_COMMAND', {
    name,
    nearest: guess ? `; did you mean \`viworks ${guess}\`?` : '',
  });
}
