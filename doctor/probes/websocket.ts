// RFC 6455 as far as a probe needs it: keys, small masked frames out, unmasked frames in. Pure.
import { createHash, randomBytes } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Sixteen random bytes: a key of any other length gets 400 from a healthy server. */
export function newKey(): string {
  return randomBytes(16).toString('base64');
}

/** What a server that is one answers to a key. */
export function acceptKey(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

export const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface WsFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** A final, masked frame. A probe sends at most a few hundred bytes. */
export function encodeMasked(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const head =
    payload.length < 126
      ? Buffer.from([0x80 | opcode, 0x80 | payload.length])
      : Buffer.from([0x80 | opcode, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return Buffer.concat([head, mask, masked]);
}

/** The payload of a close frame with a code. */
export function closePayload(code: number): Buffer {
  return Buffer.from([code >> 8, code & 0xff]);
}

/** Frames from a server; fragments are passed on as they are, since nothing that a probe waits for is fragmented. */
export function createFrameParser(): { push(chunk: Buffer): readonly WsFrame[] } {
  let buffer: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      buffer = Buffer.concat([buffer, chunk]);
      const frames: WsFrame[] = [];
      for (;;) {
        if (buffer.length < 2) return frames;
        const short = (buffer[1] ?? 0) & 0x7f;
        const headBytes = short === 126 ? 4 : short === 127 ? 10 : 2;
        if (buffer.length < headBytes) return frames;
        const length =
          short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
        // Nobody sends a probe this much: it is not a WebSocket server, or not an honest one.
        if (length > 64 * 1024) throw new Error(`a frame of ${length} bytes`);
        if (buffer.length < headBytes + length) return frames;
        frames.push({ opcode: (buffer[0] ?? 0) & 0x0f, payload: buffer.subarray(headBytes, headBytes + length) });
        buffer = buffer.subarray(headBytes + length);
      }
    },
  };
}
