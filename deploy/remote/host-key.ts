// Which host key is the right one: pins from the inventory first, else OpenSSH's known_hosts. Pure; fails closed.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** A host key as the server shows it. */
export interface ShownKey {
  readonly type: string;
  /** `SHA256:` and base64 without padding, as ssh-keygen prints it. */
  readonly fingerprint: string;
}

/** One usable line of a known_hosts file. */
export interface KnownHost {
  readonly hosts: string;
  readonly marker: 'revoked' | 'cert-authority' | undefined;
  readonly type: string;
  readonly blob: string;
  /** Where it stands, `file:line`. */
  readonly place: string;
}

/** The verdict on a shown key. */
export type KeyVerdict =
  | { readonly kind: 'trusted' }
  | { readonly kind: 'unknown' }
  /** A key is known, and it is of another type: nothing says that it changed. */
  | { readonly kind: 'other-type'; readonly expected: string; readonly source: string }
  | { readonly kind: 'changed'; readonly expected: string; readonly source: string };

/** Reads type and fingerprint out of a key blob (RFC 4253 §6.6). */
export function describeKey(blob: Buffer): ShownKey {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  const type = length > 0 && length <= blob.length - 4 ? blob.toString('latin1', 4, 4 + length) : 'unreadable';
  return { type, fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}` };
}

/** Parses known_hosts; lines that OpenSSH would skip are skipped. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((raw, index) => {
    const fields = raw.trim().split(/\s+/);
    const first = fields[0] ?? '';
    if (first === '' || first.startsWith('#')) return [];
    const marked = first.startsWith('@');
    const [hosts, type, blob] = marked ? fields.slice(1) : fields;
    if (hosts === undefined || type === undefined || blob === undefined) return [];
    const marker = first === '@revoked' ? 'revoked' : first === '@cert-authority' ? 'cert-authority' : undefined;
    if (marked && marker === undefined) return [];
    return [{ hosts, marker, type, blob, place: `${file}:${index + 1}` }];
  });
}

/** The entries that speak about an address: plain, `[host]:port`, wildcards with negation, and hashed names. */
export function knownFor(entries: readonly KnownHost[], address: string, port: number): KnownHost[] {
  const name = port === 22 ? address.toLowerCase() : `[${address.toLowerCase()}]:${port}`;
  return entries.filter((entry) => hostsMatch(entry.hosts, name));
}

/** Judges a key by the inventory's pins, or by known_hosts entries when there is no pin. */
export function judgeKey(blob: Buffer, pins: readonly string[], known: readonly KnownHost[]): KeyVerdict {
  const shown = describeKey(blob);
  if (pins.length > 0) {
    return pins.some((pin) => sameFingerprint(pin, shown.fingerprint))
      ? { kind: 'trusted' }
      : { kind: 'changed', expected: pins.join(' or '), source: 'the inventory' };
  }
  const encoded = blob.toString('base64');
  const revoked = known.find((entry) => entry.marker === 'revoked' && entry.blob === encoded);
  if (revoked) return { kind: 'changed', expected: 'this key is revoked', source: revoked.place };
  const live = known.filter((entry) => entry.marker === undefined);
  if (live.some((entry) => entry.blob === encoded)) return { kind: 'trusted' };
  const [any] = live;
  if (!any) return { kind: 'unknown' };
  const same = live.find((entry) => entry.type === shown.type);
  if (!same) return { kind: 'other-type', expected: any.type, source: any.place };
  return {
    kind: 'changed',
    expected: describeKey(Buffer.from(same.blob, 'base64')).fingerprint,
    source: same.place,
  };
}

/** Types of host keys in the order in which they are asked for, as OpenSSH has it. */
export const KEY_TYPES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
] as const;

/** The signature algorithms to ask a server for: keys of known types first, then the others, so that a known one is shown if there is one. */
export function algorithmsFor(known: readonly KnownHost[], without: readonly string[] = []): string[] {
  const types = known.filter((entry) => entry.marker === undefined).map((entry) => entry.type);
  const wanted = KEY_TYPES.filter((type) => !without.includes(type));
  return [...wanted.filter((type) => types.includes(type)), ...wanted.filter((type) => !types.includes(type))].flatMap(
    (type) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] : [type]),
  );
}

function sameFingerprint(pin: string, fingerprint: string): boolean {
  return pin.trim().replace(/=+$/, '') === fingerprint;
}

function hostsMatch(pattern: string, name: string): boolean {
  if (pattern.startsWith('|1|')) return hashedMatch(pattern, name);
  let matched = false;
  for (const part of pattern.toLowerCase().split(',')) {
    const negated = part.startsWith('!');
    if (!globMatch(negated ? part.slice(1) : part, name)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

function hashedMatch(pattern: string, name: string): boolean {
  const [, , salt, hash] = pattern.split('|');
  if (!salt || !hash) return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function globMatch(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}
