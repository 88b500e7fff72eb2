// Request and response bodies of the HTTP API. Requests are strict; the same schemas make the OpenAPI document.
import * as z from 'zod';
import { REFUSALS } from './errors.ts';
import { DEFAULT_GRACE_MS, DEFAULT_TTL_MS, MAX_DURATION_MS } from './limits.ts';
import { environment, offset, streamName, taskId, text } from './parts.ts';
import { sample } from './telemetry.ts';
import { obstacle, taskResult } from './work.ts';

const duration = z.int().min(0).max(MAX_DURATION_MS);
const time = z.int().meta({ description: 'milliseconds since the epoch' });

/** Roles, weakest first. `probe` may read the registry, run the fixed canary and send a probe HELLO: what the doctor needs, and nothing else. */
export const ROLES = ['probe', 'viewer', 'operator', 'admin'] as const;
export const role = z.enum(ROLES);
export type Role = z.infer<typeof role>;

/** Every failure of the API. */
export const errorBody = z.object({
  code: z.string().meta({ description: 'stable code, see docs/errors.md' }),
  message: z.string(),
  hint: z.string(),
  retry: z.enum(['never', 'now', 'later']),
  detail: z.record(z.string(), z.unknown()),
});
export type ErrorBody = z.infer<typeof errorBody>;

/** One part of a process in its health. */
export const healthPart = z.object({
  state: z.enum(['up', 'starting', 'down']),
  since: time,
  message: z.string().optional(),
});

/** GET /health of the backend (both ports) and GET /api/v1/health of a gateway. 200 when healthy, else 503. */
export const healthBody = z.object({
  status: z.enum(['healthy', 'unhealthy']),
  timestamp: z.string().meta({ description: 'RFC 3339' }),
  version: z.string(),
  revision: z.string(),
  releaseId: z.string(),
  uptimeSeconds: z.int(),
  parts: z.record(z.string(), healthPart),
  runningTasks: z.int(),
  /** Gateway: last frame received; backend: last heartbeat of any gateway. */
  lastHeartbeat: time.optional(),
  /** Backend only. */
  sessions: z.int().optional(),
  resources: z.object({ rssBytes: z.int(), loopLagMs: z.number(), openFiles: z.int().optional() }),
});
export type HealthBody = z.infer<typeof healthBody>;

/** A gateway as the registry knows it. */
export const gatewayBody = z.object({
  gatewayId: z.string(),
  state: z.enum(['connected', 'disconnected', 'never_connected']),
  labels: z.record(z.string(), z.string()),
  version: z.string().optional(),
  revision: z.string().optional(),
  verbs: z.array(z.object({ name: z.string(), schemaHash: z.string(), matches: z.boolean() })),
  remoteAddress: z.string().optional(),
  sessionEpoch: z.int(),
  incarnation: z.int().optional(),
  enrolledAt: time,
  connectedAt: time.optional(),
  lastSeenAt: time.optional(),
  lastClose: z.object({ code: z.int(), name: z.string(), at: time }).optional(),
  runningTasks: z.int(),
  kernel: z.object({ cgroup: z.string(), subreaper: z.boolean(), limits: z.array(z.string()) }).optional(),
  lastSample: sample.optional(),
});
export type GatewayBody = z.infer<typeof gatewayBody>;
export const gatewayList = z.object({ gateways: z.array(gatewayBody), total: z.int() });

/** States of a task. `unknown`: its gateway is gone longer than allowed; never the same as failed. */
export const TASK_STATES = ['queued', 'sent', 'accepted', 'running', 'finishing', 'unknown', 'finished'] as const;
export const taskState = z.enum(TASK_STATES);
export type TaskState = z.infer<typeof taskState>;

/** How a finished task ended: what the gateway reported, or why it never ran. */
export const taskEnd = z.union([
  taskResult,
  z.object({
    outcome: z.literal('refused'),
    refusal: z.enum(REFUSALS),
    message: z.string(),
    obstacle: obstacle.optional(),
  }),
  z.object({ outcome: z.literal('cancelled_before_start') }),
  z.object({ outcome: z.literal('expired'), message: z.string() }),
]);
export type TaskEnd = z.infer<typeof taskEnd>;

export const taskBody = z.object({
  taskId,
  commandId: taskId,
  gatewayId: z.string(),
  verb: z.string(),
  args: z.record(z.string(), z.unknown()),
  state: taskState,
  fence: z.int(),
  createdAt: time,
  startedAt: time.optional(),
  finishedAt: time.optional(),
  cancelRequestedAt: time.optional(),
  expiresAt: time,
  out: z.object({ stored: offset }),
  err: z.object({ stored: offset }),
  end: taskEnd.optional(),
  createdBy: z.string(),
});
export type TaskBody = z.infer<typeof taskBody>;
export const taskList = z.object({ tasks: z.array(taskBody), next: z.string().optional() });

/** POST /api/v1/commands. */
export const commandRequest = z.strictObject({
  verb: text(64),
  args: z.record(z.string(), z.unknown()).default({}),
  gateways: z.array(text(128)).min(1).max(1000),
  env: environment.default({}),
  cwd: text(4096).optional(),
  stdin: z.base64().optional().meta({ description: 'complete standard input, base64, at most 1 MiB decoded' }),
  timeoutMs: duration.default(0).meta({ description: '0: no limit' }),
  graceMs: duration.default(DEFAULT_GRACE_MS),
  ttlMs: duration.default(DEFAULT_TTL_MS).meta({ description: 'how long to wait for an offline gateway' }),
});
export type CommandRequest = z.input<typeof commandRequest>;

export const commandBody = z.object({ commandId: taskId, verb: z.string(), createdAt: time, tasks: z.array(taskBody) });
export type CommandBody = z.infer<typeof commandBody>;

/** POST /api/v1/tasks/:id/cancel. */
export const cancelRequest = z.strictObject({ graceMs: duration.optional() });
export const cancelBody = z.object({
  result: z.enum(['requested', 'already_finished', 'cancelled_before_start']),
  task: taskBody,
});

/** Events of the output stream (SSE). `data:` of each is one of these as JSON; `event:` is the key. */
export const outputEvents = {
  command: commandBody,
  output: z.object({ taskId, stream: streamName, offset, data: z.base64() }),
  gap: z.object({ taskId, stream: streamName, from: offset, to: offset, reason: z.string() }),
  state: z.object({ taskId, state: taskState }),
  exit: z.object({ task: taskBody }),
} as const;
export type OutputEventName = keyof typeof outputEvents;

/** POST /api/v1/tokens (admin). */
export const tokenRequest = z.strictObject({ name: text(128), role });
export const tokenBody = z.object({ tokenId: z.string(), name: z.string(), role, token: z.string() });
export const tokenList = z.object({
  tokens: z.array(
    z.object({ tokenId: z.string(), name: z.string(), role, createdAt: time, lastUsedAt: time.optional() }),
  ),
});

/** POST /api/v1/enrolment-tokens (admin). */
export const enrolmentTokenRequest = z.strictObject({
  gatewayId: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  ttlSeconds: z
    .int()
    .min(1)
    .max(7 * 86_400)
    .default(3600),
});
export const enrolmentTokenBody = z.object({ token: z.string(), gatewayId: z.string(), expiresAt: time });

/** POST /api/v1/enrol: no bearer; the one-time token is in the body. `publicKey`: Ed25519 SPKI DER, base64. */
export const enrolRequest = z.strictObject({
  token: text(256),
  publicKey: z.base64().max(256),
  fingerprint: text(128),
});
export const enrolBody = z.object({ gatewayId: z.string(), serverTime: time });
