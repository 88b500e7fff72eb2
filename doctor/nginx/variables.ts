// What nginx's variables are worth for one WebSocket upgrade request. A variable that depends on something unknown makes the text unknown.
import type { Directive } from './parse.ts';

export interface Request {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tls: boolean;
  /** A WebSocket upgrade (then Upgrade and Connection are sent), or a plain GET. */
  readonly upgrade: boolean;
}

export interface Variables {
  /** null = not known. */
  expand(text: string): string | null;
  set(name: string, value: string | null): void;
}

export function createVariables(request: Request, http: readonly Directive[]): Variables {
  const own = new Map<string, string | null>();
  const maps = http.filter((item) => item.name === 'map' && item.args.length === 2);
  const builtIn: Readonly<Record<string, string>> = {
    host: request.host,
    http_host: request.port === (request.tls ? 443 : 80) ? request.host : `${request.host}:${request.port}`,
    server_name: request.host,
    server_port: String(request.port),
    scheme: request.tls ? 'https' : 'http',
    https: request.tls ? 'on' : '',
    uri: request.path,
    document_uri: request.path,
    request_uri: request.path,
    request_method: 'GET',
    args: '',
    is_args: '',
    query_string: '',
    http_upgrade: request.upgrade ? 'websocket' : '',
    http_connection: request.upgrade ? 'Upgrade' : 'close',
    http_origin: '',
    http_cookie: '',
    http_authorization: '',
  };
  const value = (name: string, depth: number): string | null => {
    if (own.has(name)) return own.get(name) ?? null;
    const map = maps.find((item) => item.args[1] === `$${name}`);
    if (map && depth < 10) return fromMap(map, depth);
    return builtIn[name] ?? null;
  };
  const expandAt = (text: string, depth: number): string | null => {
    let unknown = false;
    const result = text.replace(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (_whole, braced: string | undefined, bare: string | undefined) => {
        const found = value(braced ?? bare ?? '', depth + 1);
        if (found === null) unknown = true;
        return found ?? '';
      },
    );
    return unknown ? null : result;
  };
  const fromMap = (map: Directive, depth: number): string | null => {
    const source = expandAt(map.args[0] ?? '', depth);
    if (source === null) return null;
    const rows = (map.block ?? []).filter((row) => row.args.length === 1 && row.name !== 'hostnames');
    const exact = rows.find(
      (row) =>
        unslash(row.name).toLowerCase() === source.toLowerCase() && !row.name.startsWith('~') && row.name !== 'default',
    );
    const regex = rows.find((row) => row.name.startsWith('~') && matches(row.name, source));
    const row = exact ?? regex ?? rows.find((item) => item.name === 'default');
    return row ? expandAt(row.args[0] ?? '', depth) : '';
  };
  return {
    expand: (text) => expandAt(text, 0),
    set: (name, text) => {
      own.set(name, text);
    },
  };
}

/** In a map a leading backslash keeps a key from being read as a regex or a keyword. */
function unslash(key: string): string {
  return key.startsWith('\\') ? key.slice(1) : key;
}

/** `~pattern` or `~*pattern`; a pattern that this engine cannot compile matches nothing. */
export function matches(pattern: string, text: string): boolean {
  const insensitive = pattern.startsWith('~*');
  return regexOf(pattern.slice(insensitive ? 2 : 1), insensitive)?.test(text) ?? false;
}

/** PCRE → RegExp: named groups `(?P<x>` and inline `(?i)` are the differences that occur in practice. */
export function regexOf(source: string, insensitive: boolean): RegExp | null {
  const inline = source.startsWith('(?i)');
  try {
    return new RegExp(source.replace(/^\(\?i\)/, '').replaceAll('(?P<', '(?<'), insensitive || inline ? 'i' : '');
  } catch {
    return null;
  }
}
