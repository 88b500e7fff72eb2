// Reads an agent's configuration of whatever names: ours, and those of older installations of the same shape. Pure.

import { parseToml } from '../../agents/runtime/index.ts';
import type { AgentConfig } from '../engine/index.ts';
import { epochMs } from './frames.ts';

type Values = Readonly<Record<string, string>>;

const names = {
  url: ['url', 'backend_url', 'server_url', 'ws_url', 'BACKEND_URL'],
  gatewayId: ['gateway_id', 'agent_id', 'node_id', 'id', 'AGENT_ID'],
  apiPort: ['api.port', 'http.port', 'api_port', 'http_port', 'server.port'],
  agentsPort: ['agents.port', 'websocket.port', 'ws.port', 'ws_port', 'websocket_port'],
  agentsBind: ['agents.bind', 'websocket.bind', 'ws.bind', 'ws_bind', 'websocket.host'],
  heartbeat: ['heartbeat_seconds', 'agents.heartbeat_seconds', 'heartbeat_interval', 'heartbeat_interval_secs'],
} as const;

/** What the section printed: `--file mtime path` and the text, or `--missing path`. */
export function parseAgentConfig(text: string, part: 'backend' | 'gateway'): AgentConfig {
  const missing = /^--missing (.*)/.exec(text);
  if (missing) {
    const path = missing[1] ?? '';
    return failed({ path, mtimeMs: null }, { line: null, key: null, message: 'the file does not exist' });
  }
  const head = /^--file (\S+) (.*)\n?/.exec(text);
  if (!head) throw new Error('no file in the answer');
  const path = head[2] ?? '';
  const file = { path, mtimeMs: epochMs(head[1]) };
  const parsed = path.endsWith('.json') ? fromJson(text.slice(head[0].length)) : fromToml(text.slice(head[0].length));
  if (!parsed.ok) return failed(file, parsed.error);
  const { values } = parsed;
  const urlKey = keyOf(values, names.url);
  const urlLine = urlKey === null ? undefined : parsed.lineOf(urlKey);
  const config: AgentConfig = {
    ...normalised(file, values),
    ...(urlKey === null || urlLine === undefined ? {} : { urlPlace: { key: urlKey, line: urlLine } }),
  };
  const key = lackingKey(values, part);
  if (key === null) return config;
  return { ...config, error: { line: null, key, message: `the required key ${key} is missing` } };
}

const oursAlone = /^(state_dir|release_id|launcher_socket|tasks_dir|gateway_id|local_api\.|agents\.|verbs\.|policy\.)/;

/** A key without which the agent cannot work, by the name that this installation gives it. Of a foreign backend nothing is demanded. */
function lackingKey(values: Values, part: 'backend' | 'gateway'): string | null {
  const ours = Object.keys(values).some((key) => oursAlone.test(key));
  if (part === 'backend') return ours && find(values, ['state_dir']) === null ? 'state_dir' : null;
  if (find(values, names.url) === null) return ours ? 'url' : 'backend_url';
  if (find(values, names.gatewayId) === null) return ours ? 'gateway_id' : 'agent_id';
  return ours && find(values, ['state_dir']) === null ? 'state_dir' : null;
}

type Parsed =
  | { readonly ok: true; readonly values: Values; readonly lineOf: (key: string) => number | undefined }
  | { readonly ok: false; readonly error: NonNullable<AgentConfig['error']> };

function fromToml(text: string): Parsed {
  const parsed = parseToml(text);
  if (parsed.ok) {
    const { values, keyPlaceOf } = parsed.document;
    return { ok: true, values: flatten(values), lineOf: (key) => keyPlaceOf(key.split('.'))?.line };
  }
  const { place, message } = parsed.problem;
  return { ok: false, error: { line: place?.line ?? null, key: null, message } };
}

function fromJson(text: string): Parsed {
  try {
    return { ok: true, values: flatten(JSON.parse(text)), lineOf: () => undefined };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = /position (\d+)/.exec(message)?.[1];
    const line = at === undefined ? null : text.slice(0, Number(at)).split('\n').length;
    return { ok: false, error: { line, key: null, message } };
  }
}

const secret = /token|secret|password|passwd|private|api_?key|credential$/i;

/** Dotted keys → scalars as text. Secrets are left out whatever they hold. */
function flatten(value: unknown, prefix = '', into: Record<string, string> = {}): Values {
  if (Array.isArray(value)) into[prefix] = value.map(String).join(', ');
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      const name = prefix ? `${prefix}.${key}` : key;
      if (!secret.test(key) || /_file$/.test(key)) flatten(item, name, into);
    }
  } else if (prefix) into[prefix] = String(value);
  return into;
}

/** A key by its whole dotted name, or by its last part whatever table it stands in; one without a value is none. */
function keyOf(values: Values, candidates: readonly string[]): string | null {
  for (const name of candidates) if ((values[name] ?? '') !== '') return name;
  for (const name of candidates) {
    const entry = Object.entries(values).find(([key, value]) => key.endsWith(`.${name}`) && value !== '');
    if (entry) return entry[0];
  }
  return null;
}

function find(values: Values, candidates: readonly string[]): string | null {
  const key = keyOf(values, candidates);
  return key === null ? null : (values[key] ?? null);
}

function normalised(file: { path: string; mtimeMs: number | null }, values: Values): AgentConfig {
  const number = (candidates: readonly string[]): number | null => {
    const text = find(values, candidates);
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  };
  return {
    ...file,
    parsed: true,
    error: null,
    values,
    url: find(values, names.url),
    gatewayId: find(values, names.gatewayId),
    apiPort: number(names.apiPort),
    agentsPort: number(names.agentsPort),
    agentsBind: find(values, names.agentsBind),
    heartbeatSeconds: number(names.heartbeat),
  };
}

function failed(file: { path: string; mtimeMs: number | null }, error: NonNullable<AgentConfig['error']>): AgentConfig {
  const nothing = {
    url: null,
    gatewayId: null,
    apiPort: null,
    agentsPort: null,
    agentsBind: null,
    heartbeatSeconds: null,
  };
  return { ...file, ...nothing, parsed: false, error, values: {} };
}
