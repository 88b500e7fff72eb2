// What a host is to the transport, and what an open connection offers. Shapes only.
import type { Duplex, Readable, Writable } from 'node:stream';
import type { Clock } from '../../agents/runtime/index.ts';

/** Where to connect and who has to answer there. */
export interface RemoteTarget {
  /** The host's key in the inventory; errors name it. */
  readonly name: string;
  readonly address: string;
  /** What ssh is asked about, when it is not the address: the name that the user typed. */
  readonly alias?: string | undefined;
  readonly port: number;
  readonly user: string;
  /** Pinned fingerprints (`SHA256:…`); empty means: known_hosts decides. */
  readonly hostKeys: readonly string[];
  readonly identityFile?: string | undefined;
  readonly jump?: string | undefined;
}

/** What the transport is handed. */
export interface RemoteContext {
  /** Aborting it closes the connection and everything that runs over it. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long connecting and logging in may take together; 10,000 ms unless told otherwise. */
  readonly connectMs?: number | undefined;
  /** How long the TCP connection alone may take, name lookup included, in ms; as long as `connectMs` unless told otherwise. */
  readonly dialMs?: number | undefined;
  /** Set where a person sits at a terminal; without it, what would be asked is an error at once. */
  readonly questions?: Questions | undefined;
}

/** The terminal, for questions that ssh itself asks on it. */
export interface Questions {
  /** False once somebody draws on the terminal. */
  readonly mayAsk: boolean;
  /** Runs work that may ask, one at a time; nobody draws meanwhile. */
  alone<T>(work: () => Promise<T>): Promise<T>;
}

/** A command: a script for `sh`, or exact arguments. */
export type RemoteCommand = { readonly script: string } | { readonly argv: readonly string[] };

/** Limits of one command. */
export interface ExecOptions {
  readonly stdin?: string | Buffer | Readable | undefined;
  /** From the request to the exit, 60,000 ms unless told otherwise. */
  readonly timeoutMs?: number | undefined;
  /** Cap of stdout and stderr together, 16 MiB unless told otherwise. */
  readonly maxBytes?: number | undefined;
}

/** How a command ended. `code` is null exactly when a signal ended it. */
export interface ExecResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** A command that goes on while both sides talk. */
export interface RemoteProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Rejects with VW_REMOTE_DROPPED when the connection ends before the command does. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  kill(): void;
}

/** One connection to one host: a single TCP connection whatever is done over it. */
export interface Remote extends AsyncDisposable {
  readonly target: RemoteTarget;
  /** The key that the host showed and that was accepted. */
  readonly hostKey: string;
  /** From the first packet to the open TCP connection, in ms: a round trip, or more where one was lost. Null where it was not measured. */
  readonly dialledMs: number | null;
  /** Settles when the connection is over: with VW_REMOTE_DROPPED when it broke, undefined after `close` or an abort. Never rejects. */
  readonly ended: Promise<Error | undefined>;
  /** Runs a command to its end. */
  exec(command: RemoteCommand, options?: ExecOptions): Promise<ExecResult>;
  /** Starts a command and hands over its streams. */
  start(command: RemoteCommand): Promise<RemoteProcess>;
  /** A connection from the host to an address that it can reach (direct-tcpip). */
  forward(host: string, port: number): Promise<Duplex>;
  close(): Promise<void>;
}
