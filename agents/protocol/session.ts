// Frames of the session itself: handshake, probe, liveness, goodbye.
import * as z from 'zod';
import { offset, taskId, text } from './parts.ts';

/** Backend → gateway, first frame of every link. `nonce` is 32 random bytes in base64url. */
export const challenge = z.object({
  type: z.literal('session.challenge'),
  nonce: text(64),
  /** Milliseconds since the epoch on the backend's clock. */
  serverTime: z.int(),
  protocolMin: z.int(),
  protocolMax: z.int(),
});

/** How much of one output stream exists, is acknowledged as durable, and is still in the spool. */
const streamPosition = z.object({ produced: offset, acked: offset, oldest: offset });

/** One task that the gateway still knows at HELLO. */
export const helloTask = z.object({
  taskId,
  fence: z.int().min(0),
  state: z.enum(['accepted', 'running', 'exited']),
  /** Random per start; another value means that the spool was lost and offsets start anew. */
  streamEpoch: text(32),
  out: streamPosition,
  err: streamPosition,
});

/** A verb as offered: the hash of its argument schema lets the backend see skew before it sends anything. */
export const helloVerb = z.object({
  schemaHash: text(64),
  idempotent: z.boolean(),
});

/** What the machine offers for ending and limiting tasks; `cgroup: 'kill'` means that cgroup.kill works. */
export const kernelAbilities = z.object({
  cgroup: z.enum(['kill', 'group', 'none']),
  subreaper: z.boolean(),
  /** Limits really in force, by name; empty when none. */
  limits: z.array(text(32)).max(16),
});

/** Gateway → backend: who I am, what I can, what I still hold; signed over both nonces. */
export const hello = z.object({
  type: z.literal('session.hello'),
  protocol: z.int(),
  gatewayId: text(128),
  /** +1 at each start of the agent, durable before HELLO: a restart is seen without clocks. */
  incarnation: z.int().min(1),
  bootId: text(64),
  /** Hash of machine-id and the like: two machines with one id are told apart. */
  fingerprint: text(128),
  version: text(64),
  revision: text(64),
  /** 32 random bytes in base64url. */
  nonce: text(64),
  /** SHA-256 of the SPKI that this gateway saw in TLS, hex; empty without TLS. */
  spkiSeen: z.string().max(64),
  /** Ed25519 over {@link helloPayload}, base64url. */
  signature: text(128),
  labels: z.record(z.string().max(64), z.string().max(256)),
  verbs: z.record(z.string().max(64), helloVerb),
  kernel: kernelAbilities,
  maxConcurrentTasks: z.int().min(1),
  tasks: z.array(helloTask).max(10_000),
});

/** Backend → gateway: what to do about one task of HELLO. */
export const welcomeTask = z.object({
  taskId,
  /** `resume` from these offsets; `settled`: result is stored, forget it; `cancel`: end it; `unknown`: not ours. */
  action: z.enum(['resume', 'settled', 'cancel', 'unknown']),
  out: offset,
  err: offset,
  graceMs: z.int().min(0).optional(),
});

/** Backend → gateway: the session is open. */
export const welcome = z.object({
  type: z.literal('session.welcome'),
  protocol: z.int(),
  sessionId: text(64),
  /** +1 per attach; frames of an older epoch are refused. */
  sessionEpoch: z.int().min(1),
  heartbeatMs: z.int().min(100),
  maxFrameBytes: z.int().min(1024),
  taskCreditBytes: z.int().min(1024),
  serverTime: z.int(),
  version: text(64),
  revision: text(64),
  tasks: z.array(welcomeTask).max(10_000),
});

/** Doctor or deployer → backend instead of HELLO: answered with `session.probed` when the token is good, never registered. */
export const probe = z.object({
  type: z.literal('session.probe'),
  protocol: z.int(),
  /** A token with role probe (or higher); absent: the coded refusal itself proves that the server loop works. */
  token: z.string().max(256).optional(),
});

/** Backend → prober. */
export const probed = z.object({
  type: z.literal('session.probed'),
  protocol: z.int(),
  version: text(64),
  revision: text(64),
  releaseId: z.string().max(128),
  serverTime: z.int(),
  /** Remote address as the backend sees it, after trusted proxies. */
  remoteAddress: z.string().max(64),
});

/** Either direction. `nonce` comes back in the pong. */
export const ping = z.object({ type: z.literal('session.ping'), nonce: z.int().min(0) });
export const pong = z.object({ type: z.literal('session.pong'), nonce: z.int().min(0) });

/** Backend → gateway before a planned restart: come back after a random delay of at most `spreadMs`. */
export const goaway = z.object({
  type: z.literal('session.goaway'),
  reason: text(256),
  spreadMs: z.int().min(0),
});

/** Either direction, last frame before a close with one of our codes: the same in words. */
export const refused = z.object({
  type: z.literal('session.refused'),
  code: z.int(),
  name: text(64),
  message: text(1024),
});

/** The text that a HELLO signature covers. Field order is part of the protocol. */
export function helloPayload(fields: {
  readonly protocol: number;
  readonly gatewayId: string;
  readonly serverNonce: string;
  readonly nonce: string;
  readonly spkiSeen: string;
  readonly incarnation: number;
}): string {
  return [
    'viworks-hello',
    fields.protocol,
    fields.gatewayId,
    fields.serverNonce,
    fields.nonce,
    fields.spkiSeen,
    fields.incarnation,
  ].join('\n');
}
