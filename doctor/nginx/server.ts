// Which server block takes a request: by listening port and address first, then by name as nginx ranks names.
import type { Directive } from './parse.ts';
import { matches } from './variables.ts';

export interface ServerChoice {
  readonly server: Directive;
  readonly names: readonly string[];
  /** Chosen by its name, or only because nothing else fitted. */
  readonly matched: boolean;
  readonly isDefault: boolean;
  /** Other blocks that claim the very same name on this port and are ignored. */
  readonly shadowed: readonly Directive[];
}

interface Listen {
  readonly address: string;
  readonly port: number;
  readonly isDefault: boolean;
  readonly tls: boolean;
}

function listensOf(server: Directive): readonly Listen[] {
  const found = (server.block ?? []).filter((item) => item.name === 'listen').map(parseListen);
  return found.length > 0 ? found : [{ address: '*', port: 80, isDefault: false, tls: false }];
}

function parseListen(directive: Directive): Listen {
  const [where = '', ...options] = directive.args;
  const isDefault = options.includes('default_server') || options.includes('default');
  const tls = options.includes('ssl');
  if (/^\d+$/.test(where)) return { address: '*', port: Number(where), isDefault, tls };
  const bracketed = where.match(/^(\[[^\]]+\])(?::(\d+))?$/);
  if (bracketed)
    return {
      address: bracketed[1] === '[::]' ? '[::]' : (bracketed[1] ?? ''),
      port: Number(bracketed[2] ?? 80),
      isDefault,
      tls,
    };
  const [address = '*', port] = where.split(':');
  return { address: address === '0.0.0.0' ? '*' : address, port: Number(port ?? 80), isDefault, tls };
}

export function namesOf(server: Directive): readonly string[] {
  return (server.block ?? []).filter((item) => item.name === 'server_name').flatMap((item) => item.args);
}

/** Null when no server block listens on the port at all. */
export function chooseServer(http: readonly Directive[], port: number, host: string): ServerChoice | null {
  const bound = http
    .filter((item) => item.name === 'server' && item.block)
    .flatMap((server) => listensOf(server).flatMap((listen) => (listen.port === port ? [{ server, listen }] : [])));
  const group = groupFor(bound);
  if (group.length === 0) return null;
  const servers = [...new Set(group.map((item) => item.server))];
  const named = byName(servers, host.toLowerCase());
  const flagged = group.find((item) => item.listen.isDefault)?.server ?? servers[0];
  if (!flagged) return null;
  const server = named?.server ?? flagged;
  const claimed = named?.name;
  const shadowed =
    claimed === undefined ? [] : servers.filter((item) => item !== server && namesOf(item).includes(claimed));
  return { server, names: namesOf(server), matched: named !== null, isDefault: server === flagged, shadowed };
}

type Bound = { readonly server: Directive; readonly listen: Listen };

/** From outside a request arrives at the wildcard address unless only special addresses are bound. */
function groupFor(bound: readonly Bound[]): readonly Bound[] {
  const at = (address: string) => bound.filter((item) => item.listen.address === address);
  if (at('*').length > 0) return at('*');
  if (at('[::]').length > 0) return at('[::]');
  const outside = bound.find((item) => !/^(127\.|localhost|\[::1\]|unix)/.test(item.listen.address)) ?? bound[0];
  return outside ? at(outside.listen.address) : [];
}

interface Named {
  readonly server: Directive;
  readonly name: string;
}

/** Exact, longest *.suffix, longest prefix.*, first regex; of equal names the first block in the file wins. */
function byName(servers: readonly Directive[], host: string): Named | null {
  const all = servers.flatMap((server) => namesOf(server).map((name) => ({ server, name })));
  const exact = all.find(
    ({ name }) => name.toLowerCase() === host || (name.startsWith('.') && name.slice(1).toLowerCase() === host),
  );
  if (exact) return exact;
  const longest = (test: (name: string) => boolean) =>
    all.filter(({ name }) => test(name.toLowerCase())).sort((a, b) => b.name.length - a.name.length)[0] ?? null;
  const suffix = longest(
    (name) => (name.startsWith('*.') && host.endsWith(name.slice(1))) || (name.startsWith('.') && host.endsWith(name)),
  );
  if (suffix) return suffix;
  const prefix = longest((name) => name.endsWith('.*') && host.startsWith(name.slice(0, -1)));
  if (prefix) return prefix;
  return all.find(({ name }) => name.startsWith('~') && matches(name, host)) ?? null;
}
