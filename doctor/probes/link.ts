// The way to one host as probes use it: a shell for a round, and dials that happen from there. Over SSH, or on this machine.
import { spawn } from 'node:child_process';
import { connect as connectTcp } from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { errnoOf } from '../../agents/runtime/index.ts';
import type { Remote } from '../../deploy/remote/index.ts';
import type { TcpConnect } from '../engine/index.ts';

/** How a dial failed, as far as the way there lets it be told. */
export type DialFailure = Exclude<TcpConnect['outcome'], 'connected'> | 'forbidden' | 'unresolved';

/** A dial that did not connect. */
export class DialError extends Error {
  readonly failure: DialFailure;

  constructor(failure: DialFailure, message: string) {
    super(message);
    this.name = 'DialError';
    this.failure = failure;
  }
}

/** A program that reads its script from stdin. */
export interface Shell {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when it ended, whatever the exit code; rejects when the way to it broke. */
  readonly ended: Promise<void>;
  kill(): void;
}

/** One host within reach. */
export interface HostLink {
  /** `ssh root@192.0.2.10`, or empty for this machine. */
  readonly via: string;
  shell(command: string): Promise<Shell>;
  /** Connects from that host; the name is resolved there. Rejects with DialError. */
  dial(host: string, port: number, signal: AbortSignal): Promise<Duplex>;
  close(): Promise<void>;
}

/** A host over an open SSH connection. */
export function sshLink(remote: Remote): HostLink {
  const { target } = remote;
  const port = target.port === 22 ? '' : ` -p ${target.port}`;
  return {
    via: `ssh${port} ${target.user}@${target.address}`,
    async shell(command) {
      const running = await remote.start({ script: command });
      // The shell's complaints are not part of any frame; unread they would fill the window and stop the program.
      running.stderr.resume();
      return {
        stdin: running.stdin,
        stdout: running.stdout,
        ended: running.exited.then(() => undefined),
        kill: () => running.kill(),
      };
    },
    async dial(host, port_, signal) {
      signal.throwIfAborted();
      try {
        return await untilAborted(remote.forward(host, port_), signal);
      } catch (error) {
        signal.throwIfAborted();
        throw forwardError(error);
      }
    },
    close: () => remote.close(),
  };
}

/** This machine. */
export function localLink(): HostLink {
  return {
    via: '',
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
      return Promise.resolve({ stdin: child.stdin, stdout: child.stdout, ended, kill: () => child.kill('SIGKILL') });
    },
    dial: dialFromHere,
    close: () => Promise.resolve(),
  };
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
  return 'unreachable';
}

/**
 * Why sshd refused a forward. Reason 1 is a policy of sshd (AllowTcpForwarding no); reason 2 is what connect(2) or the name service
 * of that host said, in words.
 */
export function forwardError(error: unknown): Error {
  const source = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(source instanceof Error)) return new DialError('unreachable', String(source));
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
  return new DialError(reason === 2 ? 'refused' : 'unreachable', message);
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
