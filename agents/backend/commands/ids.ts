// Ids that sort by time: UUIDv7 (RFC 9562 §5.7), lower case, so that they may name directories and cgroups.
import { randomFillSync } from 'node:crypto';

/** A new id for the given moment in milliseconds since the epoch. */
export function createId(now: number): string {
  const bytes = randomFillSync(Buffer.alloc(16));
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
