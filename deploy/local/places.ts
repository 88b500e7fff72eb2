// Where `viworks up` keeps everything, and on which ports: one value, made from options and environment. Pure.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runtimeErrors } from '../../agents/runtime/index.ts';

/** Files, directories and ports of one local installation. */
export interface Places {
  readonly home: string;
  readonly logs: string;
  readonly program: string;
  readonly ledger: string;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly trust: string;
  readonly enrolmentToken: string;
  readonly socket: string;
  readonly tasks: string;
  readonly nginx: string;
  readonly configs: Readonly<Record<'backend' | 'gateway' | 'launcher', string>>;
  readonly states: Readonly<Record<'backend' | 'gateway', string>>;
  readonly gatewayId: string;
  readonly ports: Readonly<Record<PortName, number>>;
}

export type PortName = 'api' | 'agents' | 'tls' | 'local';

/** Which option moves which port, and what listens there. */
export const PORTS: Readonly<Record<PortName, { option: string; key: string; fallback: number; what: string }>> = {
  api: { option: '--api-port', key: 'apiPort', fallback: 8080, what: 'the HTTP API' },
  agents: { option: '--agents-port', key: 'agentsPort', fallback: 8081, what: 'the WebSocket server' },
  tls: { option: '--tls-port', key: 'tlsPort', fallback: 9443, what: 'the TLS front' },
  local: { option: '--local-port', key: 'localPort', fallback: 8443, what: 'the gateway’s local API' },
};

// sun_path is 108 bytes; the launcher's socket must fit with its zero byte.
const MAX_SOCKET_PATH = 107;

type Values = Readonly<Record<string, unknown>>;

export function placesOf(options: Values, env: Readonly<Record<string, string | undefined>>): Places {
  const home = join(env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state'), 'viworks', 'up');
  const gatewayId = typeof options.gatewayId === 'string' ? options.gatewayId : 'this-machine';
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(gatewayId)) {
    throw usage(`--gateway-id: ${JSON.stringify(gatewayId)} is not a name; letters, digits, dot, dash and underscore`);
  }
  const socket = join(home, 'launcher.sock');
  const runtime = env.XDG_RUNTIME_DIR || '/tmp';
  return {
    home,
    logs: join(home, 'logs'),
    program: join(home, 'program'),
    ledger: join(home, 'processes.json'),
    ca: join(home, 'ca'),
    certificate: join(home, 'tls.crt'),
    key: join(home, 'tls.key'),
    trust: join(home, 'ca.pem'),
    enrolmentToken: join(home, 'enrolment-token'),
    socket: Buffer.byteLength(socket) <= MAX_SOCKET_PATH ? socket : join(runtime, `viworks-up-${ownId(home)}.sock`),
    tasks: join(home, 'tasks'),
    nginx: join(home, 'nginx'),
    configs: {
      backend: join(home, 'backend.toml'),
      gateway: join(home, 'gateway.toml'),
      launcher: join(home, 'launcher.toml'),
    },
    states: { backend: join(home, 'backend'), gateway: join(home, `gateway-${gatewayId}`) },
    gatewayId,
    ports: portsOf(options),
  };
}

function portsOf(options: Values): Places['ports'] {
  const ports = Object.fromEntries(
    Object.entries(PORTS).map(([name, { key, option, fallback }]) => [name, port(options[key], option) ?? fallback]),
  ) as Record<PortName, number>;
  const names = Object.keys(ports) as PortName[];
  for (const [index, name] of names.entries()) {
    const twin = names.slice(0, index).find((other) => ports[other] === ports[name]);
    if (twin) throw usage(`${PORTS[name].option}: ${ports[name]} is also the port of ${PORTS[twin].what}`);
  }
  return ports;
}

function port(value: unknown, option: string): number | undefined {
  if (value === undefined) return undefined;
  const number = /^\d{1,5}$/.test(String(value)) ? Number(value) : 0;
  if (number >= 1 && number <= 65_535) return number;
  throw usage(`${option}: ${JSON.stringify(value)} is not a port`);
}

// A short name that differs by state directory, so that two of them never share a socket.
function ownId(home: string): string {
  let hash = 5381;
  for (const character of home) hash = (hash * 33 + (character.codePointAt(0) ?? 0)) % 0xffff_ffff;
  return hash.toString(36);
}

function usage(problem: string): Error {
  return runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: 'viworks up' });
}
