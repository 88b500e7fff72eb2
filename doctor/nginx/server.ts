// Which server block takes a request: by listening address and port first, then by name as nginx ranks names.
import type { Directive } from './parse.ts';
import { readPattern } from './pattern.ts';
import type { Request, Variables } from './variables.ts';

export interface ServerChoice {
  readonly kind: 'chosen';
  readonly server: Directive;
  readonly names: readonly string[];
  /** Chosen by its name, or only because nothing else fitted. */
  readonly matched: boolean;
  readonly isDefault: boolean;
  /** Other blocks that claim the very same name on this port and are ignored. */
  readonly shadowed: readonly Directive[];
  /** Every block that listens on this address and port: nginx joins their `listen` options. */
  readonly listens: readonly Listen[];
  /** All blocks on the same address and port, in order. */
  readonly neighbours: readonly Directive[];
}

export type ServerSearch =
  | ServerChoice
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly why: string };

export interface Listen {
  readonly address: string;
  readonly port: number;
  readonly isDefault: boolean;
  readonly options: readonly string[];
  /** Null = no `listen` is written, and nginx takes its default. */
  readonly directive: Directive | null;
}

export function listensOf(server: Directive): readonly Listen[] {
  const found = (server.block ?? []).filter((item) => item.name === 'listen').map(parseListen);
  return found.length > 0 ? found : [{ address: '*', port: 80, isDefault: false, options: [], directive: null }];
}

function parseListen(directive: Directive): Listen {
  const [where = '', ...options] = directive.args;
  const isDefault = options.includes('default_server') || options.includes('default');
  const base = { isDefault, options, directive };
  if (/^\d+$/.test(where)) return { ...base, address: '*', port: Number(where) };
  if (where.startsWith('unix:')) return { ...base, address: where, port: 0 };
  const bracketed = where.match(/^(\[[^\]]+\])(?::(\d+))?$/);
  if (bracketed) return { ...base, address: bracketed[1] ?? '', port: Number(bracketed[2] ?? 80) };
  const [address = '*', port] = where.split(':');
  return { ...base, address: address === '0.0.0.0' ? '*' : address, port: Number(port ?? 80) };
}

export function namesOf(server: Directive): readonly string[] {
  return (server.block ?? []).filter((item) => item.name === 'server_name').flatMap((item) => item.args);
}

type Bound = { readonly server: Directive; readonly listen: Listen };

/** `none` when no server block listens on the port at all; `unknown` where it hangs on the address that is dialled. */
export function chooseServer(http: readonly Directive[], request: Request, variables: Variables): ServerSearch {
  const bound = http
    .filter((item) => item.name === 'server' && item.block)
    .flatMap((server) =>
      listensOf(server).flatMap((listen) => (listen.port === request.port ? [{ server, listen }] : [])),
    );
  const found = groupsFor(bound, request.address).map((group) => inGroup(group, request.host, variables));
  const [first] = found;
  if (!first) return { kind: 'none' };
  if (found.every((item) => item.kind === 'chosen' && first.kind === 'chosen' && item.server === first.server))
    return first;
  const unknown = found.find((item) => item.kind === 'unknown');
  return unknown ?? { kind: 'unknown', why: 'the server block depends on the address that is dialled' };
}

/** The blocks that share one listening socket. Where the address is not known: every socket that a dial from outside can reach. */
function groupsFor(bound: readonly Bound[], address: string | undefined): readonly (readonly Bound[])[] {
  const at = (wanted: string) => bound.filter((item) => item.listen.address === wanted);
  const any = at('*').length > 0 ? at('*') : at('[::]');
  if (address !== undefined) {
    const own = at(address.includes(':') ? `[${address}]` : address);
    const group = own.length > 0 ? own : address.includes(':') && at('[::]').length > 0 ? at('[::]') : any;
    return group.length > 0 ? [group] : [];
  }
  const special = [...new Set(bound.map((item) => item.listen.address))].filter(
    (item) => !['*', '[::]'].includes(item),
  );
  const outside = special.filter((item) => !/^(127\.|localhost|\[::1\]|unix)/.test(item));
  const groups = [any, ...outside.map(at)].filter((group) => group.length > 0);
  return groups.length > 0 ? groups : special.slice(0, 1).map(at);
}

function inGroup(group: readonly Bound[], host: string, variables: Variables): ServerSearch {
  const servers = [...new Set(group.map((item) => item.server))];
  const named = byName(servers, host.toLowerCase().replace(/\.$/, ''), variables);
  if (named === 'unknown') return { kind: 'unknown', why: 'a pattern among the server names is not understood' };
  const flagged = group.find((item) => item.listen.isDefault)?.server ?? servers[0];
  const server = named?.server ?? flagged;
  if (!server) return { kind: 'none' };
  const claimed = named?.name;
  const shadowed =
    claimed === undefined ? [] : servers.filter((item) => item !== server && namesOf(item).includes(claimed));
  return {
    kind: 'chosen',
    server,
    names: namesOf(server),
    matched: named !== null,
    isDefault: server === flagged,
    shadowed,
    listens: group.map((item) => item.listen),
    neighbours: servers,
  };
}

interface Named {
  readonly server: Directive;
  readonly name: string;
}

/** Exact, longest *.suffix, longest prefix.*, first regex. */
function byName(servers: readonly Directive[], host: string, variables: Variables): Named | 'unknown' | null {
  const table = claims(servers);
  const exact = table.exact.get(host);
  if (exact) return exact;
  for (let rest = host; rest !== ''; rest = rest.includes('.') ? rest.slice(rest.indexOf('.') + 1) : '') {
    const found = table.suffixes.get(rest);
    if (found && (rest !== host || found.name.startsWith('.'))) return found;
  }
  const prefixes = [...table.prefixes].filter(([prefix]) => host.startsWith(prefix));
  const longest = prefixes.sort(([a], [b]) => b.length - a.length)[0];
  if (longest) return longest[1];
  for (const item of table.regexes) {
    // Names are compared in lower case, so nginx never minds the case here.
    const matched = variables.match(readPattern(item.name).source, true, host);
    if (matched === 'unknown') return 'unknown';
    if (matched === 'yes') return item;
  }
  return null;
}

interface Claims {
  readonly exact: ReadonlyMap<string, Named>;
  readonly suffixes: ReadonlyMap<string, Named>;
  readonly prefixes: ReadonlyMap<string, Named>;
  readonly regexes: readonly Named[];
}

/** Who holds which name: the first to claim it; nginx warns of the others ("conflicting server name … ignored"). */
function claims(servers: readonly Directive[]): Claims {
  const exact = new Map<string, Named>();
  const suffixes = new Map<string, Named>();
  const prefixes = new Map<string, Named>();
  const regexes: Named[] = [];
  /** `.a.test` keeps `a.test` from being claimed, and the other way round. */
  const taken = new Set<string>();
  for (const server of servers) {
    for (const name of namesOf(server)) {
      const plain = name.toLowerCase();
      const item = { server, name };
      if (plain.startsWith('~')) regexes.push(item);
      else if (plain.endsWith('.*')) claim(prefixes, plain.slice(0, -1), item);
      else if (plain.startsWith('*.')) claim(suffixes, plain.slice(2), item);
      else {
        const whole = plain.replace(/^\./, '');
        if (taken.has(whole)) continue;
        taken.add(whole);
        claim(plain.startsWith('.') ? suffixes : exact, whole, item);
      }
    }
  }
  return { exact, suffixes, prefixes, regexes };
}

function claim(held: Map<string, Named>, key: string, item: Named): void {
  if (!held.has(key)) held.set(key, item);
}
