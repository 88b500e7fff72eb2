// Questions to the local system over loopback: is the port free, is the process ready, does the front answer.
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { createServer } from 'node:net';
import { type Clock, describe, errnoOf } from '../../agents/runtime/index.ts';
import type { Child } from './children.ts';
import { localErrors } from './errors.ts';

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
  readonly token?: string | undefined;
  readonly ca?: string | undefined;
  readonly signal: AbortSignal;
}

/** Status and parsed JSON body (undefined when it is none). Rejects when nobody answers. */
export async function ask(question: Question): Promise<{ status: number; body: unknown }> {
  const { url, token, ca, signal } = question;
  const options = {
    agent: false as const,
    signal,
    timeout: 5_000,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(ca === undefined ? {} : { ca }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = url.startsWith('https:') ? requestTls(url, options, resolve) : requestPlain(url, options, resolve);
    request.on('timeout', () => request.destroy(new Error('no answer within 5 s')));
    request.on('error', reject);
    request.end();
  });
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
