// Questions to the local system over loopback: is the port free, is the process ready, does the front answer.
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { createServer } from 'node:net';
import { type Clock, Credential, describe, errnoOf, type Secret } from '../../agents/runtime/index.ts';
import { askBackend } from '../peer.ts';
import type { Child } from './children.ts';
import { localErrors } from './errors.ts';

const ANSWER_MS = 5_000;

/** Whether a program could listen there now. */
export async function portIsFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', (error) => resolve(errnoOf(error) !== 'EADDRINUSE'));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** One GET. */
export interface Question {
  readonly url: string;
  readonly ca?: string | undefined;
  readonly signal: AbortSignal;
}

/** What came back. */
export interface LocalAnswer {
  readonly status: number;
  /** Undefined when the body is no JSON. */
  readonly body: unknown;
}

/** Asks without a token. Rejects when nobody answers. */
export async function ask(question: Question): Promise<LocalAnswer> {
  const { url, ca, signal } = question;
  const options = { agent: false as const, signal, timeout: ANSWER_MS, ...(ca === undefined ? {} : { ca }) };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = url.startsWith('https:') ? requestTls(url, options, resolve) : requestPlain(url, options, resolve);
    request.on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
    request.on('error', reject);
    request.end();
  });
  return await answerOf(response);
}

/** The API of the backend that was started here. */
export interface LocalBackend {
  readonly pid: number;
  readonly apiPort: number;
}

/** Asks the backend's API with a token: only the process that was started gets it. Rejects when it is another that holds the port. */
export async function askWithToken({ pid, apiPort }: LocalBackend, path: string, token: Secret): Promise<LocalAnswer> {
  const backend = { bind: `127.0.0.1:${apiPort}`, owner: { kind: 'process', pid } as const, ms: ANSWER_MS };
  return await answerOf(await askBackend(backend, { path, credential: new Credential(token) }));
}

async function answerOf(response: IncomingMessage): Promise<LocalAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks).toString('utf8')) };
}

/** What to wait for: `done` says whether an answer will do, or why not yet. */
export interface Awaited {
  readonly child: Child;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly seconds: number;
  look(): Promise<true | string>;
}

/** Looks until it is so; gives how long it took in ms. Rejects when the child ends, the signal is aborted, or time is up. */
export async function waitUntil({ child, clock, signal, seconds, look }: Awaited): Promise<number> {
  const began = clock.monotonicMs();
  for (let pause = 10; ; pause = Math.min(pause * 1.3, 100)) {
    signal.throwIfAborted();
    const outcome = await Promise.race([look().catch((error: unknown) => describe(error)), child.unexpectedEnd]);
    const took = clock.monotonicMs() - began;
    if (outcome === true) return took;
    if (took > seconds * 1000) {
      throw localErrors.create('VW_UP_NOT_READY', { name: child.name, seconds, reason: outcome, log: child.log });
    }
    await clock.sleep(pause, signal);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
