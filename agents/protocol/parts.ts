// Small schemas that several frames are made of.
import * as z from 'zod';

/** A non-empty string of at most `max` characters. */
export const text = (max: number): z.ZodString => z.string().min(1).max(max);

/** Task and command ids: lower-case letters, digits, `-`; they name directories and cgroups, so nothing else may pass. */
export const taskId = z.string().regex(/^[a-z0-9][a-z0-9-]{7,63}$/);

/** An absolute byte offset in a stream of one task. */
export const offset = z.int().min(0);

/** The two output streams. */
export const streamName = z.enum(['out', 'err']);
export type StreamName = z.infer<typeof streamName>;

/** Environment that a command adds to the task's clean one. */
export const environment = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), z.string().max(32_768));

/** Lower-case hex SHA-256. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
