// The gate's WebSocket conversation against servers that are right, and wrong in each of the ways that were seen.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { probeSession } from './websocket.ts';

let server: Server | undefined;
const sockets = new Set<Duplex>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
  server = undefined;
});

async function serve(onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void): Promise<number> {
  server = createServer((_request, response) => {
    response.writeHead(404).end('no such page');
  });
  server.on('connection', (socket) => sockets.add(socket));
  server.on('upgrade', onUpgrade);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const probe = (port: number, frame: object = { type: 'session.probe', protocol: 1 }, ms = 2_000) =>
  probeSession(
    connect(port, '127.0.0.1'),
    { path: '/ws/agent', hostHeader: 'agents.example.test', protocol: 'viworks.agent.v1', ms },
    frame,
  );

test('CHALLENGE, probe, answer; long frames too', async () => {
  const web = new WebSocketServer({ noServer: true });
  let asked: IncomingMessage | undefined;
  const port = await serve((request, socket, head) => {
    asked = request;
    web.handleUpgrade(request, socket, head, (client) => {
      client.on('message', (data) =>
        client.send(JSON.stringify({ type: 'session.probed', echo: JSON.parse(String(data)) })),
      );
      client.ping();
      client.send(JSON.stringify({ type: 'session.challenge', nonce: 'n' }));
    });
  });
  const frame = { type: 'session.probe', protocol: 1, token: 'x'.repeat(70_000) };
  await expect(probe(port, { ...frame, token: 'x'.repeat(40_000) })).resolves.toMatchObject({
    type: 'session.probed',
    echo: { token: 'x'.repeat(40_000) },
  });
  expect(asked?.headers).toMatchObject({ host: 'agents.example.test', 'sec-websocket-protocol': 'viworks.agent.v1' });
  expect(Buffer.from(String(asked?.headers['sec-websocket-key']), 'base64')).toHaveLength(16);
});

test.each<[string, (request: IncomingMessage, socket: Duplex, head: Buffer) => void, RegExp]>([
  [
    'a 404',
    (_request, socket) => void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),
    /answered with 404/,
  ],
  ['no HTTP', (_request, socket) => void socket.end('SSH-2.0-x\r\n\r\n'), /not HTTP/],
  [
    'a wrong accept',
    (_request, socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n'),
    /wrong Sec-WebSocket-Accept/,
  ],
  ['a close at once', (_request, socket) => void socket.destroy(), /closed without an answer|ECONNRESET/],
  ['silence', () => undefined, /no answer within 200 ms|closed without/],
])('%s is told as what it is', async (_name, onUpgrade, message) => {
  const port = await serve(onUpgrade);
  await expect(probe(port, undefined, 200)).rejects.toThrow(message);
});

test('101 and then another first frame, or a close with a code', async () => {
  const web = new WebSocketServer({ noServer: true });
  let behave: 'talk' | 'close' = 'talk';
  const port = await serve((request, socket, head) =>
    web.handleUpgrade(request, socket, head, (client) => {
      if (behave === 'talk') client.send('{"type":"hello"}');
      else client.close(4105, 'protocol error');
    }),
  );
  await expect(probe(port)).rejects.toThrow('the first frame is hello, not CHALLENGE');
  behave = 'close';
  await expect(probe(port)).rejects.toThrow('closed with 4105 protocol error');
});

test('nobody there', async () => {
  await expect(probe(1)).rejects.toThrow('ECONNREFUSED');
});
