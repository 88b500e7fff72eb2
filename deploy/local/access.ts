// Who may talk to the local backend: the operator's token and context, and the gateway's one-time enrolment.
import { spawn } from 'node:child_process';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Invocation,
  ProbeCredential,
  readContexts,
  readSecretFile,
  Secret,
  saveContext,
} from '../../agents/runtime/index.ts';
import { localErrors } from './errors.ts';
import { askWithToken, type LocalBackend } from './loopback.ts';
import type { Places } from './places.ts';

/** What is needed to call our own program once. */
export interface OneShot {
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Gives an operator's token that the backend takes: the kept one of the context, or a new one, saved as a context with the doctor's own. */
export async function ensureToken(
  places: Places,
  options: OneShot & {
    readonly operator: Invocation['env'];
    readonly backend: LocalBackend;
    readonly trust: string;
    readonly now: number;
  },
): Promise<{ token: Secret; current: boolean }> {
  const { operator, backend } = options;
  const name = places.gatewayId;
  const kept = await keptTokens(name, operator, backend);
  // A name is taken for good, and the first token may have been lost with the operator's configuration.
  const at = new Date(options.now).toISOString();
  const make = (role: 'operator' | 'probe', label: string): Promise<string> =>
    output(
      ['backend', 'token', 'create', '--role', role, '--name', label, '--config', places.configs.backend],
      options,
    );
  const token = kept?.token ?? (await make('operator', `viworks up ${at}`));
  const probeToken = kept?.probeToken ?? (await make('probe', `doctor of viworks up ${at}`));
  const { current } = await readContexts(operator);
  // Somebody's current context is not taken over: a command meant for it must not land here.
  const makeCurrent = current === undefined || current === name;
  await saveContext(operator, {
    name,
    url: `https://localhost:${places.ports.tls}`,
    token,
    probeToken,
    trust: options.trust,
    makeCurrent,
  });
  return { token: new Secret(token), current: makeCurrent };
}

async function keptTokens(
  name: string,
  env: Invocation['env'],
  backend: LocalBackend,
): Promise<{ readonly token: string; readonly probeToken: string | undefined } | undefined> {
  const context = (await readContexts(env)).contexts[name];
  if (!context) return undefined;
  const taken = async (file: string | undefined): Promise<string | undefined> => {
    const secret = file === undefined ? undefined : await readSecretFile('API token', file).catch(() => undefined);
    if (!secret) return undefined;
    return (await askWithToken(backend, '/api/v1/gateways', secret)).status === 200 ? secret.reveal() : undefined;
  };
  const token = await taken(context.tokenFile);
  if (token === undefined) return undefined;
  const probeToken = await taken(context.probeTokenFile);
  return { token, probeToken: ProbeCredential.of(probeToken ?? '') ? probeToken : undefined };
}

/** Lets the gateway enrol unless the backend knows it already; gives the file with its one-time token, if one was made. */
export async function ensureEnrolment(
  places: Places,
  token: Secret,
  options: OneShot & { readonly backend: LocalBackend },
): Promise<string | undefined> {
  const state = places.states.gateway;
  const { status } = await askWithToken(options.backend, `/api/v1/gateways/${places.gatewayId}`, token);
  const known = status === 200;
  const hasKey = await stat(join(state, 'identity.json')).then(
    () => true,
    () => false,
  );
  if (known && hasKey) return undefined;
  // A key that this backend has never seen is of no use any more, nor is the journal of its tasks.
  if (hasKey) await rm(state, { recursive: true });
  const argv = [
    'backend',
    'enrolment-token',
    'create',
    '--gateway',
    places.gatewayId,
    '--config',
    places.configs.backend,
  ];
  const once = await output(argv, options);
  await writeFile(places.enrolmentToken, `${once}\n`, { mode: 0o600 });
  return places.enrolmentToken;
}

async function output(argv: readonly string[], { program, env, signal }: OneShot): Promise<string> {
  const [file = '', ...args] = program;
  const child = spawn(file, [...args, ...argv], { env, signal, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, words] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const text = out.trim();
  if (code === 0 && text !== '') return text;
  const command = `viworks ${argv.join(' ')}`;
  throw localErrors.create('VW_UP_COMMAND_FAILED', {
    command,
    code: code ?? 1,
    words: words.trim() || 'it printed nothing',
  });
}
