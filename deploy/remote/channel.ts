// Commands and forwards over an open connection: deadlines, output caps, and "the link dropped" told apart from "it ended".
import type { Socket } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import type { Client, ClientChannel } from 'ssh2';
import { describe, withDeadline } from '../../agents/runtime/index.ts';
import { commandLine, scriptLine } from './argv.ts';
import { remoteErrors } from './errors.ts';
import type { ExecOptions, ExecResult, RemoteCommand, RemoteContext, RemoteProcess, RemoteTarget } from './target.ts';

const EXEC_MS = 60_000;
const EXEC_BYTES = 16 * 1024 * 1024;

/** What commands share: the connection and who owns it. */
export interface ChannelDoor {
  readonly target: RemoteTarget;
  readonly client: Client;
  readonly socket: Socket;
  readonly context: RemoteContext;
}

/** What running a command to its end needs, whatever the connection is made of. */
export interface RunDoor {
  readonly target: RemoteTarget;
  readonly context: RemoteContext;
  start(command: RemoteCommand): Promise<RemoteProcess>;
}

/** Starts a command. */
export async function openChannel(door: ChannelDoor, command: RemoteCommand): Promise<RemoteProcess> {
  const line = 'script' in command ? scriptLine(command.script) : commandLine(command.argv);
  const what = 'script' in command ? 'a script' : (command.argv[0] ?? 'a command');
  // Wired inside the callback: the exit may stand in the same packet as the confirmation of the channel.
  return await request(door, what, (done) =>
    door.client.exec(line, (error, channel) =>
      done(error, () => wire(channel, () => dropped(door, `running ${what}`))),
    ),
  );
}

function wire(channel: ClientChannel, lost: () => Error): RemoteProcess {
  // The other side may end before it has read its input; who cares learns it from `exited`.
  channel.on('error', () => undefined);
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    let end: { code: number | null; signal: string | null } | undefined;
    channel.on('exit', (code: number | null, signal?: string) => {
      end = { code: code ?? null, signal: signal ?? null };
    });
    channel.on('close', () => (end ? resolve(end) : reject(lost())));
  });
  exited.catch(() => undefined);
  return {
    stdin: channel.stdin as RemoteProcess['stdin'],
    stdout: channel.stdout as Readable,
    stderr: channel.stderr as Readable,
    exited,
    kill: () => channel.close(),
  };
}

/** Runs a command to its end and collects what it says. */
export async function runToEnd(door: RunDoor, command: RemoteCommand, options: ExecOptions): Promise<ExecResult> {
  const limitMs = options.timeoutMs ?? EXEC_MS;
  const limitBytes = options.maxBytes ?? EXEC_BYTES;
  const host = door.target.name;
  const what = 'script' in command ? 'a script' : (command.argv[0] ?? 'a command');
  let running: RemoteProcess | undefined;
  try {
    return await withDeadline(
      async () => {
        running = await door.start(command);
        const counter = {
          left: limitBytes,
          over: () => remoteErrors.create('VW_REMOTE_OUTPUT', { host, what, limitBytes }),
        };
        const collected = Promise.all([collect(running.stdout, counter), collect(running.stderr, counter)]);
        feed(running, options.stdin);
        const [[stdout, stderr], end] = await Promise.all([collected, running.exited]);
        return { ...end, stdout, stderr };
      },
      {
        ms: limitMs,
        clock: door.context.clock,
        signal: door.context.signal,
        onTimeout: () => remoteErrors.create('VW_REMOTE_DEADLINE', { host, what, limitMs }),
      },
    );
  } catch (error) {
    running?.kill();
    throw error;
  }
}

/** Opens a connection from the host to `host:port`. */
export async function openForward(door: ChannelDoor, host: string, port: number): Promise<Duplex> {
  return await request<Duplex>(door, `${host}:${port}`, (done) =>
    door.client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => done(error, () => channel)),
  );
}

function request<T>(
  door: ChannelDoor,
  what: string,
  ask: (done: (error: Error | undefined, make: () => T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const { socket, target } = door;
    const onClose = (): void => reject(dropped(door, `asking for ${what}`));
    if (socket.destroyed) return onClose();
    socket.once('close', onClose);
    const refuse = (error: unknown): void =>
      reject(remoteErrors.create('VW_REMOTE_CHANNEL', { host: target.name, what, reason: describe(error) }, error));
    try {
      ask((error, make) => {
        socket.removeListener('close', onClose);
        // A refusal of sshd has a reason code; without one the connection broke under the request.
        if (error && !('reason' in error) && !socket.writable) onClose();
        else if (error) refuse(error);
        else resolve(make());
      });
    } catch (error) {
      socket.removeListener('close', onClose);
      refuse(error);
    }
  });
}

function collect(stream: Readable, counter: { left: number; over: () => Error }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => {
      counter.left -= part.length;
      if (counter.left < 0) reject(counter.over());
      else parts.push(part);
    });
    stream.on('end', () => resolve(Buffer.concat(parts)));
    stream.on('close', () => resolve(Buffer.concat(parts)));
    stream.on('error', reject);
  });
}

function feed(running: RemoteProcess, stdin: ExecOptions['stdin']): void {
  if (stdin instanceof Readable) stdin.pipe(running.stdin);
  else running.stdin.end(stdin ?? '');
}

function dropped(door: ChannelDoor, what: string): Error {
  return remoteErrors.create('VW_REMOTE_DROPPED', { host: door.target.name, what });
}
