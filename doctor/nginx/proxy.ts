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
  /** The request line as it came, where nothing has changed it; else null. */
  readonly raw: string | null;
  /** A `rewrite … break` changed the path: then the URI of proxy_pass is not used. */
  readonly detached: boolean;
  readonly http: readonly Directive[];
  readonly variables: Variables;
}

/** Null when proxy_pass holds, or a variable of it comes to, something that is not a URL: nginx answers 500 then. */
export function resolveTarget(input: ProxyInput): Target | null {
  const raw = input.pass.args[0] ?? '';
  const viaVariable = raw.includes('$');
  const base = { viaVariable, place: { file: input.pass.file, line: input.pass.line }, text: `proxy_pass ${raw}` };
  const text = viaVariable ? input.variables.expand(raw) : raw;
  const parsed = text?.match(/^(https?):\/\/(unix:[^:]+:|[^/]+)(\/.*)?$/);
  if (!parsed) {
    if (text !== null) return null;
    return {
      ...base,
      scheme: raw.split(':')[0] ?? 'http',
      addresses: [],
      upstreamPath: input.raw ?? input.path,
      upstreamName: null,
      host: null,
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
    host: hostFor(authority, scheme),
  };
}

/** Backup servers are asked only when no other is left. */
function members(upstream: Directive): Target['addresses'] {
  const up = (upstream.block ?? []).filter((item) => item.name === 'server' && !item.args.includes('down'));
  const first = up.filter((item) => !item.args.includes('backup'));
  return (first.length > 0 ? first : up).map((item) => ({
    ...splitAuthority(item.args[0] ?? '', 80),
    place: { file: item.file, line: item.line },
  }));
}

/** `$proxy_host`, which nginx sends as Host unless told otherwise. */
function hostFor(authority: string, scheme: string): string {
  const usual = scheme === 'https' ? ':443' : ':80';
  return authority.endsWith(usual) ? authority.slice(0, -usual.length) : authority;
}

function splitAuthority(authority: string, defaultPort: number): { readonly host: string; readonly port: number } {
  if (authority.startsWith('unix:')) return { host: authority, port: 0 };
  const match = authority.match(/^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/);
  return { host: (match?.[1] ?? authority).replace(/^\[|\]$/g, ''), port: Number(match?.[2] ?? defaultPort) };
}

/** With a URI part, what the location matched is replaced by it; with variables the URI is sent as it stands. */
function pathFor({ location, path, raw, detached }: ProxyInput, uri: string | undefined, viaVariable: boolean): string {
  if (uri === undefined) return raw ?? path;
  if (viaVariable) return uri;
  if (detached) return path;
  const prefix = location && !modifierOf(location).startsWith('~') ? patternOf(location) : '';
  return uri + path.slice(prefix.length);
}

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
  if (!set) return { value: null, sends: name === 'connection' ? 'close' : null, place: null };
  const value = set.args[1] ?? '';
  // A header whose value is empty is not sent at all.
  return { value, sends: variables.expand(value), place: { file: set.file, line: set.line } };
}
