// Opaque secrets: 32 random bytes, shown once, kept as SHA-256 only.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { http } from '../../protocol/index.ts';
import { PROBE_PREFIX } from '../../runtime/index.ts';

/** Marks our tokens, so that secret scanners and people know them. */
const PREFIX = 'vw_';

/** A new token's text. Of a token for probes it says so: who holds one can see that it can do no more. */
export function createSecret(role?: http.Role): string {
  return (role === 'probe' ? PROBE_PREFIX : PREFIX) + randomBytes(32).toString('base64url');
}

/** What is kept of a token: lower-case hex SHA-256. */
export function hashSecret(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Compares two hashes without telling by time where they differ. */
export function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')];
  return left.length === right.length && timingSafeEqual(left, right);
}
