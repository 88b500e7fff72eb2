// Where an operator's commands go: named contexts (URL, token file, trust file) in ~/.config/viworks/contexts.json.
// Written by `up` and by the deployer's first run, read by every command that talks to the HTTP API.

import { mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { unreadable } from './config-text.ts';
import { describe, errnoOf, runtimeErrors, ViworksError } from './errors.ts';
import { replaceFile } from './files.ts';
import { readSecretFile, Secret } from './secret.ts';

/** How to reach one backend's HTTP API. */
export interface OperatorContext {
  readonly url: string;
  readonly tokenFile: string;
  /** The doctor's own token: it can read the registry and run the canary, and nothing else. */
  readonly probeTokenFile?: string | undefined;
  /** CA bundle (PEM) to trust instead of the system's roots. */
  readonly trustFile?: string | undefined;
}

/** The file: contexts by name, and the one that is used when none is named. */
export interface ContextsFile {
  readonly current: string | undefined;
  readonly contexts: Readonly<Record<string, OperatorContext>>;
}

/** What a client of the API needs. */
export interface ApiTarget {
  readonly url: URL;
  readonly token: Secret | undefined;
  readonly ca: string | undefined;
  /** The token's file, when others than its owner may read or change it. */
  readonly openTokenFile?: string | undefined;
  /** Name of the context it came from, for messages. */
  readonly context: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

/** `$XDG_CONFIG_HOME/viworks`, by default ~/.config/viworks. */
export function operatorDirectory(env: Env): string {
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'viworks');
}

/** Reads the contexts; an absent file is an empty one. Throws VW_RUNTIME_CONTEXTS_UNREADABLE. */
export async function readContexts(env: Env): Promise<ContextsFile> {
  const file = join(operatorDirectory(env), 'contexts.json');
  try {
    return checked(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { current: undefined, contexts: {} };
    throw runtimeErrors.create('VW_RUNTIME_CONTEXTS_UNREADABLE', { file, reason: describe(error) }, error);
  }
}

/** A context as it is saved. */
export interface ContextEntry {
  readonly name: string;
  readonly url: string;
  readonly token: string;
  readonly probeToken?: string | undefined;
  readonly trust?: string | undefined;
  readonly makeCurrent?: boolean;
}

/** Adds or replaces a context, with its tokens (written beside, mode 0600), and makes it the current one unless told not to. */
export async function saveContext(env: Env, entry: ContextEntry): Promise<void> {
  await writing(env, (directory) => writeContext(env, directory, entry));
}

/** Gives a context that is there the doctor's token; nothing happens without one of this name. */
export async function saveProbeToken(env: Env, name: string, token: string): Promise<void> {
  await writing(env, async (directory) => {
    const { current, contexts } = await readContexts(env);
    const context = contexts[name];
    if (!context) return;
    const probeTokenFile = await writeToken(directory, `${name}.probe-token`, token);
    await writeFileOf(directory, { current, contexts: { ...contexts, [name]: { ...context, probeTokenFile } } });
  });
}

async function writing(env: Env, write: (directory: string) => Promise<void>): Promise<void> {
  const directory = operatorDirectory(env);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await write(directory);
  } catch (error) {
    if (error instanceof ViworksError) throw error;
    throw runtimeErrors.create('VW_RUNTIME_CONTEXTS_UNWRITABLE', { directory, reason: describe(error) }, error);
  }
}

async function writeContext(env: Env, directory: string, entry: ContextEntry): Promise<void> {
  const name = entry.name.replace(/[^A-Za-z0-9._-]/g, '-');
  const tokenFile = await writeToken(directory, `${name}.token`, entry.token);
  const probe = entry.probeToken;
  const probeTokenFile = probe === undefined ? undefined : await writeToken(directory, `${name}.probe-token`, probe);
  const trustFile = entry.trust === undefined ? undefined : join(directory, `${name}.ca.pem`);
  if (trustFile !== undefined) await replaceFile(trustFile, entry.trust ?? '', { mode: 0o600 });
  const before = await readContexts(env);
  await writeFileOf(directory, {
    current: entry.makeCurrent === false ? (before.current ?? name) : name,
    contexts: { ...before.contexts, [name]: { url: entry.url, tokenFile, probeTokenFile, trustFile } },
  });
}

async function writeToken(directory: string, name: string, token: string): Promise<string> {
  const file = join(directory, name);
  await replaceFile(file, `${token}\n`, { mode: 0o600 });
  return file;
}

async function writeFileOf(directory: string, file: ContextsFile): Promise<void> {
  await replaceFile(join(directory, 'contexts.json'), `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
}

/** What flags and variables say, then the named or the current context. Throws when nothing names a URL. */
export async function resolveTarget(options: Readonly<Record<string, unknown>>, env: Env): Promise<ApiTarget> {
  const pick = (flag: string, variable: string): string | undefined => {
    const value = options[flag];
    return typeof value === 'string' ? value : env[variable] || undefined;
  };
  const url = pick('url', 'VIWORKS_URL');
  const named = pick('context', 'VIWORKS_CONTEXT');
  // A URL that was given by hand never gets the token of a context that points elsewhere.
  const { name, context } = url !== undefined && named === undefined ? {} : await chosen(env, named);
  const target = url ?? context?.url;
  if (target === undefined) throw runtimeErrors.create('VW_RUNTIME_NO_TARGET');
  const tokenFile = pick('tokenFile', 'VIWORKS_TOKEN_FILE') ?? context?.tokenFile;
  const trustFile = pick('trustFile', 'VIWORKS_TRUST_FILE') ?? context?.trustFile;
  return {
    url: parseUrl(target),
    token: tokenFile === undefined ? undefined : await readToken(tokenFile),
    openTokenFile: tokenFile !== undefined && (await isOpen(tokenFile)) ? tokenFile : undefined,
    ca: trustFile === undefined ? undefined : await readTrust(trustFile),
    context: name,
  };
}

async function chosen(env: Env, named: string | undefined): Promise<{ name?: string; context?: OperatorContext }> {
  const { current, contexts } = await readContexts(env);
  const name = named ?? current;
  if (name === undefined) return {};
  const context = contexts[name];
  if (context) return { name, context };
  throw runtimeErrors.create('VW_RUNTIME_NO_CONTEXT', { name, known: Object.keys(contexts).join(', ') || 'none' });
}

// What a header can carry: anything else is not a token, but some other file.
async function readToken(file: string): Promise<Secret> {
  const token = new Secret((await readSecretFile('API token', file)).reveal().trim());
  if (/^[\x21-\x7e]+$/.test(token.reveal())) return token;
  const reason = 'it is not one line with a token';
  throw runtimeErrors.create('VW_RUNTIME_SECRET_UNREADABLE', { name: 'API token', file, reason });
}

async function isOpen(file: string): Promise<boolean> {
  const info = await stat(file).catch(() => undefined);
  return info?.isFile() === true && (info.mode & 0o077) !== 0;
}

// Everywhere else a token would cross the network in the clear.
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname))) return url;
  if (url?.protocol === 'http:') throw runtimeErrors.create('VW_RUNTIME_PLAIN_URL', { url: text });
  throw runtimeErrors.create('VW_RUNTIME_BAD_URL', { url: text });
}

async function readTrust(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw runtimeErrors.create('VW_RUNTIME_CONFIG_UNREADABLE', {
    file,
    reason: 'there is no certificate in it',
    remedy: 'name a file of CA certificates in PEM form (-----BEGIN CERTIFICATE-----)',
  });
}

function checked(value: unknown): ContextsFile {
  const file = value as Partial<ContextsFile> | null;
  if (typeof file !== 'object' || file === null || typeof file.contexts !== 'object')
    throw new Error('not a list of contexts');
  for (const [name, context] of Object.entries(file.contexts)) {
    if (typeof context?.url !== 'string' || typeof context.tokenFile !== 'string') {
      throw new Error(`the context ${name} needs url and tokenFile`);
    }
  }
  return { current: typeof file.current === 'string' ? file.current : undefined, contexts: file.contexts };
}
