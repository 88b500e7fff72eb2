// gateway.toml as one schema: defaults, help text and validation. Pure; composition hands out slices of the value.
import * as z from 'zod';
import { BUILT_IN_VERBS } from '../protocol/index.ts';
import { type ConfigComplaint, type ConfigSpec, LOG_LEVELS } from '../runtime/index.ts';

const path = (description: string): z.ZodString =>
  z.string().startsWith('/', 'must be an absolute path').meta({ description });
const url = z
  .url({ protocol: /^wss?$/, error: 'must be a wss:// URL such as wss://agents.example.test/ws/agent' })
  .meta({ description: 'where the backend’s WebSocket server is reached; ws:// only for loopback' });

/** Every key of gateway.toml. */
export const gatewayConfig = z.strictObject({
  gateway_id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'letters, digits, dot, dash and underscore, at most 128')
    .meta({ description: 'name of this gateway at the backend' }),
  url,
  log_level: z.enum(LOG_LEVELS).default('info').meta({ description: 'least serious level that is logged' }),
  state_dir: path('identity and journal of the agent'),
  trust_file: path('CA bundle (PEM) to verify the backend with; the system’s roots when absent').optional(),
  enrolment_token_file: path(
    'one-time token, used once when this gateway is not enrolled yet; or systemd credential enrolment-token',
  ).optional(),
  launcher_socket: path('socket of viworks-launcher').default('/run/viworks/launcher.sock'),
  tasks_dir: path('spool of the tasks; the same as in launcher.toml').default('/var/lib/viworks/launcher/tasks'),
  max_concurrent_tasks: z
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .meta({ description: 'tasks that run at the same time; more wait in a queue' }),
  spool_cap_bytes: z
    .int()
    .min(1024 * 1024)
    .default(64 * 1024 * 1024)
    .meta({
      description: 'output of one task that may wait for the backend; beyond it the task is held until there is room',
    }),
  release_id: z
    .string()
    .max(128)
    .default('')
    .meta({ description: 'release that this agent belongs to, shown in its health' }),
  local_api: z
    .strictObject({
      bind: z.string().default('127.0.0.1').meta({ description: 'address of the local health API' }),
      port: z.int().min(0).max(65_535).default(8443).meta({ description: 'port of the local health API' }),
    })
    .prefault({}),
  labels: z
    .record(z.string().regex(/^[A-Za-z0-9._/-]{1,64}$/), z.string().max(256))
    .default({})
    .meta({ description: 'labels shown in the registry' }),
  verbs: z
    .strictObject({
      enabled: z
        .array(z.string())
        .default(['core'])
        .meta({ description: 'verbs offered: names, or "core" for all built-in ones' }),
    })
    .prefault({}),
  policy: z
    .strictObject({
      allow: z
        .array(z.string().min(1))
        .default(['*'])
        .meta({ description: 'what may run: patterns VERB or VERB:COMMAND LINE, * matches anything' }),
      deny: z.array(z.string().min(1)).default([]).meta({ description: 'what may not run, whatever allow says' }),
    })
    .prefault({}),
});

/** A validated gateway.toml. */
export type GatewayConfig = z.output<typeof gatewayConfig>;

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

function check(value: GatewayConfig): ConfigComplaint[] {
  const complaints: ConfigComplaint[] = [];
  const parsed = new URL(value.url);
  if (parsed.protocol === 'ws:' && !LOOPBACK.has(parsed.hostname)) {
    complaints.push({
      path: ['url'],
      message: 'ws:// sends everything in the clear; only loopback may be reached this way',
      remedy: `use wss://${parsed.host}${parsed.pathname}`,
    });
  }
  for (const [index, name] of value.verbs.enabled.entries()) {
    if (name === 'core' || Object.hasOwn(BUILT_IN_VERBS, name)) continue;
    complaints.push({
      path: ['verbs', 'enabled', index],
      message: `there is no verb ${name}`,
      remedy: `one of: core, ${Object.keys(BUILT_IN_VERBS).join(', ')}`,
    });
  }
  return complaints;
}

/** gateway.toml for `viworks config`. */
export const configSpec: ConfigSpec<typeof gatewayConfig> = {
  name: 'gateway',
  summary: 'the gateway agent of a managed host',
  schema: gatewayConfig,
  envPrefix: 'VIWORKS_GATEWAY',
  check,
};
