// Judges a route by the rules W01 to W25. A rule alone is advice: it becomes a cause only when the live probe of the hop fails too.
import type { Place, RouteAdvice, RouteFact } from '../engine/index.ts';
import type { Configuration, Directive } from './parse.ts';
import type { ServerChoice } from './server.ts';

export interface RouteOptions {
  readonly agentsPort: number;
  readonly heartbeatSeconds: number;
  readonly version: string | null;
}

export interface AdviceInput {
  readonly http: readonly Directive[];
  readonly choice: ServerChoice;
  readonly options: RouteOptions;
  readonly configuration: Configuration;
}

type Rule = (route: RouteFact, input: AdviceInput) => readonly RouteAdvice[];

export function adviseOn(route: RouteFact, input: AdviceInput): readonly RouteAdvice[] {
  return rules.flatMap((rule) => rule(route, input));
}

function say(rule: string, text: string, place: Place | null): readonly RouteAdvice[] {
  return [{ rule, text, place: place && { file: place.file, line: place.line } }];
}

const upgradeHeader: Rule = ({ action, upgradeHeader: header, target }) => {
  if (action !== 'proxy' || header.sends?.toLowerCase() === 'websocket') return [];
  if (header.value === null)
    return say('W01', 'the Upgrade header is not forwarded on this route', target?.place ?? null);
  return header.sends === null
    ? []
    : say('W03', `Upgrade is filled from ${header.value}, which is "${header.sends}"`, header.place);
};

const connectionHeader: Rule = ({ action, connectionHeader: header, target }) => {
  if (action !== 'proxy' || header.sends === null || header.sends.toLowerCase().includes('upgrade')) return [];
  if (header.value === null)
    return say('W02', 'the Connection header is not forwarded on this route', target?.place ?? null);
  const rule = header.value.startsWith('$') ? 'W03' : 'W02';
  return say(rule, `Connection is ${header.value}, which is "${header.sends}" for an upgrade`, header.place);
};

/** From 1.29.7 on the default towards upstreams is HTTP/1.1. */
const httpVersion: Rule = ({ action, httpVersion: version, target }, { options }) => {
  if (action !== 'proxy' || version === '1.1' || version === '2') return [];
  if (version === null && (options.version === null || isAtLeast(options.version, [1, 29, 7]))) return [];
  return say(
    'W04',
    `HTTP/${version ?? '1.0 (the default)'} is spoken to the backend; proxy_http_version 1.1 is safer`,
    target?.place ?? null,
  );
};

const timeouts: Rule = (route, { options }) => {
  if (route.action !== 'proxy') return [];
  const wanted = 2 * options.heartbeatSeconds;
  const short = (['readTimeoutSeconds', 'sendTimeoutSeconds'] as const).filter((name) => (route[name] ?? 60) < wanted);
  if (short.length === 0) return [];
  const values = short.map(
    (name) =>
      `${name === 'readTimeoutSeconds' ? 'proxy_read_timeout' : 'proxy_send_timeout'} ${route[name] ?? '60 (the default)'} s`,
  );
  return say('W05', `${values.join(', ')} is less than two heartbeats (${wanted} s)`, route.location);
};

const lostHeaders: Rule = (route, { choice, http }) => {
  if (route.action !== 'proxy' || route.upgradeHeader.value !== null) return [];
  const outer = [...(choice.server.block ?? []), ...http].find(
    (item) => item.name === 'proxy_set_header' && item.args[0]?.toLowerCase() === 'upgrade',
  );
  if (!outer) return [];
  return say(
    'W06',
    `the Upgrade header set at ${outer.file}:${outer.line} is lost: this location sets headers of its own`,
    route.location,
  );
};

const path: Rule = ({ action, target, path: asked }) => {
  if (action !== 'proxy' || !target || target.upstreamPath === asked) return [];
  return say('W07', `the backend is asked for ${target.upstreamPath} instead of ${asked}`, target.place);
};

const port: Rule = ({ action, target }, { options }) => {
  const wrong = target?.addresses.find((address) => address.port !== options.agentsPort);
  if (action !== 'proxy' || !target || !wrong) return [];
  return say('W09', `the target port is ${wrong.port}, the agents port is ${options.agentsPort}`, target.place);
};

const variable: Rule = ({ target, location }, { choice, http }) => {
  if (!target?.viaVariable) return [];
  const hasResolver = [...(choice.server.block ?? []), ...http].some((item) => item.name === 'resolver');
  const literal = target.addresses.length > 0 && target.addresses.every((address) => /^[\d.]+$|:/.test(address.host));
  return hasResolver || literal ? [] : say('W11', 'proxy_pass holds a variable and no resolver is set', location);
};

const answered: Rule = ({ action, status, location }) =>
  action === 'return' ? say('W12', `nginx answers ${status ?? ''} itself on this path`, location) : [];

const guarded: Rule = ({ access }) =>
  access.flatMap((item) => {
    if (item.directive === 'auth_basic' && /\boff\b/.test(item.text)) return [];
    if (item.directive.startsWith('limit_')) return say('W14', `a limit applies on this route: ${item.text}`, item);
    return item.directive === 'allow' ? [] : say('W13', `an access rule applies on this route: ${item.text}`, item);
  });

const masked: Rule = (route, { choice, http }) => {
  const rule = [...(choice.server.block ?? []), ...http].find(
    (item) => item.name === 'error_page' && item.args.some((arg) => /^=\d*/.test(arg)),
  );
  return rule
    ? say(
        'W15',
        `error_page changes statuses (${rule.args.join(' ')}): what nginx answers need not be what the backend said`,
        route.server && rule,
      )
    : [];
};

const names: Rule = (route, { choice }) => {
  const found: RouteAdvice[] = [];
  const other = choice.shadowed[0];
  if (other)
    found.push(
      ...say('W16', `the name ${route.host} is claimed twice; ${other.file}:${other.line} is ignored`, choice.server),
    );
  if (!choice.matched)
    found.push(...say('W16', `no server block names ${route.host}; the default one answers`, choice.server));
  return found;
};

const loop: Rule = ({ action, target, port: own }) => {
  if (action !== 'proxy' || !target) return [];
  const itself = target.addresses.some(
    (address) => address.port === own && /^(127\.|localhost$|::1$)/.test(address.host),
  );
  return itself ? say('W20', "the target is nginx's own port", target.place) : [];
};

const draining: Rule = (_route, { configuration }) => {
  const main = configuration.directives;
  if (main.length === 0 || main.some((item) => item.name === 'worker_shutdown_timeout')) return [];
  return say(
    'W22',
    'worker_shutdown_timeout is not set: after a reload old workers live as long as their tunnels',
    null,
  );
};

const logFormat: Rule = (_route, { http }) => {
  const formats = http.filter((item) => item.name === 'log_format');
  if (formats.some((item) => item.args.join(' ').includes('$upstream_addr'))) return [];
  return say('W25', 'the access log lacks $upstream_addr and $upstream_status, which makes a diagnosis harder', null);
};

const rules: readonly Rule[] = [
  upgradeHeader,
  connectionHeader,
  httpVersion,
  timeouts,
  lostHeaders,
  path,
  port,
  variable,
  answered,
  guarded,
  masked,
  names,
  loop,
  draining,
  logFormat,
];

function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, want] of wanted.entries()) {
    const have = parts[index] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}
