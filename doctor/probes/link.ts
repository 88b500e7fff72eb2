// The way to one host as probes use it: a shell for a round, and dials that happen from there. Over SSH, or on this machine.
import { spawn } from 'node:child_process';
import { connect as connectTcp } from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { type Clock, errnoOf, ViworksError, withDeadline } from '../../agents/runtime/index.ts';
import type { Remote } from '../../deploy/remote/index.ts';
import type { TcpConnect } from '../engine/index.ts';

/** How a dial failed, as the host that dialled says it. `unclear`: it failed there, in words that are not known here. */
export type DialFailure = Exclude<TcpConnect['outcome'], 'connected'> | 'forbidden' | 'unresolved' | 'unclear';

/** A dial that did not connect. */
export class DialError extends Error {
  readonly failure: DialFailure;

  constructor(failure: DialFailure, message: string) {
    super(message);
    this.name = 'DialError';
    this.failure = failure;
  }
}

/** The way to a host broke. What failed over it was not seen: it is an error of its own so that nobody can take it for an answer. */
export class LostError extends Error {
  override readonly name = 'LostError';
}

/** A program that reads its script from stdin. */
export interface Shell {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when it ended, whatever the exit code; rejects with LostError when the way to it broke. */
  readonly ended: Promise<void>;
  /** What it wrote to stderr, at most 500 characters. */
  complaint(): string;
  kill(): void;
}

/** One host within reach. */
export interface HostLink {
  /** `ssh root@192.0.2.10`, or empty for this machine. */
  readonly via: string;
  /** Of a packet and its answer, at most, in ms; null where it was not measured. */
  readonly roundTripMs: number | null;
  shell(command: string): Promise<Shell>;
  /** Connects from that host; the name is resolved there. Rejects with DialError, or LostError. */
  dial(host: string, port: number, signal: AbortSignal): Promise<Duplex>;
  /** Throws LostError when the host no longer answers over this link: what has just failed over it was then not seen. */
  confirm(signal: AbortSignal): Promise<void>;
  /** When the link was first found broken, by the clock's monotonic time; null while it carries. */
  readonly brokeAtMs: number | null;
  close(): Promise<void>;
}

/** An answer to the question whether the link still carries needs one round trip, in ms. */
const CONFIRM_MS = 2_000;

/** TCP to the broadcast address fails in connect(2) itself, on every host, and no packet leaves it. */
const NOWHERE = '255.255.255.255';

/** A host over an open SSH connection. */
export function sshLink(remote: Remote, clock: Clock): HostLink {
  const { target } = remote;
  const port = target.port === 22 ? '' : ` -p ${target.port}`;
  let brokeAtMs: number | null = null;
  // One shell at a time: an sshd with MaxSessions 1 refuses a second session, and rounds are short.
  let turn: Promise<unknown> = Promise.resolve();
  const noticed = (error: unknown): unknown => {
    if (error instanceof LostError) brokeAtMs ??= clock.monotonicMs();
    return error;
  };
  return {
    via: `ssh${port} ${target.user}@${target.address}`,
    roundTripMs: remote.dialledMs,
    get brokeAtMs() {
      return brokeAtMs;
    },
    async shell(command) {
      const before = turn;
      const { promise: over, resolve: leave } = Promise.withResolvers<void>();
      turn = over;
      await before;
      const running = await remote.start({ script: command }).catch((error: unknown) => {
        leave();
        throw noticed(isDropped(error) ? new LostError(error.message) : error);
      });
      running.exited.then(
        () => leave(),
        () => leave(),
      );
      // The shell's complaints are not part of any frame; unread they would fill the window and stop the program.
      let complaint = '';
      running.stderr.on('data', (part: Buffer) => {
        complaint = (complaint + part.toString('utf8')).slice(0, 500);
      });
      return {
        stdin: running.stdin,
        stdout: running.stdout,
        ended: running.exited.then(
          () => undefined,
          (error: unknown) => {
            throw noticed(new LostError(error instanceof Error ? error.message : String(error)));
          },
        ),
        complaint: () => complaint,
        kill: () => running.kill(),
      };
    },
    async dial(host, port_, signal) {
      signal.throwIfAborted();
      try {
        return await untilAborted(remote.forward(host, port_), signal);
      } catch (error) {
        signal.throwIfAborted();
        throw noticed(forwardError(error));
      }
    },
    async confirm(signal) {
      const lost = (): Error => new LostError(`${target.name} no longer answers over its SSH connection`);
      try {
        const channel = await withDeadline((stop) => untilAborted(remote.forward(NOWHERE, 1), stop), {
          ms: CONFIRM_MS,
          clock,
          signal,
          onTimeout: lost,
        });
        channel.destroy();
      } catch (error) {
        signal.throwIfAborted();
        // Any other refusal is an answer of its sshd.
        const answer = error instanceof LostError ? error : forwardError(error);
        if (answer instanceof LostError) throw noticed(answer);
      }
    },
    close: () => remote.close(),
  };
}

/** This machine. */
export function localLink(): HostLink {
  return {
    via: '',
    roundTripMs: 0,
    shell(command) {
      const child = spawn('/bin/sh', ['-c', command], {
        stdio: ['pipe', 'pipe', 'ignore'],
        env: { PATH: '/usr/bin:/bin' },
      });
      const ended = new Promise<void>((resolve, reject) => {
        child.once('close', () => resolve());
        child.once('error', reject);
      });
      ended.catch(() => undefined);
      child.stdin.on('error', () => undefined);
      return Promise.resolve({
        stdin: child.stdin,
        stdout: child.stdout,
        ended,
        complaint: () => '',
        kill: () => child.kill('SIGKILL'),
      });
    },
    dial: dialFromHere,
    confirm: nothingBetween,
    brokeAtMs: null,
    close: () => Promise.resolve(),
  };
}

/** From this machine nothing lies between the doctor and what it sees: only a stopped run takes away what failed. */
export async function nothingBetween(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
}

/** A dial from where the doctor runs. */
export function dialFromHere(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port, noDelay: true, signal });
    socket.once('connect', () => {
      socket.removeListener('error', fail);
      resolve(socket);
    });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(signal.aborted ? signal.reason : new DialError(failureOf(errnoOf(error)), error.message));
    };
    socket.once('error', fail);
  });
}

function failureOf(errno: string | undefined): DialFailure {
  if (errno === 'ECONNREFUSED') return 'refused';
  if (errno === 'ETIMEDOUT') return 'timeout';
  if (errno === 'ECONNRESET') return 'reset';
  if (errno === 'ENOTFOUND' || errno === 'EAI_AGAIN') return 'unresolved';
  if (errno !== undefined && noWay.has(errno)) return 'unreachable';
  return 'unclear';
}

const noWay: ReadonlySet<string> = new Set([
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
]);

function isDropped(error: unknown): error is ViworksError {
  return error instanceof ViworksError && error.code === 'VW_REMOTE_DROPPED';
}

/**
 * Why there is no forward. Reason 1 is a policy of sshd (AllowTcpForwarding no); reason 2 is what connect(2) or the name service of that
 * host said, in words. What sshd did not say is no answer of the host: LostError.
 */
export function forwardError(error: unknown): DialError | LostError {
  if (isDropped(error)) return new LostError(error.message);
  const source = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(source instanceof Error)) return new LostError(String(source));
  const { message } = source;
  const reason = 'reason' in source ? source.reason : undefined;
  // "open failed" with reason 2 is no policy: connect(2) failed at once, since that host knows no way there.
  if (reason === 2 && /open failed$/i.test(message)) return new DialError('unreachable', message);
  if (reason === 1 || /administratively prohibited|open failed$/i.test(message))
    return new DialError('forbidden', message);
  if (/refused/i.test(message)) return new DialError('refused', message);
  if (/timed out/i.test(message)) return new DialError('timeout', message);
  if (/name|resol|address family/i.test(message)) return new DialError('unresolved', message);
  if (/unreachable|no route/i.test(message)) return new DialError('unreachable', message);
  return reason === undefined ? new LostError(message) : new DialError('unclear', message);
}

/** A forward cannot be taken back; when it comes too late it is closed at once. */
function untilAborted(opening: Promise<Duplex>, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      opening.then(
        (channel) => channel.destroy(),
        () => undefined,
      );
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    opening.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
