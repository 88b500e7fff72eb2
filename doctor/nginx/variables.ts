// What nginx's variables are worth for one request while it moves through the phases. A variable that depends on something unknown makes the
// text unknown.
import type { Directive } from './parse.ts';
import { compile, readPattern } from './pattern.ts';

export interface Request {
  /** As the Host header and SNI name it, without a port. */
  readonly host: string;
  readonly port: number;
  /** As it stands in the request line; may carry a query. */
  readonly path: string;
  readonly tls: boolean;
  /** A WebSocket upgrade (then Upgrade and Connection are sent), or a plain GET. */
  readonly upgrade: boolean;
  /** Address that is dialled, address that it is dialled from, and what the asker calls itself; left out = not known. */
  readonly address?: string | undefined;
  readonly client?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** `yes` leaves the groups of the match behind as variables. */
export type Match = 'yes' | 'no' | 'unknown';

export interface Variables {
  /** null = not known. */
  expand(text: string): string | null;
  set(name: string, value: string | null): void;
  match(pattern: string, insensitive: boolean, text: string): Match;
  /** A failed match of the rewrite phase empties $1 and its like; elsewhere nginx leaves them. */
  dropGroups(): void;
  /** Runs a sub-request: it has a URI and groups of its own, and shares what was set. */
  aside<T>(run: () => T): T;
  /** The request has another URI from here on: rewritten, or redirected inside. */
  moveTo(path: string, args: string | null): void;
}

/** How deep maps may refer to each other. */
const deepest = 10;

export function createVariables(request: Request, http: readonly Directive[]): Variables {
  const own = new Map<string, string | null>();
  const mapped = new Map<string, string | null>();
  const declared = new Set(setIn(http));
  const maps = http.filter((item) => item.name === 'map' && item.args.length === 2);
  const builtIn = builtIns(request);
  let groups: readonly string[] = [];

  const value = (name: string, depth: number): string | null => {
    if (/^\d$/.test(name)) return groups[Number(name)] ?? '';
    if (own.has(name)) return own.get(name) ?? null;
    const map = maps.find((item) => item.args[1] === `$${name}`);
    if (map && depth < deepest) return remembered(name, map, depth);
    const built = builtIn.get(name);
    if (built !== undefined) return built;
    if (name.startsWith('arg_')) return argument(builtIn.get('args') ?? '', name.slice('arg_'.length));
    return declared.has(name) ? '' : null;
  };
  // nginx keeps what a map has given once for the rest of the request, unless the map is volatile.
  const remembered = (name: string, map: Directive, depth: number): string | null => {
    const kept = mapped.get(name);
    if (kept !== undefined) return kept;
    const found = fromMap(map, depth);
    if (!(map.block ?? []).some((row) => row.name === 'volatile')) mapped.set(name, found);
    return found;
  };
  const expandAt = (text: string, depth: number): string | null => {
    let unknown = false;
    const result = text.replace(/\$(?:\{\w+\}|\d|\w+)/g, (written) => {
      const found = value(written.replace(/[${}]/g, ''), depth + 1);
      if (found === null) unknown = true;
      return found ?? '';
    });
    return unknown ? null : result;
  };
  const match = (pattern: string, insensitive: boolean, text: string): Match => {
    const compiled = compile(pattern, insensitive);
    if (!compiled) return 'unknown';
    const found = compiled.exec(text);
    if (!found) return 'no';
    groups = found.map((group) => group ?? '');
    for (const [name, group] of Object.entries(found.groups ?? {})) own.set(name, group ?? '');
    return 'yes';
  };
  const fromMap = (map: Directive, depth: number): string | null => {
    const source = expandAt(map.args[0] ?? '', depth);
    if (source === null) return null;
    const rows = (map.block ?? []).filter((row) => row.args.length === 1);
    const give = (row: Directive | undefined) => (row ? expandAt(row.args[0] ?? '', depth) : '');
    const exact = rows.find(
      (row) =>
        !row.name.startsWith('~') &&
        row.name !== 'default' &&
        row.name !== 'include' &&
        unslash(row.name).toLowerCase() === source.toLowerCase(),
    );
    if (exact) return give(exact);
    // A file that could not be read, or masks of host names, may hold the row.
    if ((map.block ?? []).some((row) => row.name === 'include' || row.name === 'hostnames')) return null;
    for (const row of rows.filter((item) => item.name.startsWith('~'))) {
      const { source: pattern, insensitive } = readPattern(row.name);
      const matched = match(pattern, insensitive, source);
      if (matched === 'unknown') return null;
      if (matched === 'yes') return give(row);
    }
    return give(rows.find((item) => item.name === 'default'));
  };
  return {
    expand: (text) => expandAt(text, 0),
    set: (name, text) => {
      own.set(name, text);
    },
    match,
    dropGroups: () => {
      groups = [];
    },
    aside: (run) => {
      const kept = { groups, built: [...builtIn] };
      const result = run();
      groups = kept.groups;
      for (const [name, text] of kept.built) builtIn.set(name, text);
      return result;
    },
    moveTo: (path, args) => {
      for (const name of ['uri', 'document_uri']) builtIn.set(name, path);
      if (args === null) return;
      for (const name of ['args', 'query_string']) builtIn.set(name, args);
      builtIn.set('is_args', args === '' ? '' : '?');
    },
  };
}

function builtIns(request: Request): Map<string, string> {
  const { host, port, tls, upgrade, address, client, userAgent } = request;
  const [path = '', args = ''] = request.path.split('?', 2);
  const known = new Map<string, string>(
    Object.entries({
      host: host.toLowerCase(),
      http_host: port === (tls ? 443 : 80) ? host : `${host}:${port}`,
      server_port: String(port),
      server_protocol: 'HTTP/1.1',
      scheme: tls ? 'https' : 'http',
      https: tls ? 'on' : '',
      uri: path,
      document_uri: path,
      request_uri: request.path,
      request_method: 'GET',
      args,
      is_args: args === '' ? '' : '?',
      query_string: args,
      http_upgrade: upgrade ? 'websocket' : '',
      http_connection: upgrade ? 'Upgrade' : 'close',
      http_origin: '',
      http_cookie: '',
      http_referer: '',
      http_authorization: '',
      remote_user: '',
    }),
  );
  if (address !== undefined) known.set('server_addr', address);
  if (client !== undefined) known.set('remote_addr', client);
  if (userAgent !== undefined) known.set('http_user_agent', userAgent);
  return known;
}

/** Names that some `set` gives a value: before it has run they are empty, not unknown. */
function setIn(block: readonly Directive[]): readonly string[] {
  return block.flatMap((item) =>
    item.name === 'set' ? [(item.args[0] ?? '').replace(/^\$/, '')] : item.block ? setIn(item.block) : [],
  );
}

function argument(args: string, name: string): string {
  const found = args.split('&').find((part) => part.split('=')[0]?.toLowerCase() === name.toLowerCase());
  return found?.slice(found.indexOf('=') + 1) ?? '';
}

/** In a map a leading backslash keeps a key from being read as a regex or a keyword. */
function unslash(key: string): string {
  return key.startsWith('\\') ? key.slice(1) : key;
}
