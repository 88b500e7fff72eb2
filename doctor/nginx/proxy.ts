// proxy_pass: where a request goes (upstream blocks, variables), as which path, and with which headers.
import type { ForwardedHeader, RouteFact } from '../engine/index.ts';
import { modifierOf, patternOf } from './location.ts';
import type { Directive } from './parse.ts';
import { nearestList, type Scope } from './scope.ts';
import type { Variables } from './variables.ts';

type Target = NonNullable<RouteFact['target']>;

export interface ProxyInput {
  readonly pass: Directive;
  readonly location: Directive | null;
  readonly path: string;
  /** A `rewrite … break` changed the path: then the URI of proxy_pass is not used. */
  readonly fixed: boolean;
  readonly http: readonly Directive[];
  readonly variables: Variables;
}

/** Null when proxy_pass holds something that is not a URL. */
export function resolveTarget(input: ProxyInput): Target | null {
  const raw = input.pass.args[0] ?? '';
  const viaVariable = raw.includes('$');
  const base = { viaVariable, place: { file: input.pass.file, line: input.pass.line }, text: `proxy_pass ${raw}` };
  const text = viaVariable ? input.variables.expand(raw) : raw;
  const parsed = text?.match(/^(https?):\/\/(unix:[^:]+:|[^/]+)(\/.*)?$/);
  if (!parsed) {
    if (!viaVariable) return null;
    return {
      ...base,
      scheme: raw.split(':')[0] ?? 'http',
      addresses: [],
      upstreamPath: input.path,
      upstreamName: null,
    };
  }
  const [, scheme = 'http', authority = '', uri] = parsed;
  const upstream = input.http.find((item) => item.name === 'upstream' && item.args[0] === authority);
  return {
    ...base,
    scheme,
    addresses: upstream ? members(upstream) : [splitAuthority(authority, scheme === 'https' ? 443 : 80)],
    upstreamPath: pathFor(input, uri, viaVariable),
    upstreamName: upstream ? authority : null,
  };
}

function members(upstream: Directive): Target['addresses'] {
  return (upstream.block ?? [])
    .filter((item) => item.name === 'server' && !item.args.includes('down'))
    .map((item) => splitAuthority(item.args[0] ?? '', 80));
}

function splitAuthority(authority: string, defaultPort: number): { readonly host: string; readonly port: number } {
  if (authority.startsWith('unix:')) return { host: authority, port: 0 };
  const match = authority.match(/^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/);
  return { host: (match?.[1] ?? authority).replace(/^\[|\]$/g, ''), port: Number(match?.[2] ?? defaultPort) };
}

/** With a URI part, what the location matched is replaced by it; with variables the URI is sent as it stands. */
function pathFor({ location, path, fixed }: ProxyInput, uri: string | undefined, viaVariable: boolean): string {
  if (uri === undefined || fixed) return path;
  if (viaVariable || !location || modifierOf(location).startsWith('~')) return uri;
  const prefix = patternOf(location);
  return path.startsWith(prefix) ? uri + path.slice(prefix.length) : uri;
}

/** nginx's own settings for what it sends upstream where the configuration says nothing. */
const defaults: Readonly<Record<string, string>> = { host: '$proxy_host', connection: 'close' };

/** What the route sets among the Sec-WebSocket-… headers, in lower case. */
export function handshakeHeaders(scope: Scope): RouteFact['handshakeHeaders'] {
  return nearestList(scope, 'proxy_set_header').flatMap((item) => {
    const name = item.args[0]?.toLowerCase() ?? '';
    if (!name.startsWith('sec-websocket-')) return [];
    return [{ name, value: item.args[1] ?? '', place: { file: item.file, line: item.line } }];
  });
}

export function headerSent(scope: Scope, name: string, variables: Variables): ForwardedHeader {
  const set = nearestList(scope, 'proxy_set_header').findLast((item) => item.args[0]?.toLowerCase() === name);
  if (!set) return { value: null, sends: name === 'connection' ? (defaults.connection ?? null) : null, place: null };
  const value = set.args[1] ?? '';
  // A header whose value is empty is not sent at all.
  return { value, sends: variables.expand(value), place: { file: set.file, line: set.line } };
}
