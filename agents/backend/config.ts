// backend.toml: its schema, defaults and the judgements that need more than one key. No I/O.
import { isIP } from 'node:net';
import * as z from 'zod';
import { AGENT_PATH, limits } from '../protocol/index.ts';
import { type ConfigComplaint, type ConfigSpec, LOG_LEVELS } from '../runtime/index.ts';

/** 0: any free port, for tests and trials; the log names it. */
const port = z.int().min(0).max(65_535);
const address = z.string().refine((value) => isIP(value) !== 0, 'expected an IPv4 or IPv6 address');
const network = z
  .string()
  .refine(
    (value) => isNetwork(value),
    'expected an address or a network in CIDR notation, such as 127.0.0.1 or 192.0.2.0/24',
  );

const api = z.strictObject({
  bind: address
    .default('127.0.0.1')
    .meta({ description: 'address of the HTTP API; loopback unless a proxy is elsewhere' }),
  port: port.default(8080).meta({ description: 'port of the HTTP API' }),
  trusted_proxies: z
    .array(network)
    .default(['127.0.0.1', '::1'])
    .meta({ description: 'peers whose X-Forwarded-For is believed, on both ports' }),
});

const agents = z.strictObject({
  bind: address.default('127.0.0.1').meta({ description: 'address of the WebSocket server for gateways' }),
  port: port.default(8081).meta({ description: 'port of the WebSocket server for gateways' }),
  path: z
    .string()
    .regex(/^\/[A-Za-z0-9._/-]*$/, 'expected a path that starts with / and has no spaces')
    .default(AGENT_PATH)
    .meta({ description: 'exact path of the upgrade; everything else on this port but /health is 404' }),
  heartbeat_seconds: z
    .int()
    .min(1)
    .max(300)
    .default(limits.HEARTBEAT_MS / 1000)
    .meta({ description: 'how often each side pings; a proxy read timeout must be at least three times this' }),
});

const tls = z.strictObject({
  certificate: z.string().default('').meta({ description: 'PEM file of the certificate chain; empty: no TLS front' }),
  key: z.string().default('').meta({ description: 'PEM file of the private key' }),
  bind: address.default('127.0.0.1').meta({ description: 'address of the TLS front' }),
  port: port.default(9443).meta({ description: 'port of the TLS front, which routes the agent path and the API' }),
});

const retention = z.strictObject({
  days: z
    .int()
    .min(0)
    .max(3_650)
    .default(30)
    .meta({ description: 'finished tasks are kept this long, with their output; 0: no limit' }),
  store_mib: z
    .int()
    .min(0)
    .max(100_000_000)
    .default(10_240)
    .meta({ description: 'when more is stored, the oldest finished tasks go first; 0: no limit' }),
});

const schema = z.strictObject({
  log_level: z.enum(LOG_LEVELS).default('info').meta({ description: 'changeable at run time: PUT /api/v1/log-level' }),
  state_dir: z.string().min(1).meta({ description: 'directory of the store, e.g. /var/lib/viworks/backend' }),
  release_id: z.string().max(128).default('').meta({ description: 'reported in health and to probes' }),
  max_agent_connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .meta({ description: 'how many gateways may be connected at once' }),
  api: api.prefault({}).meta({ description: 'the HTTP API' }),
  agents: agents.prefault({}).meta({ description: 'the WebSocket server for gateways' }),
  retention: retention.prefault({}).meta({ description: 'how long finished tasks are kept' }),
  tls: tls.prefault({}).meta({ description: 'a TLS front in this process, where there is no nginx' }),
});

/** backend.toml, typed. */
export type BackendConfig = z.output<typeof schema>;

/** backend.toml as data, for `viworks config` and the documents. */
export const configSpec: ConfigSpec<typeof schema> = {
  name: 'backend',
  summary: 'the backend agent: backend.toml',
  schema,
  envPrefix: 'VIWORKS_BACKEND',
  check: (value) => [...portComplaints(value), ...tlsComplaints(value)],
};

// Different addresses may share a port; a wildcard collides with all of them.
function portComplaints(config: BackendConfig): ConfigComplaint[] {
  const { api, agents, tls } = config;
  const uses = [
    { path: ['api', 'port'], bind: api.bind, port: api.port },
    { path: ['agents', 'port'], bind: agents.bind, port: agents.port },
    ...(tls.certificate === '' ? [] : [{ path: ['tls', 'port'], bind: tls.bind, port: tls.port }]),
  ];
  return uses.flatMap((use, index) =>
    uses.slice(0, index).flatMap((earlier) =>
      use.port !== 0 && use.port === earlier.port && overlap(use.bind, earlier.bind)
        ? [
            {
              path: use.path,
              message: `${use.port} is also ${earlier.path.join('.')}`,
              also: earlier.path,
              remedy: 'give each its own port; defaults: api 8080, agents 8081, tls 9443',
            },
          ]
        : [],
    ),
  );
}

function tlsComplaints(config: BackendConfig): ConfigComplaint[] {
  if ((config.tls.certificate === '') === (config.tls.key === '')) return [];
  const missing = config.tls.key === '' ? 'key' : 'certificate';
  return [
    { path: ['tls', missing], message: 'missing; certificate and key go together', remedy: `set tls.${missing}` },
  ];
}

function overlap(a: string, b: string): boolean {
  return a === b || [a, b].some((bind) => bind === '0.0.0.0' || bind === '::');
}

function isNetwork(value: string): boolean {
  const [host = '', bits, ...rest] = value.split('/');
  const family = isIP(host);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
