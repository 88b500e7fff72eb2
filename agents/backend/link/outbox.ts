// What goes to one gateway, in lanes: control first, then work, then acks (of which only the newest per task counts).
// Never more than the high-water mark is put into the socket, so that a ping or a cancel does not wait behind anything.
import { encodeFrame, type Frame, type FrameType, limits } from '../../protocol/index.ts';
import type { AckPosition } from '../registry/link.ts';

/** The part of a WebSocket that an outbox uses. */
export interface Wire {
  readonly bufferedAmount: number;
  send(text: string, sent: (error?: Error) => void): void;
}

/** An outbox. `overflowing` is true when the peer has not read for so long that it should be cut. */
export interface Outbox {
  send(frame: Frame): void;
  ack(taskId: string, position: AckPosition): void;
  readonly overflowing: boolean;
}

/** Work waiting for a gateway that does not read: more than this and the link is cut; the engine keeps the tasks. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

const CONTROL: ReadonlySet<FrameType> = new Set<FrameType>([
  'session.challenge',
  'session.welcome',
  'session.probed',
  'session.ping',
  'session.pong',
  'session.goaway',
  'session.refused',
  'task.cancel',
]);

interface Held {
  readonly text: string;
  readonly taskId: string | undefined;
}

/** Creates an outbox in front of a socket. */
export function createOutbox(wire: Wire): Outbox {
  const control: Held[] = [];
  const work: Held[] = [];
  const acks = new Map<string, AckPosition>();
  let heldBytes = 0;

  function next(): string | undefined {
    const held = control.shift() ?? work.shift();
    if (held !== undefined) {
      heldBytes -= held.text.length;
      return held.text;
    }
    for (const [taskId, position] of acks) {
      acks.delete(taskId);
      return encodeFrame({ type: 'task.ack', taskId, ...position });
    }
    return undefined;
  }

  function drain(): void {
    while (wire.bufferedAmount < limits.SOCKET_HIGH_WATER_BYTES) {
      const text = next();
      if (text === undefined) return;
      wire.send(text, (error) => {
        if (!error && control.length + work.length + acks.size > 0) drain();
      });
    }
  }

  return {
    send(frame) {
      const text = encodeFrame(frame);
      heldBytes += text.length;
      const taskId = 'taskId' in frame ? frame.taskId : undefined;
      // A cancel may not overtake the run that it is about: the gateway would not know the task, and then start it.
      const behind = frame.type === 'task.cancel' && work.some((held) => held.taskId === taskId);
      (CONTROL.has(frame.type) && !behind ? control : work).push({ text, taskId });
      drain();
    },
    ack(taskId, position) {
      acks.set(taskId, position);
      drain();
    },
    get overflowing() {
      return heldBytes > MAX_HELD_BYTES;
    },
  };
}
