// One verified SSH connection to one host. ssh2 accepts any host key by default: here none is accepted without a reason.
import { readFile } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Config, NodeSSH } from 'node-ssh';
import type { Client } from 'ssh2';
import { describe, errnoOf, withDeadline } from '../../agents/runtime/index.ts';
import { openChannel, openForward, runToEnd } from './channel.ts';
import { type Credential, collectCredentials } from './credentials.ts';
import { remoteErrors } from './errors.ts';
import { algorithmsFor, describeKey, judgeKey, type KnownHost, knownFor, parseKnownHosts } from './host-key.ts';
import type { Remote, RemoteContext, RemoteTarget } from './target.ts';

const CONNECT_MS = 10_000;
// Three unanswered keep-alives, so a black hole is noticed within 15 s.
const KEEPALIVE_MS = 5_000;
const KEEPALIVE_MISSES = 3;

/** Opens a connection, verifying the host key before anything is sent. Throws VW_REMOTE_*. */
export async function openRemote(target: RemoteTarget, context: RemoteContext): Promise<Remote> {
  if (target.jump !== undefined) throw remoteErrors.create('VW_REMOTE_JUMP', { host: target.name, jump: target.jump });
  const credentials = await collectCredentials(target, context);
  const known = await readKnownHosts(target, context.env);
  const limitMs = context.connectMs ?? CONNECT_MS;
  return withDeadline((signal) => connect({ target, context, credentials, known, signal }), {
    ms: limitMs,
    clock: context.clock,
    signal: context.signal,
    onTimeout: () => unreachable(target, `no answer within ${limitMs} ms`),
  });
}

/** Reads the key that a host shows, without logging in and without trusting it: for `deploy trust`. */
export async function readHostKey(
  target: RemoteTarget,
  context: RemoteContext,
): Promise<{ readonly type: string; readonly fingerprint: string }> {
  let shown: ReturnType<typeof describeKey> | undefined;
  const limitMs = context.connectMs ?? CONNECT_MS;
  return withDeadline(
    async (signal) => {
      const socket = await dial(target, signal);
      const ssh = new NodeSSH();
      const verifier = (blob: Buffer): boolean => {
        shown = describeKey(blob);
        return false;
      };
      await ssh.connect({ sock: socket, username: 'nobody', hostVerifier: verifier }).catch(() => undefined);
      socket.destroy();
      if (!shown) throw unreachable(target, 'it showed no host key');
      return shown;
    },
    {
      ms: limitMs,
      clock: context.clock,
      signal: context.signal,
      onTimeout: () => unreachable(target, `no answer within ${limitMs} ms`),
    },
  );
}

interface KnownKeys {
  readonly entries: readonly KnownHost[];
  readonly file: string;
}

interface Attempt {
  readonly target: RemoteTarget;
  readonly context: RemoteContext;
  readonly credentials: readonly Credential[];
  readonly known: KnownKeys;
  /** Ends with the connect deadline; the connection itself lives until the context's signal. */
  readonly signal: AbortSignal;
}

async function connect(attempt: Attempt): Promise<Remote> {
  const { target, credentials, signal } = attempt;
  const socket = await dial(target, signal);
  const ssh = new NodeSSH();
  let refusal: Error | undefined;
  let hostKey = '';
  const hostVerifier = (blob: Buffer): boolean => {
    hostKey = describeKey(blob).fingerprint;
    refusal = refusalFor(blob, attempt);
    return refusal === undefined;
  };
  const stop = (): void => void socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const connecting = ssh.connect(configOf(attempt, { sock: socket, hostVerifier }));
    // ssh2 also reports later errors as events; without a listener they would end the process.
    ssh.connection?.on('error', () => undefined);
    await connecting;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw refusal ?? loginError(target, credentials, error);
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return createRemote({ attempt, client: ssh.connection as Client, socket, hostKey });
}

function createRemote(parts: { attempt: Attempt; client: Client; socket: Socket; hostKey: string }): Remote {
  const { client, socket, hostKey } = parts;
  const { target, context } = parts.attempt;
  const abort = (): void => void socket.destroy();
  context.signal.addEventListener('abort', abort, { once: true });
  const door = { target, client, socket, context };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= new Promise((resolve) => {
      context.signal.removeEventListener('abort', abort);
      if (socket.destroyed) return resolve();
      const giveUp = context.clock.after(1_000, () => void socket.destroy());
      socket.once('close', () => {
        giveUp.cancel();
        resolve();
      });
      client.end();
    }));
  return {
    target,
    hostKey,
    exec: (command, options = {}) => runToEnd(door, command, options),
    start: (command) => openChannel(door, command),
    forward: (host, port) => openForward(door, host, port),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function dial(target: RemoteTarget, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: target.address, port: target.port, noDelay: true });
    const stop = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', (error) => {
      signal.removeEventListener('abort', stop);
      reject(unreachable(target, reasonOf(error), error));
    });
    socket.once('connect', () => {
      signal.removeEventListener('abort', stop);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function configOf(attempt: Attempt, parts: { sock: Socket; hostVerifier: (blob: Buffer) => boolean }): Config {
  const { target, credentials, known } = attempt;
  const serverHostKey = target.hostKeys.length > 0 ? [] : algorithmsFor(known.entries);
  const authHandler = credentials.map((credential) =>
    credential.kind === 'agent'
      ? { type: 'agent' as const, username: target.user, agent: credential.socket }
      : { type: 'publickey' as const, username: target.user, key: credential.key },
  );
  return {
    sock: parts.sock,
    username: target.user,
    hostVerifier: parts.hostVerifier,
    authHandler,
    readyTimeout: 0,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_MISSES,
    ...(serverHostKey.length > 0 ? { algorithms: { serverHostKey: serverHostKey as never } } : {}),
  };
}

function refusalFor(blob: Buffer, attempt: Attempt): Error | undefined {
  const { target, known } = attempt;
  const verdict = judgeKey(blob, target.hostKeys, known);
  if (verdict.kind === 'trusted') return undefined;
  const { type, fingerprint } = describeKey(blob);
  const detail = { host: target.name, address: target.address, port: target.port, actual: fingerprint, type };
  if (verdict.kind === 'unknown') return remoteErrors.create('VW_REMOTE_HOST_KEY_UNKNOWN', detail);
  const { expected, source } = verdict;
  return remoteErrors.create('VW_REMOTE_HOST_KEY_CHANGED', { ...detail, expected, source });
}

async function readKnownHosts(
  target: RemoteTarget,
  env: Readonly<Record<string, string | undefined>>,
): Promise<KnownKeys> {
  const file = join(env.HOME ?? homedir(), '.ssh', 'known_hosts');
  if (target.hostKeys.length > 0) return { entries: [], file };
  const text = await readFile(file, 'utf8').catch(() => '');
  return { entries: knownFor(parseKnownHosts(text), target.address, target.port), file };
}

function loginError(target: RemoteTarget, credentials: readonly Credential[], error: unknown): Error {
  const level = error instanceof Error && 'level' in error ? error.level : undefined;
  if (level !== 'client-authentication') return unreachable(target, reasonOf(error), error);
  const offered = credentials.map((credential) => credential.label).join(', ') || 'no key was found';
  return remoteErrors.create('VW_REMOTE_AUTH', { host: target.name, user: target.user, offered }, error);
}

function unreachable(target: RemoteTarget, reason: string, cause?: unknown): Error {
  const { name: host, address, port } = target;
  return remoteErrors.create('VW_REMOTE_UNREACHABLE', { host, address, port, reason }, cause);
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to its network',
  ENOTFOUND: 'the name does not resolve',
  EAI_AGAIN: 'the name server does not answer',
  ECONNRESET: 'the connection was reset',
};

function reasonOf(error: unknown): string {
  return REASONS[errnoOf(error) ?? ''] ?? describe(error);
}
