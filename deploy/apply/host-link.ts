// One conversation with one host: a single exec channel over a single connection, requests and answers in frames.
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Clock, type ErrorDetail, withDeadline } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { decodeMessage, FrameReader, type HostMessage, type HostRequest } from '../host/frames.ts';
import { LAYOUT } from '../plan/layout.ts';
import { type Remote, type RemoteProcess, remoteErrors } from '../remote/index.ts';
import { bootstrapScript, contactScript } from './first-contact.ts';

/** What a bare host says of itself. */
export type BareFacts = Readonly<Record<string, string>>;

/** Bytes that travel with a request. */
export type Payload = Buffer | { readonly file: string };

/** A conversation. */
export interface HostLink {
  readonly host: string;
  readonly remote: Remote;
  /** Set until the host has a helper. */
  bare(): BareFacts | undefined;
  /** Digest of the helper that answers; empty on a bare host. */
  helper(): string;
  /** Installs runtime and helper on a bare host, and goes on with the helper. */
  bootstrap(parts: { runtime: string; packed: string; helper: { content: Buffer; digest: string } }): Promise<void>;
  /** Lets the host's helper become the one that was just put there. */
  replaceHelper(): Promise<void>;
  request<T>(op: string, args?: object, options?: { ms?: number; payload?: Payload }): Promise<T>;
  close(): Promise<void>;
}

/** What a conversation is handed. */
export interface LinkOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  note(step: string, detail: string): void;
}

const HELLO_MS = 15_000;
const REQUEST_MS = 60_000;
const UPLOAD_MS = 300_000;

/** Starts the conversation: gives a link to a helper, or to a bare host. */
export async function openLink(remote: Remote, options: LinkOptions): Promise<HostLink> {
  const word = `vw${randomBytes(12).toString('hex')}`;
  const running = await remote.start({ script: contactScript(word) });
  const conversation = new Conversation(remote, running, { ...options, word });
  await conversation.hear('hello', HELLO_MS);
  return conversation;
}

type Failure = { readonly code: string; readonly message: string; readonly detail: ErrorDetail };

class Conversation implements HostLink {
  readonly host: string;
  readonly remote: Remote;
  readonly #process: RemoteProcess;
  readonly #options: LinkOptions & { readonly word: string };
  readonly #pending = new Map<number, { op: string; resolve(value: unknown): void; reject(error: Error): void }>();
  #greeting: { resolve(): void; reject(error: Error): void } | undefined;
  #bare: BareFacts | undefined;
  #helper = '';
  #last = 0;
  #stderr = '';
  /** The last line on stdout that was no message: a banner, or what a forced command or a nologin shell says. */
  #noise = '';
  #ended: Error | undefined;

  constructor(remote: Remote, running: RemoteProcess, options: LinkOptions & { readonly word: string }) {
    this.host = remote.target.name;
    this.remote = remote;
    this.#process = running;
    this.#options = options;
    running.stderr.on('data', (part: Buffer) => {
      this.#stderr = `${this.#stderr}${part.toString('utf8')}`.slice(-4_000);
    });
    running.stdin.on('error', () => undefined);
    void this.#listen();
  }

  bare(): BareFacts | undefined {
    return this.#bare;
  }

  helper(): string {
    return this.#helper;
  }

  /** Waits for the next greeting, of a bare host or of a helper. */
  hear(what: string, ms: number): Promise<void> {
    const { clock, signal } = this.#options;
    return withDeadline(
      () =>
        new Promise<void>((resolve, reject) => {
          if (this.#ended) reject(this.#ended);
          else if (this.#helper !== '' || this.#bare !== undefined) resolve();
          else this.#greeting = { resolve, reject };
        }),
      { ms, clock, signal, onTimeout: () => this.#silent(what) },
    );
  }

  async bootstrap(parts: Parameters<HostLink['bootstrap']>[0]): Promise<void> {
    const { stdin } = this.#process;
    const script = bootstrapScript(this.#options.word);
    const { size } = await stat(parts.packed);
    this.#bare = undefined;
    stdin.write(`${Buffer.byteLength(script)}\n${script}`);
    stdin.write(`${parts.runtime} ${size} ${parts.helper.digest} ${parts.helper.content.length}\n`);
    const { signal, clock } = this.#options;
    await withDeadline((inner) => send(stdin, { file: parts.packed }, inner), {
      ms: UPLOAD_MS,
      clock,
      signal,
      onTimeout: () => this.#late('the upload of the runtime', UPLOAD_MS),
    });
    stdin.write(parts.helper.content);
    await this.hear('the helper', HELLO_MS);
  }

  async replaceHelper(): Promise<void> {
    this.#helper = '';
    this.#write({ id: 0, op: 'replace-yourself', args: {}, bytes: 0 });
    await this.hear('the new helper', HELLO_MS);
  }

  async request<T>(op: string, args: object = {}, options: { ms?: number; payload?: Payload } = {}): Promise<T> {
    const { clock, signal } = this.#options;
    const ms = options.ms ?? (options.payload ? UPLOAD_MS : REQUEST_MS);
    if (this.#ended) throw this.#ended;
    const id = ++this.#last;
    const bytes = options.payload ? await sizeOf(options.payload) : 0;
    try {
      return await withDeadline(
        async (inner) => {
          const answered = new Promise<T>((resolve, reject) => {
            this.#pending.set(id, { op, resolve: resolve as (value: unknown) => void, reject });
          });
          answered.catch(() => undefined);
          this.#write({ id, op, args, bytes });
          if (options.payload) await send(this.#process.stdin, options.payload, inner);
          return await answered;
        },
        { ms, clock, signal, onTimeout: () => this.#late(op, ms) },
      );
    } finally {
      this.#pending.delete(id);
    }
  }

  async close(): Promise<void> {
    this.#process.stdin.end();
    await this.remote.close();
  }

  #write(request: HostRequest): void {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
  }

  async #listen(): Promise<void> {
    const reader = new FrameReader(this.#process.stdout);
    try {
      for (let line = await reader.line(); line !== undefined; line = await reader.line()) {
        const message = decodeMessage(this.#options.word, line);
        if (message) this.#hear(message);
        else if (line.trim() !== '') this.#noise = line.trim().slice(0, 200);
      }
    } catch {
      // The reason is in how the process ended.
    }
    const ended = await this.#process.exited.then(
      (exit) => this.#refusal(exit.code),
      (error: Error) => error,
    );
    this.#ended = ended;
    this.#greeting?.reject(ended);
    for (const waiting of this.#pending.values()) waiting.reject(ended);
  }

  #hear(message: HostMessage): void {
    if (message.type === 'hello') {
      this.#helper = message.helper || 'unknown';
      this.#bare = undefined;
      this.#greeting?.resolve();
    } else if (message.type === 'bare') {
      this.#bare = message.facts;
      this.#greeting?.resolve();
    } else if (message.type === 'note') this.#options.note(message.step, message.detail);
    else if (message.type === 'done') this.#pending.get(message.id)?.resolve(message.value);
    else {
      const waiting = this.#pending.get(message.id);
      waiting?.reject(this.#failure(message, waiting.op));
    }
  }

  #failure({ code, message, detail }: Failure, op: string): Error {
    const known = deployErrors.specs as Readonly<Record<string, unknown>>;
    if (Object.hasOwn(known, code)) {
      return deployErrors.create(code as keyof typeof deployErrors.specs, { ...detail, host: this.host });
    }
    const what = code === 'gate' ? 'verification' : op;
    return deployErrors.create('VW_DEPLOY_HOST_FAILED', { host: this.host, what, reason: message });
  }

  #refusal(code: number | null): Error {
    const { user, name: host } = this.remote.target;
    const said = this.#stderr.trim().split('\n').slice(-3).join('; ');
    if (/sudo:|not in the sudoers|a password is required/.test(said)) {
      return deployErrors.create('VW_DEPLOY_PRIVILEGE', { host, user, reason: said, helper: LAYOUT.helper });
    }
    if (/No space left on device/.test(said)) {
      return deployErrors.create('VW_DEPLOY_SPACE', { host, directory: LAYOUT.root, free: 'nothing', needed: 'more' });
    }
    if (this.#helper === '' && this.#bare === undefined) {
      const reason = said || this.#noise || `it ended with code ${code} and said nothing`;
      return deployErrors.create('VW_DEPLOY_SHELL', { host, user, reason });
    }
    return deployErrors.create('VW_DEPLOY_HOST_FAILED', {
      host,
      what: `the host helper ended with code ${code}`,
      reason: said,
    });
  }

  #silent(what: string): Error {
    const { user, name: host } = this.remote.target;
    return deployErrors.create('VW_DEPLOY_SHELL', {
      host,
      user,
      reason: `nothing was heard of ${what} within ${HELLO_MS} ms${this.#noise && `, only: ${this.#noise}`}`,
    });
  }

  #late(what: string, limitMs: number): Error {
    return remoteErrors.create('VW_REMOTE_DEADLINE', { host: this.host, what, limitMs });
  }
}

async function sizeOf(payload: Payload): Promise<number> {
  return Buffer.isBuffer(payload) ? payload.length : (await stat(payload.file)).size;
}

async function send(target: Writable, payload: Payload, signal: AbortSignal): Promise<void> {
  const source = Buffer.isBuffer(payload)
    ? Readable.from([payload])
    : createReadStream(payload.file, { highWaterMark: 262_144 });
  await pipeline(source, target, { end: false, signal });
}
