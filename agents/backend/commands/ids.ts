// Ids that sort by time: UUIDv7 (RFC 9562 §5.7), lower case, so that they may name directories and cgroups.
import { randomUUID } from 'node:crypto';

/** A new id for the given moment in milliseconds since the epoch. The random part is that of a UUIDv4, which Node draws in bulk. */
export function createId(now: number): string {
  const time = now.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** Sorts before every id of this moment and after every id of an earlier one. */
export function firstId(now: number): string {
  const time = Math.max(0, now).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}
