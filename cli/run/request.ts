// The operator's words → the body of POST /api/v1/commands. Nothing is joined or quoted: argv stays argv.
import type { Readable } from 'node:stream';
import type { http } from '../../agents/protocol/index.ts';
import { type Invocation, runtimeErrors } from '../../agents/runtime/index.ts';
import { parseDuration } from '../duration.ts';
import { cliErrors } from '../errors.ts';

/** The protocol's limit for a task's standard input. */
export const MAX_STDIN_BYTES = 1024 * 1024;

/** A command that expires sooner may do so on its way to a gateway that is there. */
const MIN_TTL_MS = 100;

/** Builds the request; `stdin` was read already. Throws VW_RUNTIME_USAGE. */
export function commandRequest(
  invocation: Pick<Invocation, 'args' | 'rest' | 'options'>,
  stdin: Buffer | undefined,
): http.CommandRequest {
  const { options } = invocation;
  const [gateway = ''] = invocation.args;
  const { cwd } = options;
  if (typeof cwd === 'string' && !cwd.startsWith('/')) throw usage(`--cwd: ${cwd} is not an absolute path`);
  return {
    ...verbAndArgs(invocation),
    gateways: [gateway],
    env: environment(options.env),
    ...(typeof cwd === 'string' ? { cwd } : {}),
    ...(stdin ? { stdin: stdin.toString('base64') } : {}),
    ...duration(options, { key: 'timeout', field: 'timeoutMs' }),
    ...duration(options, { key: 'grace', field: 'graceMs' }),
    ...duration(options, { key: 'ttl', field: 'ttlMs' }),
  };
}

function verbAndArgs({
  rest,
  options,
}: Pick<Invocation, 'rest' | 'options'>): Pick<http.CommandRequest, 'verb' | 'args'> {
  const { verb, shell, arg } = options;
  if (typeof verb === 'string') {
    if (rest.length > 0) throw usage('--verb takes its arguments with --arg NAME=VALUE, not after --');
    return { verb, args: verbArguments(arg) };
  }
  if (arg !== undefined) throw usage('--arg belongs to --verb');
  if (rest.length === 0)
    throw usage('the command is missing; write it after --, as in: viworks run GATEWAY -- uname -sr');
  const [script = '', ...more] = rest;
  if (script === '') throw usage('the command after -- is empty');
  if (shell !== true) return { verb: 'exec', args: { argv: [...rest] } };
  if (more.length > 0)
    throw usage("--shell takes the script as one word: viworks run GATEWAY --shell -- 'date; uname'");
  return { verb: 'shell', args: { script } };
}

// Values are JSON where they read as JSON (numbers, lists), text otherwise; the verb's schema has the last word.
function verbArguments(pairs: Invocation['options'][string]): Record<string, unknown> {
  return Object.fromEntries(
    pairsOf(pairs, '--arg').map(([name, text]) => {
      try {
        return [name, JSON.parse(text) as unknown];
      } catch {
        return [name, text];
      }
    }),
  );
}

function environment(pairs: Invocation['options'][string]): Record<string, string> {
  const entries = pairsOf(pairs, '--env');
  const odd = entries.find(([name]) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (odd) throw usage(`--env: ${JSON.stringify(odd[0])} is not a variable's name`);
  return Object.fromEntries(entries);
}

function pairsOf(value: Invocation['options'][string], flag: string): [string, string][] {
  return (Array.isArray(value) ? (value as readonly string[]) : []).map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1) throw usage(`${flag}: write NAME=VALUE, not ${JSON.stringify(pair)}`);
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  });
}

function duration(options: Invocation['options'], name: { key: string; field: string }): Record<string, number> {
  const text = options[name.key];
  if (typeof text !== 'string') return {};
  const ms = parseDuration(text, { flag: `--${name.key}`, command: 'viworks run' });
  if (name.key === 'ttl' && ms < MIN_TTL_MS) throw usage(`--ttl: ${text} would be over before the gateway can answer`);
  return { [name.field]: ms };
}

function usage(problem: string): Error {
  return runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: 'viworks run' });
}

/** Reads a stream to its end, up to the protocol's limit. */
export async function readStdin(stdin: Readable, signal?: AbortSignal): Promise<Buffer> {
  signal?.addEventListener('abort', () => stdin.destroy(signal.reason as Error), { once: true });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_STDIN_BYTES) throw cliErrors.create('VW_CLI_STDIN_TOO_LARGE', { limit: MAX_STDIN_BYTES });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
