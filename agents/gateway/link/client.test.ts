// Dialling and coming back: what each kind of failure is called, how long is waited, and that it never gives up.
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { type Clock, createLogger, systemClock } from '../../runtime/index.ts';
import { createLinkClient, type LinkClient } from './client.ts';
import { type DialFailure, dial } from './dial.ts';

const servers: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
const { signal } = new AbortController();

async function listening(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws/agent`;
}

async function failure(url: string): Promise<DialFailure> {
  const error: unknown = await dial({ url, ca: undefined }, signal).catch((thrown: unknown) => thrown);
  return (error as Error).cause as DialFailure;
}

test('nobody listens: refused; no such name: dns', async () => {
  expect((await failure('ws://127.0.0.1:1/ws/agent')).kind).toBe('refused');
  expect((await failure('ws://no-such-host.invalid/ws/agent')).kind).toBe('dns');
});

test('a page instead of an upgrade: bad_upgrade, with the beginning of the page', async () => {
  const url = await listening(
    createHttp((_, response) => response.writeHead(404).end(`<h1>Not\nFound</h1>${'x'.repeat(9_000)}`)),
  );
  const { kind, message } = await failure(url);
  expect(kind).toBe('bad_upgrade');
  expect(message).toContain('HTTP 404: <h1>Not Found</h1>');
  expect(message.length).toBeLessThan(400);
});

test('a server that speaks another subprotocol, or none, is not ours', async () => {
  const http = createHttp();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => false });
  http.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, () => undefined));
  expect((await failure(await listening(http))).kind).toBe('no_subprotocol');
});

test('bound and listening, but nothing ever answers: timeout within the handshake’s deadline', async () => {
  const url = await listening(createTcp(() => undefined));
  const before = performance.now();
  expect((await failure(url)).kind).toBe('timeout');
  expect(performance.now() - before).toBeLessThan(7_000);
});

test('a stop while dialling is a stop, not a failure', async () => {
  const url = await listening(createTcp(() => undefined));
  const controller = new AbortController();
  const dialling = dial({ url, ca: undefined }, controller.signal);
  controller.abort(new Error('stop'));
  await expect(dialling).rejects.toThrow('stop');
});

// Sleeps are what is looked at: they are written down and end at once.
function clientOf(
  url: string,
  options: { sleeps: number[]; until: number; refused?: (code: number) => void },
): { client: LinkClient; log: () => string; stop: AbortController } {
  const stop = new AbortController();
  const stream = new PassThrough();
  let log = '';
  stream.on('data', (part: Buffer) => {
    log += part.toString();
  });
  const clock: Clock = {
    ...systemClock,
    async sleep(ms) {
      options.sleeps.push(ms);
      if (options.sleeps.length >= options.until) stop.abort(new DOMException('enough', 'AbortError'));
    },
  };
  const client = createLinkClient({
    clock,
    logger: createLogger({ level: 'debug', stream }),
    url,
    ca: undefined,
    random: () => 0.999_999,
    prepare: async () => undefined,
    refused: options.refused ?? (() => undefined),
    sign: () => 'signature',
    helloBody: () => {
      throw new Error('no HELLO is expected here');
    },
    opened: () => undefined,
    closed: () => undefined,
    work: () => undefined,
    next: () => undefined,
    status: () => undefined,
  });
  return { client, log: () => log, stop };
}

test('full jitter, doubling from half a second to a minute, one line for one kind of failure', async () => {
  const sleeps: number[] = [];
  const { client, log, stop } = clientOf('ws://127.0.0.1:1/ws/agent', { sleeps, until: 12 });
  await client.run(stop.signal).catch(() => undefined);
  expect(sleeps.map(Math.round)).toEqual([
    500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000, 60000, 60000,
  ]);
  expect(log().match(/backend cannot be reached/g)).toHaveLength(1);
  expect(log().match(/"msg":"reconnecting"/g)).toHaveLength(12);
  expect(client.status()).toMatchObject({ up: false, message: expect.stringContaining('refused') });
});

test.each([
  [4102, 'not enrolled', 600_000],
  [4006, 'slow down', 500],
])('close code %i waits about %s', async (code, reason, most) => {
  const http = createHttp();
  const sockets = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (link) => link.close(code, reason)),
  );
  const sleeps: number[] = [];
  const codes: number[] = [];
  const url = await listening(http);
  const { client, log, stop } = clientOf(url, { sleeps, until: 1, refused: (seen) => codes.push(seen) });
  await client.run(stop.signal).catch(() => undefined);
  expect(sleeps[0]).toBeGreaterThan(most * 0.89);
  expect(sleeps[0]).toBeLessThan(most * 1.11);
  expect(codes).toEqual(code > 4100 ? [code] : []);
  expect(log()).toContain(reason);
});
