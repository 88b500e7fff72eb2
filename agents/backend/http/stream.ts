// Server-sent events on a hijacked reply: text is put together by hand, since it is the hot path of every live output.
import type { FastifyReply } from 'fastify';
import type { http } from '../../protocol/index.ts';
import type { Clock, Timer } from '../../runtime/index.ts';
import type { Position, Sink } from '../commands/viewer.ts';

/** A comment keeps proxies from closing a silent stream. */
const KEEP_ALIVE_MS = 15_000;
/** A reader that takes nothing for so long is gone, or might as well be: it resumes by Last-Event-ID. */
const STALLED_MS = 60_000;

/** A stream of events to one client. */
export interface EventStream extends Sink {
  event(name: http.OutputEventName, data: unknown): void;
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
  /** Ends the stream, with a last event in the same write: every write wakes the reader once more. */
  end(last?: { readonly name: http.OutputEventName; readonly data: unknown }): void;
}

/** Answers with an event stream. `ids`: whether events carry the position (streams of one task only). */
export function openEventStream(reply: FastifyReply, options: { clock: Clock; ids: boolean }): EventStream {
  const { clock, ids } = options;
  const raw = reply.raw;
  const gone = new AbortController();
  const headers = reply.getHeaders();
  reply.hijack();
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  raw.socket?.setNoDelay(true);
  let keepAlive: Timer = clock.after(KEEP_ALIVE_MS, beat);
  let id = '';

  function beat(): void {
    if (!raw.writableNeedDrain) raw.write(': alive\n\n');
    keepAlive = clock.after(KEEP_ALIVE_MS, beat);
  }

  function finish(): void {
    keepAlive.cancel();
    gone.abort(new Error('the reader is gone'));
  }
  raw.on('close', finish);
  raw.on('error', finish);

  const format = (name: http.OutputEventName, json: string): string => `event: ${name}\n${id}data: ${json}\n\n`;
  const write = (name: http.OutputEventName, json: string): void => {
    raw.write(format(name, json));
  };

  const mark = (position: Readonly<Position>): void => {
    if (ids) id = `id: out:${position.out},err:${position.err}\n`;
  };

  return {
    gone: gone.signal,
    get blocked() {
      return raw.writableNeedDrain;
    },
    event: (name, data) => write(name, JSON.stringify(data)),
    output(taskId, { stream, piece, position }) {
      mark(position);
      const { buffer, byteOffset, length } = piece.bytes;
      const data = Buffer.from(buffer, byteOffset, length).toString('base64');
      write('output', `{"taskId":"${taskId}","stream":"${stream}","offset":${piece.offset},"data":"${data}"}`);
    },
    gap: (taskId, gap) => write('gap', JSON.stringify({ taskId, ...gap })),
    state: (taskId, state) => write('state', JSON.stringify({ taskId, state })),
    async drained() {
      if (!raw.writableNeedDrain) return;
      const waiting = Promise.withResolvers<void>();
      const stalled = clock.after(STALLED_MS, () => raw.destroy());
      raw.once('drain', waiting.resolve);
      gone.signal.addEventListener('abort', () => waiting.reject(gone.signal.reason), { once: true });
      try {
        await waiting.promise;
      } finally {
        stalled.cancel();
        raw.off('drain', waiting.resolve);
      }
    },
    end(last) {
      if (raw.writableEnded) return;
      raw.end(last === undefined ? undefined : format(last.name, JSON.stringify(last.data)));
    },
  };
}

/** The position that a Last-Event-ID names, if it is one of ours. */
export function parsePosition(id: string | undefined): Position | undefined {
  const match = /^out:(\d{1,15}),err:(\d{1,15})$/.exec(id ?? '');
  return match ? { out: Number(match[1]), err: Number(match[2]) } : undefined;
}
