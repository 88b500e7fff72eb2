// One WebSocket conversation, as small as a gate needs it: upgrade, CHALLENGE, probe, answer. No reconnects, no streams.
import { createHash, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';

/** What to ask for on a connection. */
export interface ProbeTarget {
  readonly path: string;
  readonly hostHeader: string;
  readonly protocol: string;
  readonly ms: number;
}

/** The front door of this host: TLS for the name, as a gateway does it. */
export interface Front {
  readonly port: number;
  readonly serverName: string;
  readonly ca: string | undefined;
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Upgrades, waits for CHALLENGE, sends a probe frame, and gives the answer's frame. Throws with the step that failed. */
export async function probeSession(
  socket: Duplex,
  target: ProbeTarget,
  frame: object,
): Promise<{ type?: string; [key: string]: unknown }> {
  socket.on('error', () => undefined);
  const deadline = AbortSignal.timeout(target.ms);
  const expire = (): void => void socket.destroy(new Error(`no answer within ${target.ms} ms`));
  deadline.addEventListener('abort', expire, { once: true });
  try {
    const reader = new SocketReader(socket);
    await upgrade(socket, reader, target);
    const challenge = await nextFrame(reader);
    if (challenge.type !== 'session.challenge') throw new Error(`the first frame is ${challenge.type}, not CHALLENGE`);
    socket.write(encodeText(JSON.stringify(frame)));
    return await nextFrame(reader);
  } finally {
    deadline.removeEventListener('abort', expire);
    socket.destroy();
  }
}

/** Connects to nginx on this host; the certificate has to be the name's. */
export function openFront({ port, serverName, ca }: Front, ms: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      servername: serverName,
      // The upgrade does not exist in HTTP/2.
      ALPNProtocols: ['http/1.1'],
      ...(ca === undefined ? {} : { ca }),
    });
    socket.setTimeout(ms, () => socket.destroy(new Error(`no connection within ${ms} ms`)));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

async function upgrade(socket: Duplex, reader: SocketReader, target: ProbeTarget): Promise<void> {
  const key = randomBytes(16).toString('base64');
  socket.write(
    [
      `GET ${target.path} HTTP/1.1`,
      `Host: ${target.hostHeader}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Protocol: ${target.protocol}`,
      '\r\n',
    ].join('\r\n'),
  );
  const head = await reader.until('\r\n\r\n');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
  if (status !== '101') throw new Error(`the upgrade was answered with ${status ?? 'something that is not HTTP'}`);
  const accept = /^sec-websocket-accept: *(\S+)/im.exec(head)?.[1];
  const expected = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  if (accept !== expected) throw new Error('the upgrade was answered with a wrong Sec-WebSocket-Accept');
}

async function nextFrame(reader: SocketReader): Promise<{ type?: string; [key: string]: unknown }> {
  for (;;) {
    const [first = 0, second = 0] = await reader.exactly(2);
    let length = second & 0x7f;
    if (length === 126) length = (await reader.exactly(2)).readUInt16BE();
    else if (length === 127) length = Number((await reader.exactly(8)).readBigUInt64BE());
    if (length > 1_048_576) throw new Error('a frame is larger than 1 MiB');
    const payload = await reader.exactly(length);
    const opcode = first & 0x0f;
    if (opcode === 8)
      throw new Error(
        `closed with ${payload.length >= 2 ? payload.readUInt16BE() : 'no code'} ${payload.toString('utf8', 2)}`,
      );
    if (opcode === 1) return JSON.parse(payload.toString('utf8')) as { type?: string };
  }
}

// Frames of a client are masked (RFC 6455 §5.3).
function encodeText(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = randomBytes(4);
  const head =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ (mask[index % 4] as number))]);
}

class SocketReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Duplex) {
    this.#source = (socket as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  async exactly(count: number): Promise<Buffer> {
    while (this.#rest.length < count) await this.#more();
    const part = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return part;
  }

  async until(mark: string): Promise<string> {
    for (;;) {
      const at = this.#rest.indexOf(mark);
      if (at >= 0) return (await this.exactly(at + mark.length)).toString('latin1');
      if (this.#rest.length > 65_536) throw new Error('the head of the answer is longer than 64 KiB');
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const next = await this.#source.next();
    if (next.done) throw new Error('the connection was closed without an answer');
    this.#rest = Buffer.concat([this.#rest, next.value]);
  }
}
