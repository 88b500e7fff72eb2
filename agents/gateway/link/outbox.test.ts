// Control frames never wait behind output, and output waits for the socket.
import { expect, test } from 'vitest';
import { limits } from '../../protocol/index.ts';
import { createOutbox, type Pipe } from './outbox.ts';

function pipeOf(): Pipe & { readonly sent: (string | number)[]; flush(): void; bufferedAmount: number } {
  const waiting: (() => void)[] = [];
  const pipe = {
    bufferedAmount: 0,
    sent: [] as (string | number)[],
    send(data: string | Uint8Array, sent: () => void) {
      pipe.sent.push(typeof data === 'string' ? (JSON.parse(data) as { type: string }).type : data.length);
      pipe.bufferedAmount += data.length;
      waiting.push(sent);
    },
    flush() {
      pipe.bufferedAmount = 0;
      for (const sent of waiting.splice(0)) sent();
    },
  };
  return pipe;
}

test('output stops at 256 KiB in the socket and goes on when they have gone; a ping passes in between', () => {
  const pipe = pipeOf();
  let left = 10;
  const outbox = createOutbox(pipe, () => (left-- > 0 ? new Uint8Array(64 * 1024) : undefined));
  outbox.pump();
  expect(pipe.sent).toEqual(Array.from({ length: 4 }, () => 64 * 1024));
  outbox.pump();
  outbox.send({ type: 'session.ping', nonce: 1 });
  expect(pipe.sent.at(-1)).toBe('session.ping');
  pipe.flush();
  expect(pipe.sent).toHaveLength(9);
  pipe.flush();
  expect(pipe.sent.filter((size) => size === 64 * 1024)).toHaveLength(10);
});

test('output that a large control frame kept back goes when that has gone', () => {
  const pipe = pipeOf();
  const data: Uint8Array[] = [new Uint8Array(10)];
  const outbox = createOutbox(pipe, () => data.shift());
  outbox.send({ type: 'session.ping', nonce: 1 });
  pipe.bufferedAmount = limits.SOCKET_HIGH_WATER_BYTES;
  outbox.pump();
  expect(pipe.sent).toEqual(['session.ping']);
  pipe.flush();
  expect(pipe.sent).toEqual(['session.ping', 10]);
});

test('nothing is written after the end', () => {
  const pipe = pipeOf();
  const outbox = createOutbox(pipe, () => new Uint8Array(1));
  outbox.close();
  outbox.send({ type: 'session.ping', nonce: 1 });
  outbox.pump();
  expect(pipe.sent).toEqual([]);
});
