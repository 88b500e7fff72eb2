// A connection that ssh2 makes. It accepts any host key by default: here none is accepted without a reason.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { NodeSSH } from 'node-ssh';
import type { Client } from 'ssh2';
import { withDeadline } from '../../agents/runtime/index.ts';
import { openChannel, openForward, runToEnd } from './channel.ts';
import type { Credentials } from './credentials.ts';
import { dialError, loginError } from './ends.ts';
import { remoteErrors } from './errors.ts';
import { algorithmsFor, describeKey, judgeKey, type KnownHost, type ShownKey } from './host-key.ts';
import { endOfLogin, newTrace, offerInTurn, type Trace } from './login.ts';
import type { Remote, RemoteContext, RemoteTarget } from './target.ts';

// Three unanswered keep-alives, so a black hole is noticed within 15 s.
const KEEPALIVE_MS = 5_000;
const KEEPALIVE_MISSES = 3;

/** What one connection is made of. */
export interface Attempt {
  readonly target: RemoteTarget;
  readonly context: RemoteContext;
  readonly credentials: Credentials;
  readonly known: readonly KnownHost[];
  readonly limitMs: number;
}

/** Connects and logs in. Throws the error of a login end. */
export async function connectNode(attempt: Attempt): Promise<Remote> {
  const { target, context, limitMs } = attempt;
  // A pin has no type: a server that shows another key is asked for its keys of the other types, one after the other.
  const shown: ShownKey[] = [];
  for (;;) {
    const trace = newTrace();
    let stage: Trace | undefined;
    try {
      return await withDeadline((signal) => connect(attempt, { shown, trace, signal, began: () => (stage = trace) }), {
        ms: limitMs,
        clock: context.clock,
        signal: context.signal,
        onTimeout: () => late(target, limitMs, stage),
      });
    } catch (error) {
      if (!(error instanceof OtherKey)) throw error;
      shown.push(error.key);
    }
  }
}

/** Reads the key that a host shows, without logging in and without trusting it. */
export async function readKeyNode(target: RemoteTarget, context: RemoteContext, limitMs: number): Promise<ShownKey> {
  let shown: ShownKey | undefined;
  let stage: Trace | undefined;
  return withDeadline(
    async (signal) => {
      const socket = await dial(target, signal);
      const trace = newTrace();
      stage = trace;
      listenTo(socket, trace);
      const hostVerifier = (blob: Buffer): boolean => {
        shown = describeKey(blob);
        return false;
      };
      const failed = await new NodeSSH()
        .connect({ sock: socket, username: 'nobody', hostVerifier })
        .catch((error: unknown) => error);
      socket.destroy();
      if (!shown)
        throw endOfLogin(target, {
          trace,
          credentials: { offered: [], locked: [], special: undefined },
          error: failed,
        });
      return shown;
    },
    { ms: limitMs, clock: context.clock, signal: context.signal, onTimeout: () => late(target, limitMs, stage) },
  );
}

/** A key that is not pinned, on a host that may have a pinned one of another type. */
class OtherKey extends Error {
  readonly key: ShownKey;
  constructor(key: ShownKey) {
    super(key.fingerprint);
    this.key = key;
  }
}

async function connect(
  attempt: Attempt,
  of: { shown: readonly ShownKey[]; trace: Trace; signal: AbortSignal; began: () => void },
): Promise<Remote> {
  const { target, context, credentials, known } = attempt;
  const { trace, signal, shown } = of;
  const began = context.clock.monotonicMs();
  const socket = await dialInTime(attempt, signal);
  const dialledMs = context.clock.monotonicMs() - began;
  of.began();
  const ssh = new NodeSSH();
  let refusal: Error | undefined;
  let hostKey = '';
  const hostVerifier = (blob: Buffer): boolean => {
    trace.phase = 'login';
    hostKey = describeKey(blob).fingerprint;
    refusal = refusalFor(blob, attempt);
    return refusal === undefined;
  };
  const stop = (): void => void socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  listenTo(socket, trace);
  try {
    const connecting = ssh.connect({
      sock: socket,
      username: target.user,
      hostVerifier,
      authHandler: offerInTurn(target.user, credentials.offered, trace) as never,
      readyTimeout: 0,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVE_MISSES,
      algorithms: {
        serverHostKey: algorithmsFor(
          known,
          shown.map((key) => key.type),
        ) as never,
      },
    });
    // ssh2 also reports later errors as events; without a listener they would end the process.
    ssh.connection?.on('error', () => undefined);
    ssh.connection?.on('banner', (text) => {
      trace.banner = text.trim().split('\n').at(-1)?.trim() ?? '';
    });
    await connecting;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    if (refusal) throw refusal;
    // The server has no key of a type that was not shown yet: none of its keys is pinned.
    const [first] = shown;
    if (first && trace.phase !== 'login') throw changed(target, shown);
    throw endOfLogin(target, { trace, credentials, error });
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return createRemote({ attempt, client: ssh.connection as Client, socket, hostKey, dialledMs });
}

function createRemote(parts: {
  attempt: Attempt;
  client: Client;
  socket: Socket;
  hostKey: string;
  dialledMs: number;
}): Remote {
  const { client, socket, hostKey, dialledMs } = parts;
  const { target, context } = parts.attempt;
  const abort = (): void => void socket.destroy();
  context.signal.addEventListener('abort', abort, { once: true });
  // Every request that waits for its channel listens for the end of the connection, and many may wait at a time.
  socket.setMaxListeners(0);
  const door = { target, client, socket, context };
  let closing: Promise<void> | undefined;
  const ended = new Promise<Error | undefined>((resolve) => {
    const over = (): void => {
      const isMeant = closing !== undefined || context.signal.aborted;
      resolve(
        isMeant ? undefined : remoteErrors.create('VW_REMOTE_DROPPED', { host: target.name, what: 'it was open' }),
      );
    };
    if (socket.destroyed) over();
    else socket.once('close', over);
  });
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
    dialledMs,
    ended,
    exec: (command, options = {}) => runToEnd({ ...door, start: (one) => openChannel(door, one) }, command, options),
    start: (command) => openChannel(door, command),
    forward: (host, port) => openForward(door, host, port),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function listenTo(socket: Socket, trace: Trace): void {
  const hear = (part: Buffer): void => {
    if (trace.phase === 'greeting') trace.phase = 'keys';
    trace.heard = (trace.heard + part.toString('latin1')).slice(0, 255);
    if (trace.heard.length === 255) socket.removeListener('data', hear);
  };
  socket.on('data', hear);
  for (const event of ['end', 'error'] as const) {
    socket.once(event, () => {
      trace.isClosed = true;
    });
  }
}

/** Packets that are dropped are noticed long before a login may end: no answer is not a slow one. */
async function dialInTime({ target, context, limitMs }: Attempt, signal: AbortSignal): Promise<Socket> {
  const ms = Math.min(context.dialMs ?? limitMs, limitMs);
  let isNamed = false;
  const named = (): void => {
    isNamed = true;
  };
  return await withDeadline((stop) => dial(target, stop, named), {
    ms,
    clock: context.clock,
    signal,
    onTimeout: () =>
      isNamed
        ? late(target, ms, undefined)
        : loginError('name-unresolved', target, { detail: { reason: `no answer about its name within ${ms} ms` } }),
  });
}

function dial(target: RemoteTarget, signal: AbortSignal, named: () => void = () => undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: target.address, port: target.port, noDelay: true });
    if (isIP(target.address) > 0) named();
    else socket.once('lookup', named);
    const stop = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    socket.once('error', (error) => {
      signal.removeEventListener('abort', stop);
      reject(dialError(target, error));
    });
    socket.once('connect', () => {
      signal.removeEventListener('abort', stop);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function refusalFor(blob: Buffer, { target, known }: Attempt): Error | undefined {
  const verdict = judgeKey(blob, target.hostKeys, known);
  if (verdict.kind === 'trusted') return undefined;
  const key = describeKey(blob);
  if (target.hostKeys.length > 0) return new OtherKey(key);
  return keyError(target, key, verdict);
}

/** The error of a host key that was not accepted. */
export function keyError(
  target: RemoteTarget,
  { type, fingerprint }: ShownKey,
  verdict: Exclude<ReturnType<typeof judgeKey>, { kind: 'trusted' }>,
): Error {
  const detail = { actual: fingerprint, type };
  if (verdict.kind === 'unknown') return loginError('host-key-unknown', target, { detail });
  const { expected, source } = verdict;
  const end = verdict.kind === 'changed' ? 'host-key-changed' : 'host-key-other-type';
  return loginError(end, target, { detail: { ...detail, expected, source } });
}

/** The error of a host none of whose keys is pinned. */
export function changed(target: RemoteTarget, shown: readonly ShownKey[]): Error {
  return loginError('host-key-changed', target, {
    detail: {
      actual: shown.map((key) => key.fingerprint).join(' or '),
      type: shown.map((key) => key.type).join(', '),
      expected: target.hostKeys.join(' or '),
      source: 'the inventory',
    },
  });
}

function late(target: RemoteTarget, limitMs: number, stage: Trace | undefined): Error {
  const how = stage === undefined ? 'no answer' : STUCK[stage.phase];
  return loginError('timeout', target, { detail: { reason: `${how} within ${limitMs} ms` } });
}

const STUCK: Readonly<Record<Trace['phase'], string>> = {
  greeting: 'it accepted the connection but sent no greeting',
  keys: 'it sent a greeting but did not finish the key exchange',
  login: 'it did not finish the login',
};
