// The live probe against real sockets: a server of ours, one of another kind, and everything that can go wrong on the way.
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { encodeFrame, type Frame } from '../../agents/protocol/index.ts';
import { systemClock } from '../../agents/runtime/index.ts';
import type { UpgradeObservation } from '../engine/index.ts';
import { deadlinesFor } from './deadlines.ts';
import { dialFromHere, nothingBetween } from './link.ts';
import { probeUpgrade } from './upgrade.ts';
import { acceptKey, createFrameParser, encodeMasked, newKey, OPCODE } from './websocket.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** Listens on a free port; the handler gets every connection. */
async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  return await started(server);
}

async function started(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const unmasked = (opcode: number, payload: Buffer): Buffer => {
  const head =
    payload.length < 126
      ? [0x80 | opcode, payload.length]
      : [0x80 | opcode, 126, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from(head), payload]);
};
const text = (frame: Frame): Buffer => unmasked(OPCODE.text, Buffer.from(encodeFrame(frame)));
const close = (code: number): Buffer => unmasked(OPCODE.close, Buffer.from([code >> 8, code & 255]));
const challenge: Frame = {
  type: 'session.challenge',
  nonce: 'n'.repeat(43),
  serverTime: 1,
  protocolMin: 1,
  protocolMax: 1,
};

interface Peer {
  readonly socket: Socket;
  send(bytes: Buffer): void;
}

/** A WebSocket server on `/ws/agent` that answers pings and then does what it is told. */
async function webSocket(
  onOpen: (peer: Peer) => void,
  onText: (peer: Peer, frame: unknown) => void = () => undefined,
): Promise<number> {
  const server = createHttp((_, response) => void response.writeHead(426).end('upgrade'));
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => undefined);
    if (request.url !== '/ws/agent') return void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    const key = acceptKey(request.headers['sec-websocket-key'] ?? '');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
    );
    const peer = { socket: socket as Socket, send: (bytes: Buffer) => void socket.write(bytes) };
    const pending: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      pending.push(chunk);
      for (const { opcode, payload } of unmask(pending)) {
        if (opcode === OPCODE.ping) peer.send(unmasked(OPCODE.pong, payload));
        if (opcode === OPCODE.text) onText(peer, JSON.parse(payload.toString()));
        if (opcode === OPCODE.close) socket.end(close(payload.readUInt16BE(0)));
      }
    });
    onOpen(peer);
  });
  return await started(server as unknown as Server);
}

function unmask(pending: Buffer[]): { opcode: number; payload: Buffer }[] {
  let bytes = Buffer.concat(pending.splice(0));
  const frames = [];
  while (bytes.length >= 6) {
    const short = (bytes[1] ?? 0) & 0x7f;
    const head = short === 126 ? 4 : 2;
    const length = short === 126 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < head + 4 + length) break;
    const mask = bytes.subarray(head, head + 4);
    const payload = Buffer.from(
      bytes.subarray(head + 4, head + 4 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)),
    );
    frames.push({ opcode: (bytes[0] ?? 0) & 15, payload });
    bytes = bytes.subarray(head + 4 + length);
  }
  if (bytes.length > 0) pending.push(bytes);
  return frames;
}

interface Extra {
  readonly path?: string;
  readonly onStall?: () => Promise<void>;
}

function probe(port: number, { path = '/ws/agent', onStall }: Extra = {}): Promise<UpgradeObservation> {
  const place = {
    dial: dialFromHere,
    confirm: nothingBetween,
    deadlines: deadlinesFor(),
    clock: systemClock,
    signal: new AbortController().signal,
  };
  return probeUpgrade({
    place,
    address: '127.0.0.1',
    port,
    host: 'agents.example.test',
    path,
    trust: undefined,
    userAgent: 'viworks-doctor/test',
    onStall,
  });
}

test('a server of ours without a token: the coded refusal proves its loop', async () => {
  const port = await webSocket(
    (peer) => peer.send(text(challenge)),
    (peer) => {
      peer.send(text({ type: 'session.refused', code: 4106, name: 'probe_refused', message: 'no token' }));
      peer.send(close(4106));
    },
  );
  expect(await probe(port)).toMatchObject({
    reached: 'closed',
    ended: 'ok',
    status: 101,
    acceptKeyOk: true,
    challenged: true,
    hello: 'refused',
    refusalCode: 'probe_refused',
    pongReceived: true,
    closeCode: 4106,
  });
});

test('a server of ours that lets the probe in: probed, pong, closed with 1000', async () => {
  const seen: unknown[] = [];
  const port = await webSocket(
    (peer) => peer.send(text(challenge)),
    (peer, frame) => {
      seen.push(frame);
      peer.send(
        text({
          type: 'session.probed',
          protocol: 1,
          version: '1',
          revision: 'r',
          releaseId: '',
          serverTime: 1,
          remoteAddress: '',
        }),
      );
    },
  );
  const result = await probe(port);
  expect(result).toMatchObject({
    reached: 'closed',
    ended: 'ok',
    hello: 'accepted',
    pongReceived: true,
    closeCode: 1000,
  });
  expect(seen).toEqual([{ type: 'session.probe', protocol: 1 }]);
});

test('a server of another kind: no CHALLENGE, but it answers pings', async () => {
  const port = await webSocket(() => undefined);
  expect(await probe(port)).toMatchObject({
    ended: 'ok',
    challenged: null,
    hello: 'not-sent',
    pongReceived: true,
    closeCode: 1000,
  });
});

test('101 and then nothing at all', async () => {
  const port = await listen((socket) =>
    socket.once('data', (chunk) => {
      const key = acceptKey(/Sec-WebSocket-Key: (.*)\r/i.exec(chunk.toString())?.[1] ?? '');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
      );
    }),
  );
  expect(await probe(port)).toMatchObject({
    reached: 'accepted',
    ended: 'timeout',
    challenged: false,
    pongReceived: null,
  });
});

test('what answers with a wrong accept key is no server of ours', async () => {
  const port = await listen((socket) =>
    socket.once('data', () =>
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bm9wZQ==\r\n\r\n',
      ),
    ),
  );
  expect(await probe(port)).toMatchObject({
    status: 101,
    acceptKeyOk: false,
    ended: 'bad-accept-key',
    reached: 'response',
  });
});

test('another path is answered with a status', async () => {
  const port = await webSocket(() => undefined);
  expect(await probe(port, { path: '/ws' })).toMatchObject({ status: 404, ended: 'status', reached: 'response' });
});

test('silence: the connection is held while the queues are looked at, then it is a timeout', async () => {
  let open = 0;
  let openDuringLook = 0;
  const port = await listen((socket) => {
    open += 1;
    socket.on('close', () => {
      open -= 1;
    });
  });
  const onStall = (): Promise<void> => {
    openDuringLook = open;
    return Promise.resolve();
  };
  expect(await probe(port, { onStall })).toMatchObject({ reached: 'tcp', ended: 'timeout', status: null });
  expect(openDuringLook).toBe(1);
});

test('an answer in time does not look at the queues', async () => {
  let looks = 0;
  const port = await webSocket(
    (peer) => peer.send(text(challenge)),
    (peer) => peer.send(close(4106)),
  );
  await probe(port, {
    onStall: () => {
      looks += 1;
      return Promise.resolve();
    },
  });
  expect(looks).toBe(0);
});

const broken: readonly (readonly [string, (socket: Socket) => unknown, UpgradeObservation['ended']])[] = [
  ['closes at once', (socket) => socket.end(), 'closed'],
  ['resets', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'reset'],
  ['speaks another protocol', (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'), 'protocol'],
];

test.each(broken)('a peer that %s', async (_, behave, ended) => {
  expect(await probe(await listen((socket) => void behave(socket)))).toMatchObject({
    reached: 'tcp',
    ended,
    status: null,
  });
});

test('nobody listens', async () => {
  const port = await listen(() => undefined);
  servers.splice(0).forEach((server) => void server.close());
  expect(await probe(port)).toMatchObject({ reached: 'none', ended: 'refused', failures: 1 });
});

test('keys are sixteen bytes, and the answer to the key of RFC 6455 is its own', () => {
  expect(Buffer.from(newKey(), 'base64')).toHaveLength(16);
  expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test.each([0, 5, 125, 126, 4000])('a frame of %i bytes comes out of any pieces', (size) => {
  const payload = Buffer.alloc(size, 7);
  const bytes = unmasked(OPCODE.binary, payload);
  const parser = createFrameParser();
  const frames = [...bytes].flatMap((byte) => parser.push(Buffer.from([byte])));
  expect(frames).toEqual([{ opcode: OPCODE.binary, payload }]);
  expect(unmask([encodeMasked(OPCODE.text, payload)])).toEqual([{ opcode: OPCODE.text, payload }]);
});
