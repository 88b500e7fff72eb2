// The client of the HTTP API on node:http and node:https: small to load, and a response can be paused.
import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http';
import type { http } from '../../agents/protocol/index.ts';
import {
  type ApiTarget,
  describe,
  errnoOf,
  systemClock,
  type Terminal,
  ViworksError,
} from '../../agents/runtime/index.ts';
import { cliErrors } from '../errors.ts';

/** One call. */
export interface ApiCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A client bound to one backend. */
export interface ApiClient {
  readonly target: ApiTarget;
  /** The parsed body of a 2xx answer; every other answer is thrown as a ViworksError. */
  json<T>(call: ApiCall): Promise<T>;
  /** The open response of a 2xx answer, to be read as it comes. */
  open(call: ApiCall): Promise<IncomingMessage>;
}

/** Largest body that is not a stream; more is not an answer of ours. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** Told once for each call that takes longer than anybody expects. */
type Notice = (text: string) => void;

/** Notices as lines on stderr, the same one only once. */
export function noticeOn({ stderr }: Pick<Terminal, 'stderr'>): Notice {
  const said = new Set<string>();
  return (text) => {
    if (said.has(text)) return;
    said.add(text);
    stderr.write(`viworks: ${text}\n`);
  };
}

export function createClient(target: ApiTarget, notice: Notice = () => {}): ApiClient {
  const exposed = target.openTokenFile;
  if (exposed !== undefined) notice(`others may read the token in ${exposed}: chmod 600 ${exposed}`);
  async function open(call: ApiCall): Promise<IncomingMessage> {
    const response = await send({ target, notice }, call);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw await refusal(response, target);
  }
  return {
    target,
    open,
    async json<T>(call: ApiCall): Promise<T> {
      const text = await readBody(await open(call), target);
      try {
        return JSON.parse(text) as T;
      } catch {
        throw notOurs(target, 'with a body that is not JSON');
      }
    },
  };
}

// A backend that accepts and never answers is one of the faults that this project exists for: nobody waits for it for ever.
const ANSWER_MS = 15_000;
// Whoever waits is told after this long.
const SLOW_MS = 2_000;
// An event stream carries a comment every 15 s; three of them missing means that nobody is there any more.
const SILENCE_MS = 45_000;

/** Whom to ask, and whom to tell that it takes long. */
interface Line {
  readonly target: ApiTarget;
  readonly notice: Notice;
}

async function send(line: Line, call: ApiCall): Promise<IncomingMessage> {
  const { target } = line;
  try {
    return await sendOnce(line, call, target.ca);
  } catch (error) {
    const unknownRoot = error instanceof ViworksError && error.code === 'VW_CLI_UNTRUSTED' && target.ca === undefined;
    if (!unknownRoot) throw error;
    // Node brings its own roots; a company's own authority is in the system's. Read only when needed: it takes a while.
    const { getCACertificates } = await import('node:tls');
    return await sendOnce(line, call, getCACertificates('system'));
  }
}

async function sendOnce(line: Line, call: ApiCall, ca: string | string[] | undefined): Promise<IncomingMessage> {
  const { target, notice } = line;
  const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
  const url = new URL(call.path, target.url);
  const options: RequestOptions & { ca?: string | string[] } = {
    method: call.method,
    headers: {
      accept: 'application/json',
      ...(target.token ? { authorization: `Bearer ${target.token.reveal()}` } : {}),
      ...(body ? { 'content-type': 'application/json', 'content-length': body.length } : {}),
      ...call.headers,
    },
    // The process ends after a few calls: a pool of kept connections would only hold it back.
    agent: false,
    ...(ca === undefined ? {} : { ca }),
    ...(call.signal ? { signal: call.signal } : {}),
  };
  const request = url.protocol === 'https:' ? (await import('node:https')).request : requestPlain;
  return await new Promise((resolve, reject) => {
    let answer: IncomingMessage | undefined;
    const connected = (): boolean => outgoing.socket?.connecting === false;
    const slow = systemClock.after(SLOW_MS, () => {
      const what = connected() ? 'accepted the connection but has not answered' : 'has not taken the connection';
      notice(`${target.url.origin} ${what} for ${SLOW_MS / 1000} s; waiting up to ${ANSWER_MS / 1000} s`);
    });
    const outgoing = request(url, options, (response) => {
      slow.cancel();
      answer = response;
      outgoing.setTimeout(SILENCE_MS);
      resolve(response);
    });
    outgoing.on('error', (error) => {
      slow.cancel();
      reject(call.signal?.aborted ? call.signal.reason : connectionError(error, target));
    });
    outgoing.setTimeout(ANSWER_MS, () => {
      // What waits here unread is our reader's slowness, not the backend's silence.
      if (answer && answer.readableLength > 0) return;
      const seconds = (answer ? SILENCE_MS : ANSWER_MS) / 1000;
      const what = connected() ? 'it accepted the connection but sent nothing' : 'nothing accepted the connection';
      outgoing.destroy(new Error(`${what} for ${seconds} s`));
    });
    outgoing.setSocketKeepAlive(true, 10_000);
    outgoing.end(body);
  });
}

// OpenSSL's verdicts on a certificate, as Node names them; each means "reached, but not trusted".
const CERTIFICATE_TROUBLE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA)/;

const IN_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to its network',
  ENOTFOUND: 'the name is not known here',
  EAI_AGAIN: 'the name servers do not answer',
  EPROTO: 'what answers there does not speak TLS; is the port right?',
};

/** Names a transport failure: unreachable, or reached and not trusted. */
export function connectionError(error: unknown, target: ApiTarget): ViworksError {
  const plain = describe(error);
  const code = errnoOf(error) ?? '';
  const reason = IN_WORDS[code] === undefined ? plain : `${IN_WORDS[code]} (${code})`;
  const detail = {
    url: target.url.origin,
    reason: reason.includes(code) || code === '' ? reason : `${code} ${reason}`,
  };
  return cliErrors.create(CERTIFICATE_TROUBLE.test(code) ? 'VW_CLI_UNTRUSTED' : 'VW_CLI_UNREACHABLE', detail, error);
}

async function refusal(response: IncomingMessage, target: ApiTarget): Promise<ViworksError> {
  const status = response.statusCode ?? 0;
  const body = parseErrorBody(await readBody(response, target));
  if (!body) {
    if (status === 502 || status === 503 || status === 504) {
      const reason = `the proxy in front answered ${status}: it has no backend`;
      return cliErrors.create('VW_CLI_UNREACHABLE', { url: target.url.origin, reason });
    }
    return notOurs(target, String(status));
  }
  if (status === 401 || status === 403) {
    const context = target.context === undefined ? '' : ` of the context ${target.context}`;
    return cliErrors.create('VW_CLI_UNAUTHORISED', { url: target.url.origin, context, reason: body.message });
  }
  const detail = { reason: body.message, remedy: body.hint, status, code: body.code };
  return cliErrors.create(status >= 500 || status === 429 ? 'VW_CLI_BACKEND_FAILED' : 'VW_CLI_REFUSED', detail);
}

function parseErrorBody(text: string): http.ErrorBody | undefined {
  try {
    const body = JSON.parse(text) as Partial<http.ErrorBody> | null;
    if (typeof body?.code === 'string' && typeof body.message === 'string')
      return { hint: '', ...body } as http.ErrorBody;
  } catch {
    // Not JSON: a proxy's page.
  }
  return undefined;
}

function notOurs(target: ApiTarget, status: string): ViworksError {
  return cliErrors.create('VW_CLI_ANSWER', { url: target.url.origin, status });
}

async function readBody(response: IncomingMessage, target: ApiTarget): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) throw notOurs(target, 'with an endless body');
      chunks.push(chunk);
    }
  } catch (error) {
    if (size > MAX_BODY_BYTES) throw error;
    throw connectionError(error, target);
  }
  return Buffer.concat(chunks).toString('utf8');
}
