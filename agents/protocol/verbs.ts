// The built-in verbs: what they take and whether running one twice is harmless. Both sides check arguments against this.
import * as z from 'zod';
import { text } from './parts.ts';

/** A verb's contract. */
export interface VerbSpec {
  readonly summary: string;
  readonly args: z.ZodType;
  readonly idempotent: boolean;
}

const unit = z.string().regex(/^[A-Za-z0-9:_.@\\-]{1,255}$/);

/** Built-in verbs by name. */
export const BUILT_IN_VERBS = {
  exec: {
    summary: 'run a program with arguments, without a shell',
    args: z.strictObject({ argv: z.array(z.string().max(131_072)).min(1).max(4096) }),
    idempotent: false,
  },
  shell: {
    summary: 'run a script with sh',
    args: z.strictObject({ script: text(262_144) }),
    idempotent: false,
  },
  canary: {
    summary: 'print random bytes on stdout and their SHA-256 on stderr: proves that commands work end to end',
    args: z.strictObject({ bytes: z.int().min(0).max(1_048_576).default(1024) }),
    idempotent: true,
  },
  get_system_health: {
    summary: 'CPU, memory, disk, load and uptime of the host as JSON',
    args: z.strictObject({}),
    idempotent: true,
  },
  get_service_status: {
    summary: 'state of systemd units as JSON',
    args: z.strictObject({ services: z.array(unit).max(100).optional() }),
    idempotent: true,
  },
} as const satisfies Record<string, VerbSpec>;

/** Name of a built-in verb. */
export type BuiltInVerb = keyof typeof BUILT_IN_VERBS;

/**
 * A short fingerprint of an argument schema, to see skew between two builds (not a security measure):
 * FNV-1a, 64 bit, over the JSON Schema with sorted keys, as 16 hex digits.
 */
export function schemaHash(schema: z.ZodType): string {
  const canonical = JSON.stringify(sorted(z.toJSONSchema(schema, { io: 'input' })));
  let hash = 0xcbf29ce484222325n;
  for (let index = 0; index < canonical.length; index++) {
    hash ^= BigInt(canonical.charCodeAt(index));
    hash = (hash * 0x100000001b3n) & 0xffffffffffffffffn;
  }
  return hash.toString(16).padStart(16, '0');
}

function sorted(value: unknown): unknown {
  // Arrays of strings in a JSON Schema (`required`, `enum`) are sets.
  if (Array.isArray(value))
    return value.every((item) => typeof item === 'string') ? [...value].sort() : value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
}
