// Writes to one link: control frames first, output only while the socket holds little, so that a cancel or a ping never waits behind it.
import { encodeFrame, type Frame, limits } from '../../protocol/index.ts';

/** The part of a WebSocket that is written to. */
export interface Pipe {
  readonly bufferedAmount: number;
  send(data: string | Uint8Array, sent: () => void): void;
}

/** Gives the next binary frame to send, or undefined when there is none now. */
export type NextOutput = () => Uint8Array | undefined;

/** The writing side of a link. */
export interface Outbox {
  /** Sends a control frame now. */
  send(frame: Frame): void;
  /** Output may be ready: sends as much as the socket takes. */
  pump(): void;
  /** Nothing is written any more. */
  close(): void;
}

/** Creates the writer of a link. */
export function createOutbox(pipe: Pipe, next: NextOutput): Outbox {
  let closed = false;
  let waiting = false;
  const pump = (): void => {
    while (!closed && !waiting) {
      if (pipe.bufferedAmount >= limits.SOCKET_HIGH_WATER_BYTES) return;
      const data = next();
      if (!data) return;
      // Only the frame that fills the socket waits for its echo; a callback for each would cost more than it tells.
      const full = pipe.bufferedAmount + data.length >= limits.SOCKET_HIGH_WATER_BYTES;
      waiting = full;
      pipe.send(data, () => {
        if (!full) return;
        waiting = false;
        pump();
      });
    }
  };
  return {
    send: (frame) => {
      // A large control frame may have kept output back: it is looked at again when that has gone.
      if (!closed) pipe.send(encodeFrame(frame), pump);
    },
    pump,
    close: () => {
      closed = true;
    },
  };
}
