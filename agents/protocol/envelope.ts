// The union of all text frames, and who may send which.
import * as z from 'zod';
import * as session from './session.ts';
import { telemetry } from './telemetry.ts';
import * as work from './work.ts';

/** Any text frame. Unknown fields of a newer peer are dropped; a wrong type is refused. */
export const frame = z.discriminatedUnion('type', [
  session.challenge,
  session.hello,
  session.welcome,
  session.probe,
  session.probed,
  session.ping,
  session.pong,
  session.goaway,
  session.refused,
  work.run,
  work.accepted,
  work.started,
  work.refusedTask,
  work.ack,
  work.gap,
  work.exit,
  work.settled,
  work.cancel,
  work.cancelling,
  telemetry,
]);
export type Frame = z.infer<typeof frame>;
export type FrameType = Frame['type'];
/** The frame of one type: `FrameOf<'task.run'>`. */
export type FrameOf<T extends FrameType> = Extract<Frame, { type: T }>;

/** What a gateway (or a prober) may send. */
export const FROM_GATEWAY: ReadonlySet<FrameType> = new Set<FrameType>([
  'session.hello',
  'session.probe',
  'session.ping',
  'session.pong',
  'session.refused',
  'task.accepted',
  'task.started',
  'task.refused',
  'task.gap',
  'task.exit',
  'task.cancelling',
  'telemetry.samples',
]);

/** What a backend may send. */
export const FROM_BACKEND: ReadonlySet<FrameType> = new Set<FrameType>([
  'session.challenge',
  'session.welcome',
  'session.probed',
  'session.ping',
  'session.pong',
  'session.goaway',
  'session.refused',
  'task.run',
  'task.ack',
  'task.settled',
  'task.cancel',
]);

/** Every frame type that this version knows. */
export const FRAME_TYPES: readonly FrameType[] = frame.options.map((option) => option.shape.type.value);
