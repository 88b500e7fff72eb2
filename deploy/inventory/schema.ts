// The shape of viworks.toml as it is written: every key, its default and its help text. Judgement across keys is in check.ts.
import { isIP } from 'node:net';
import * as z from 'zod';

const slug = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected lower-case letters, digits and dashes');
const hostKeyName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected letters, digits, dots and dashes');
const gatewayId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'expected letters, digits, dots, dashes and underscores');
const dnsName = z
  .string()
  .max(253)
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i, 'expected a host name');
const address = z.string().refine((value) => isIP(value) !== 0 || dnsName.safeParse(value).success, {
  error: 'expected an IP address or a host name',
});
const bindAddress = z
  .string()
  .refine((value) => isIP(value) !== 0, { error: 'expected an IP address, such as 127.0.0.1' });
const port = z.int().min(1).max(65_535);
// What useradd of Debian takes.
const userName = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'expected a user name');
const fileName = z
  .string()
  .min(1)
  // A control character in a path would end up in a rendered file.
  .regex(/^[^\p{Cc}]+$/u, 'expected a path without control characters');
const logLevel = z.enum(['debug', 'info', 'warn', 'error']);
const label = z
  .string()
  .max(256)
  .regex(/^[^\p{Cc}]*$/u, 'expected text without control characters');

const tls = z.discriminatedUnion('source', [
  z.strictObject({
    source: z.literal('built-in-ca').meta({ description: 'a certificate authority of this project, kept in ca_dir' }),
    ca_dir: fileName.default('.viworks/ca').meta({ description: 'its key (0600) never leaves this machine' }),
  }),
  z.strictObject({
    source: z.literal('files').meta({ description: 'certificate files that you bring' }),
    certificate: fileName.meta({ description: 'PEM; the server certificate, with its chain unless chain is given' }),
    key: fileName.meta({ description: 'PEM; its private key' }),
    chain: fileName.optional().meta({ description: 'PEM; intermediate certificates' }),
    trust: fileName.optional().meta({ description: 'PEM; what gateways trust; absent: their system roots' }),
  }),
  z.strictObject({
    source: z.literal('acme').meta({ description: 'not supported yet' }),
    directory: z.string().optional().meta({ description: 'URL of the ACME directory' }),
    contact: z.string().optional().meta({ description: 'address for expiry notices' }),
  }),
]);

const nginx = z.strictObject({
  mode: z
    .enum(['own-vhost', 'join', 'container'])
    .default('own-vhost')
    .meta({ description: 'who owns the nginx configuration' }),
  install: z.boolean().default(false).meta({ description: 'install the nginx package where it is missing' }),
  port: port.default(443).meta({ description: 'the public TLS port' }),
  http2: z.boolean().default(true).meta({ description: 'whether nginx offers HTTP/2 to clients of the API' }),
  client_certificates: z
    .enum(['off', 'optional', 'required'])
    .default('off')
    .meta({ description: 'whether nginx asks gateways for a certificate' }),
  name: z.string().optional().meta({ description: 'mode container: the name of the container' }),
  config_path: fileName.optional().meta({ description: 'mode join or container: the file to work with' }),
});

const backend = z.strictObject({
  host: hostKeyName.meta({ description: 'a key below [hosts]' }),
  store: z.enum(['sqlite', 'postgres']).default('sqlite').meta({ description: 'where the backend keeps its state' }),
  url_file: fileName.optional().meta({ description: 'store postgres: a file holding the connection URL' }),
  api: z
    .strictObject({
      bind: bindAddress.default('127.0.0.1').meta({ description: 'address that the API listens on' }),
      port: port.default(8080).meta({ description: 'port of the API' }),
    })
    .prefault({})
    .meta({ description: 'the HTTP API' }),
  agents: z
    .strictObject({
      bind: bindAddress.default('127.0.0.1').meta({ description: 'address for gateways' }),
      port: port.default(8081).meta({ description: 'port for gateways' }),
      path: z
        .string()
        .regex(/^\/ws\/[A-Za-z0-9/_-]*$/, 'expected a path below /ws/')
        .default('/ws/agent')
        .meta({ description: 'path of the WebSocket server' }),
      max_connections: z.int().min(1).max(1_000_000).default(10_000).meta({ description: 'gateways at the same time' }),
    })
    .prefault({})
    .meta({ description: 'the WebSocket listener for gateways' }),
  heartbeat_seconds: z
    .int()
    .min(1)
    .max(300)
    .default(10)
    .meta({ description: 'how often backend and gateway ask each other whether they live' }),
  retention: z
    .strictObject({
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
    })
    .prefault({})
    .meta({ description: 'how long finished tasks are kept' }),
  log_level: logLevel.default('info').meta({ description: 'least serious level that is logged' }),
  container: z.string().optional().meta({ description: 'runtime docker: the name of the backend container' }),
  nginx: nginx.prefault({}),
});

const gateway = z.strictObject({
  id: gatewayId.optional().meta({ description: "the gateway's id; default: the key of its host" }),
  host: hostKeyName.meta({ description: 'a key below [hosts]' }),
  labels: z
    .record(z.string().regex(/^[A-Za-z0-9_./-]{1,64}$/, 'expected a short name'), label)
    .default({})
    .meta({ description: 'labels shown in the registry' }),
  task_user: userName.default('viworks-task').meta({ description: 'who runs tasks; "root" must be written out' }),
  verbs: z
    .array(z.string().regex(/^[a-z0-9:_-]{1,64}$/, 'expected the name of a verb set'))
    .default(['core'])
    .meta({ description: 'verbs offered: "core" and packs' }),
  local_api: z
    .strictObject({
      bind: bindAddress.default('127.0.0.1').meta({ description: 'address of the local health API' }),
      port: port.default(8443).meta({ description: 'port of the local health API' }),
    })
    .prefault({}),
  max_concurrent_tasks: z
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .meta({ description: 'tasks that run at the same time; more wait' }),
  log_level: logLevel.default('info').meta({ description: 'least serious level that is logged' }),
});

const host = z.strictObject({
  address: address.meta({ description: 'where sshd answers' }),
  port: port.default(22).meta({ description: 'port of sshd' }),
  user: userName.default('root').meta({ description: 'root, or a user with the one sudo rule that plan prints' }),
  host_key: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .meta({
      description: 'pinned fingerprint (SHA256:…), written by `viworks deploy trust`; absent: known_hosts decides',
    }),
  identity_file: fileName.optional().meta({
    description:
      'the private key to log in with (ssh-agent signs for it when it holds it); absent: what ssh would offer',
  }),
  jump: hostKeyName.optional().meta({ description: 'a host to go through; not supported yet' }),
  machine_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'expected 32 hex digits, as in /etc/machine-id')
    .optional()
    .meta({ description: 'refuses another machine at the same address' }),
  runtime: z.enum(['systemd', 'docker']).default('systemd').meta({ description: 'what programs run under there' }),
});

const deploy = z.strictObject({
  waves: z
    .array(z.union([z.literal('*'), z.array(z.string())]))
    .default(['*'])
    .meta({ description: 'which gateways go first; not used yet' }),
  soak_seconds: z.int().min(0).max(3600).default(3).meta({ description: 'how long the new release has to stay well' }),
  window_seconds: z.int().min(30).max(600).default(60).meta({ description: 'when hosts go back if nobody confirms' }),
});

/** The schema of viworks.toml. */
export const inventorySchema = z.strictObject({
  project: z.strictObject({
    name: slug.meta({ description: 'names the installation, and the operator context' }),
    server_name: dnsName.meta({ description: 'the public name; gateways dial wss://<server_name>/ws/agent' }),
    release: fileName
      .optional()
      .meta({ description: 'a built release (a dist directory); default: the one this program runs from' }),
  }),
  tls: tls.prefault({ source: 'built-in-ca' }),
  backend,
  gateways: z.array(gateway).default([]),
  hosts: z.record(hostKeyName, host),
  deploy: deploy.prefault({}),
});

/** viworks.toml as written, with defaults filled in. */
export type InventoryFile = z.output<typeof inventorySchema>;
