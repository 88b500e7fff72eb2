// One HTTP/1.1 exchange over a connection that is already open. Node's parser on a stream of ours; no pool, no redirects, no HTTP/2.
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Clock, errnoOf, type RemoteText, redactText } from '../../agents/runtime/index.ts';
import type { Place } from './dial.ts';

export interface Exchange {
  readonly method: 'GET' | 'POST';
  /** Path with query. */
  readonly path: string;
  /** The Host header. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** From where it is sent. */
  readonly place: Place;
  /** Until the head of the answer, in ms. */
  readonly answerMs: number;
}

/** What a head may hold, in bytes: an endless one ends here. */
const HEAD_BYTES = 16 * 1024;

/** Why no answer came. */
export type NoAnswer = 'timeout' | 'reset' | 'closed' | 'protocol';

export type Answer =
  | { readonly kind: 'response'; readonly message: IncomingMessage }
  | { readonly kind: 'upgraded'; readonly message: IncomingMessage; readonly first: Buffer }
  | { readonly kind: 'none'; readonly why: NoAnswer; readonly detail: string };

/** Sends one request and waits for the head of the answer. Only a stopped run and a lost vantage (LostError) throw. */
export function exchange(stream: Duplex, options: Exchange): Promise<Answer> {
  return exchangeBy((plain) => request({ ...plain, createConnection: () => stream }), options);
}

/** The same where somebody else begins the request on the connection. */
export async function exchangeBy(begin: Begin, options: Exchange): Promise<Answer> {
  const answer = await ask(begin, options);
  if (answer.kind === 'none') await options.place.confirm(options.place.signal);
  return answer;
}

type Begin = (options: RequestOptions) => ClientRequest;

function ask(begin: Begin, options: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { clock, signal } = options.place;
    const outgoing = begin({
      method: options.method,
      path: options.path,
      setHost: false,
      headers: { Host: options.host, ...options.headers },
      insecureHTTPParser: false,
      maxHeaderSize: HEAD_BYTES,
    });
    const done = (answer: Answer): void => {
      timer.cancel();
      signal.removeEventListener('abort', stop);
      resolve(answer);
    };
    const stop = (): void => {
      timer.cancel();
      outgoing.destroy();
      reject(signal.reason);
    };
    const timer = clock.after(options.answerMs, () => {
      done({ kind: 'none', why: 'timeout', detail: `no answer within ${options.answerMs / 1000} s` });
      outgoing.destroy();
    });
    signal.addEventListener('abort', stop, { once: true });
    outgoing.on('error', (error) => done({ kind: 'none', why: whyOf(error), detail: error.message }));
    outgoing.on('response', (message) => done({ kind: 'response', message }));
    outgoing.on('upgrade', (message, _socket, first) => done({ kind: 'upgraded', message, first }));
    outgoing.end(options.body);
  });
}

function whyOf(error: Error): NoAnswer {
  const code = errnoOf(error) ?? '';
  if (code.startsWith('HPE_')) return 'protocol';
  // Node says "socket hang up" for an orderly end before any byte, too.
  if (code === 'ECONNRESET' && error.message !== 'socket hang up') return 'reset';
  return 'closed';
}

/** Longer values are of no use to anybody who reads a report. */
const HEADER_CHARS = 1024;

/** Header names in lower case, repeated ones joined. Cookies are nobody's business. */
export function plainHeaders(message: IncomingMessage): Readonly<Record<string, RemoteText>> {
  const out: Record<string, RemoteText> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (name === 'set-cookie' || value === undefined) continue;
    const text = Array.isArray(value) ? value.join(', ') : value;
    // With its name before it, which says what it is.
    out[name] = redactText(`${name}: ${text}`.slice(0, HEADER_CHARS)).slice(name.length + 2) as RemoteText;
  }
  return out;
}

/**
 * The body up to a limit; what follows is not read. A body that stops coming gives what was there, unless the vantage was lost with it
 * (LostError).
 */
export async function readBody(
  message: IncomingMessage,
  options: { limit: number; place: Place; ms: number },
): Promise<string> {
  const { place, limit, ms } = options;
  const body = await collect(message, { limit, clock: place.clock, ms });
  if (!message.complete && body.length < limit) await place.confirm(place.signal);
  return body.subarray(0, limit).toString('utf8');
}

function collect(message: IncomingMessage, options: { limit: number; clock: Clock; ms: number }): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    const take = (part: Buffer): void => {
      parts.push(part);
      size += part.length;
      if (size >= options.limit) finish();
    };
    const finish = (): void => {
      timer.cancel();
      message.off('data', take);
      message.pause();
      resolve(Buffer.concat(parts));
    };
    const timer = options.clock.after(options.ms, finish);
    message.on('data', take);
    message.on('end', finish);
    message.on('error', finish);
    message.on('close', finish);
  });
}
