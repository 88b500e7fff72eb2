// What the rest of the backend sees of an open session: where frames for a gateway go.
import type { CloseName, Frame } from '../../protocol/index.ts';

/** Durable offsets of a task, and how far its gateway may send. */
export interface AckPosition {
  readonly out: number;
  readonly err: number;
  readonly credit: number;
}

/** An open session of one gateway. Sending never blocks and never throws; a closed link swallows. */
export interface GatewayLink {
  readonly gatewayId: string;
  readonly sessionEpoch: number;
  send(frame: Frame): void;
  /** Only the newest ack of a task is worth sending. */
  ack(taskId: string, position: AckPosition): void;
  close(name: CloseName, message: string): void;
}
