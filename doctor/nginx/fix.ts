// The edit that takes a cause out of the configuration at hand, built from the very blocks that make it. An edit counts only if the route is
// right afterwards by our own reading; whether nginx takes it is for the host to say.
import { apiPath, type NginxFiles, type RouteFact, type Topology } from '../engine/index.ts';
import type { FileEdit } from './diff.ts';
import { createEdits, type Edits } from './edits.ts';
import { modifierOf, patternOf } from './location.ts';
import { type Configuration, type Directive, parseNginx } from './parse.ts';
import { routeRequest } from './route.ts';
import { nearestList } from './scope.ts';

/** Connections of one address at a time, where a limit of them is raised. */
const TUNNELS = 10_000;

interface Bench {
  readonly edits: Edits;
  readonly topology: Topology;
  readonly configuration: Configuration;
  readonly http: readonly Directive[];
  readonly server: Directive;
  /** Blocks from the location that takes the path outwards; empty = the server itself. */
  readonly chain: readonly Directive[];
  readonly location: Directive | null;
  readonly route: RouteFact;
  /** It takes the HTTP API as well, so that nothing may be turned in it. */
  readonly isShared: boolean;
}

type Repair = (bench: Bench) => void;

/** Null where no edit of a file is known that would help. */
export function proposeEdit(code: string, files: NginxFiles, topology: Topology): readonly FileEdit[] | null {
  const repair = repairs[code];
  const bench = repair ? benchOf(files, topology) : null;
  if (!repair || !bench) return null;
  repair(bench);
  const edits = bench.edits.result().filter(({ before, after }) => before !== after);
  return edits.length > 0 && isRight(edited(files, edits), topology) ? edits : null;
}

function edited(files: NginxFiles, edits: readonly FileEdit[]): NginxFiles {
  const text = (path: string) => edits.find((edit) => edit.path === path)?.after;
  return { ...files, files: files.files.map((file) => ({ ...file, text: text(file.path) ?? file.text })) };
}

/** The agents' upgrade, or the API's plain GET. */
function ask(configuration: Configuration, topology: Topology, what: 'agents' | 'api') {
  const upgrade = what === 'agents';
  const path = upgrade ? topology.path : apiPath(topology);
  const { serverName: host, publicPort: port, backend } = topology;
  return routeRequest(
    configuration,
    { host, port, path, tls: topology.url.startsWith('wss:'), upgrade },
    { agentsPort: backend.agentsPort, heartbeatSeconds: backend.heartbeatSeconds, version: null },
  );
}

/** Agents get to their port with their path and headers, unhindered, and the API does not follow them there. */
function isRight(files: NginxFiles, topology: Topology): boolean {
  const configuration = parseNginx(files);
  if (configuration.problems.length > 0) return false;
  const route = ask(configuration, topology, 'agents');
  const api = ask(configuration, topology, 'api');
  const { agentsPort, apiPort } = topology.backend;
  const leads = (ports: readonly { readonly port: number }[] | undefined, port: number) =>
    ports !== undefined && ports.length > 0 && ports.every((address) => address.port === port);
  const isApart = agentsPort === apiPort || !leads(api.target?.addresses, agentsPort);
  return (
    route.action === 'proxy' &&
    (route.server?.matched || route.server?.alone) === true &&
    route.guard === null &&
    route.bind === null &&
    route.target?.scheme === 'http' &&
    leads(route.target.addresses, agentsPort) &&
    route.target.upstreamPath === topology.path &&
    route.upgradeHeader.sends?.toLowerCase() === 'websocket' &&
    (route.connectionHeader.sends?.toLowerCase().includes('upgrade') ?? false) &&
    !route.listens.some((item) => /\bproxy_protocol\b/.test(item.text)) &&
    isApart
  );
}

function benchOf(files: NginxFiles, topology: Topology): Bench | null {
  const configuration = parseNginx(files);
  if (configuration.problems.length > 0) return null;
  const http = configuration.directives.filter((item) => item.name === 'http').flatMap((item) => item.block ?? []);
  const route = ask(configuration, topology, 'agents');
  const api = ask(configuration, topology, 'api');
  const server = http.find(
    (item) => item.name === 'server' && item.file === route.server?.file && item.line === route.server.line,
  );
  if (!server) return null;
  const at = route.location;
  const chain = at ? chainTo(server, at) : [];
  const [location = null] = chain;
  const isShared = location === null || (api.location?.file === at?.file && api.location?.line === at?.line);
  return { edits: createEdits(files), topology, configuration, http, server, chain, location, route, isShared };
}

/** Innermost first. */
function chainTo(block: Directive, at: { readonly file: string; readonly line: number }): readonly Directive[] {
  for (const item of (block.block ?? []).filter((one) => one.name === 'location')) {
    const inner = chainTo(item, at);
    if (inner.length > 0) return [...inner, item];
    if (item.file === at.file && item.line === at.line) return [item];
  }
  return [];
}

/** The variable that a map makes `upgrade` of; it is put beside the server block where there is none. */
function upgradeVariable({ edits, http, server }: Bench): string {
  const good = http.find(
    (item) =>
      item.name === 'map' &&
      item.args[0] === '$http_upgrade' &&
      (item.block ?? []).some((row) => row.name === 'default' && /^upgrade$/i.test(row.args[0] ?? '')),
  );
  if (good) return good.args[1] ?? '$connection_upgrade';
  const isTaken = http.some((item) => item.name === 'map' && item.args[1] === '$connection_upgrade');
  const name = isTaken ? '$agents_connection_upgrade' : '$connection_upgrade';
  edits.before(server, [`map $http_upgrade ${name} {`, '    default upgrade;', "    ''      close;", '}']);
  return name;
}

function headerLines(bench: Bench): readonly string[] {
  return ['proxy_set_header Upgrade $http_upgrade;', `proxy_set_header Connection ${upgradeVariable(bench)};`];
}

/** A location of the agents' own. An exact one wins over whatever takes their path now. */
const addLocation: Repair = (bench) => {
  const { edits, server, topology } = bench;
  const directory = topology.path.replace(/[^/]*$/, '');
  const taken = (server.block ?? []).filter((item) => item.name === 'location').map(patternOf);
  const isFree = directory !== '/' && !taken.includes(directory) && !beaten(bench);
  const lines = [
    `location ${isFree ? directory : `= ${topology.path}`} {`,
    `    proxy_pass http://127.0.0.1:${topology.backend.agentsPort};`,
    '    proxy_http_version 1.1;',
    ...headerLines(bench).map((line) => `    ${line}`),
    '    proxy_set_header Host $host;',
    '    proxy_read_timeout 3600s;',
    '    proxy_send_timeout 3600s;',
    '}',
  ];
  const outermost = bench.chain.at(-1);
  if (outermost) edits.before(outermost, lines);
  else edits.append(server, lines);
};

/** A regex, or a longer prefix, takes the path before a plain `location DIRECTORY` could. */
function beaten({ location }: Bench): boolean {
  return location !== null && (modifierOf(location) !== '' || patternOf(location).length > 1);
}

const own = (block: Directive | null, name: string, first?: string) =>
  (block?.block ?? []).filter(
    (item) => item.name === name && (first === undefined || item.args[0]?.toLowerCase() === first.toLowerCase()),
  );

/** Headers of the upgrade; a location that sets any inherits none, so that what it inherited is written down with them. */
const setHeaders: Repair = (bench) => {
  const { edits, location, server, http, chain, route } = bench;
  if (!location || own(location, 'proxy_pass').length === 0) return;
  const outer = [...chain.slice(1).map((item) => item.block ?? []), server.block ?? [], http];
  const inherited = own(location, 'proxy_set_header').length > 0 ? [] : nearestList(outer, 'proxy_set_header');
  const isOther = (item: Directive) => !/^(upgrade|connection|sec-websocket-.*)$/i.test(item.args[0] ?? '');
  const kept = inherited.filter(isOther).map(textOf);
  const added: string[] = [];
  const put = (name: string, found: readonly Directive[], text: string) => {
    const [first, ...more] = found;
    if (first) edits.replace(first, `${name} ${text};`);
    else added.push(`${name} ${text};`);
    for (const item of more) edits.remove(item);
  };
  const [version] = own(location, 'proxy_http_version');
  if (version?.args[0] !== '1.1') put('proxy_http_version', version ? [version] : [], '1.1');
  const isLost = inherited.length > 0;
  if (isLost || route.upgradeHeader.sends?.toLowerCase() !== 'websocket')
    put('proxy_set_header', own(location, 'proxy_set_header', 'upgrade'), 'Upgrade $http_upgrade');
  if (isLost || !route.connectionHeader.sends?.toLowerCase().includes('upgrade'))
    put('proxy_set_header', own(location, 'proxy_set_header', 'connection'), `Connection ${upgradeVariable(bench)}`);
  for (const item of own(location, 'proxy_set_header'))
    if (/^sec-websocket-/i.test(item.args[0] ?? '')) edits.remove(item);
  edits.append(location, [...added, ...kept]);
};

const textOf = (item: Directive) => `${item.name} ${item.args.map(quoted).join(' ')};`;

const quoted = (word: string) => (word === '' || /[\s;{}'"]/.test(word) ? `"${word.replaceAll('"', '\\"')}"` : word);

/** The address in place, where the location is the agents' own; else a location beside it. */
const setTarget: Repair = (bench) => {
  const { edits, location, isShared, topology } = bench;
  const [pass] = own(location, 'proxy_pass');
  if (isShared || !pass) return addLocation(bench);
  edits.replace(pass, `proxy_pass http://127.0.0.1:${topology.backend.agentsPort};`);
};

const without =
  (name: string, off: string): Repair =>
  ({ edits, location }) => {
    if (!location) return;
    for (const item of own(location, name)) edits.remove(item);
    edits.append(location, [off]);
  };

const setTimeouts: Repair = ({ edits, location }) => {
  if (!location) return;
  for (const name of ['proxy_read_timeout', 'proxy_send_timeout']) {
    const [found] = own(location, name);
    if (found) edits.replace(found, `${name} 3600s;`);
    else edits.append(location, [`${name} 3600s;`]);
  }
};

const takeOutServers: Repair = ({ edits, http, location, topology }) => {
  const [pass] = own(location, 'proxy_pass');
  const name = /^https?:\/\/([^/]+)/.exec(pass?.args[0] ?? '')?.[1];
  const upstream = http.find((item) => item.name === 'upstream' && item.args[0] === name);
  for (const item of own(upstream ?? null, 'server'))
    if (!item.args[0]?.endsWith(`:${topology.backend.agentsPort}`)) edits.remove(item);
};

const correctName: Repair = ({ edits, http, topology }) => {
  const wanted = topology.serverName;
  const all = http.filter((item) => item.name === 'server').flatMap((item) => own(item, 'server_name'));
  const near = all.filter((item) => item.args.some((name) => isSlip(name, wanted)));
  const [only] = near;
  if (!only || near.length > 1) return;
  const names = only.args.map((name) => (isSlip(name, wanted) ? wanted : name));
  edits.replace(only, `server_name ${names.join(' ')};`);
};

/** One letter or label too many, too few or wrong: what is left of both after their common beginning and end is short. */
function isSlip(name: string, wanted: string): boolean {
  let head = 0;
  while (head < name.length && name[head] === wanted[head]) head += 1;
  let tail = 0;
  const most = Math.min(name.length, wanted.length) - head;
  while (tail < most && name.at(-1 - tail) === wanted.at(-1 - tail)) tail += 1;
  return name !== wanted && Math.max(name.length, wanted.length) - head - tail <= 3 && head + tail >= 4;
}

const dropProxyProtocol: Repair = ({ edits, http, topology }) => {
  const listens = http.filter((item) => item.name === 'server').flatMap((item) => own(item, 'listen'));
  for (const item of listens) {
    if (!item.args.includes('proxy_protocol') || !/(^|:)\d+$/.test(item.args[0] ?? '')) continue;
    if (Number(/\d+$/.exec(item.args[0] ?? '')?.[0]) !== topology.publicPort) continue;
    edits.replace(item, `listen ${item.args.filter((word) => word !== 'proxy_protocol').join(' ')};`);
  }
};

const splitApi: Repair = (bench) => {
  const { edits, server, location, isShared, topology } = bench;
  const root = (server.block ?? []).find((item) => item.name === 'location' && patternOf(item) === '/');
  const [pass] = own(root ?? null, 'proxy_pass');
  if (!pass) return;
  edits.replace(pass, `proxy_pass http://127.0.0.1:${topology.backend.apiPort};`);
  if (isShared || location === root) addLocation(bench);
};

/** The name is taken from the block that wins it; what else that block answers for stays. */
const giveUpName: Repair = ({ edits, server, topology }) => {
  for (const item of own(server, 'server_name')) {
    if (!item.args.includes(topology.serverName)) continue;
    const left = item.args.filter((name) => name !== topology.serverName);
    edits.replace(item, `server_name ${left.length > 0 ? left.join(' ') : '_'};`);
  }
};

/** The gateways come first in the list that decides; a location with rules of its own inherits none, so that they are written down with it. */
const allowGateways: Repair = ({ edits, location, isShared, server, http, chain, topology }) => {
  const addresses = [...new Set(topology.gateways.map(({ host }) => host.address))].filter((at) =>
    /^[\d.]+$|:/.test(at),
  );
  if (!location || isShared || addresses.length === 0) return;
  const allowed = addresses.map((address) => `allow ${address};`);
  const [first] = (location.block ?? []).filter(({ name }) => name === 'allow' || name === 'deny');
  if (first) return edits.before(first, allowed);
  const outer = [...chain.slice(1).map((item) => item.block ?? []), server.block ?? [], http];
  edits.append(location, [...allowed, ...nearestList(outer, 'allow', 'deny').map(textOf)]);
};

/** More tunnels at a time than any installation has; a limit of requests goes, since tunnels are few requests. */
const raiseLimits: Repair = ({ edits, location, isShared, server, http, chain }) => {
  if (!location || isShared) return;
  for (const item of own(location, 'limit_req')) edits.remove(item);
  const raised = (item: Directive) => `limit_conn ${item.args[0] ?? ''} ${TUNNELS};`;
  const limits = own(location, 'limit_conn');
  for (const item of limits) edits.replace(item, raised(item));
  const outer = [...chain.slice(1).map((item) => item.block ?? []), server.block ?? [], http];
  if (limits.length === 0) edits.append(location, nearestList(outer, 'limit_conn').map(raised));
};

/** A location that sets any header inherits none, so that what it inherited is written down with it. */
const sendHost: Repair = ({ edits, location, server, http, chain }) => {
  if (!location) return;
  const [found] = own(location, 'proxy_set_header', 'host');
  if (found) return edits.replace(found, 'proxy_set_header Host $host;');
  const outer = [...chain.slice(1).map((item) => item.block ?? []), server.block ?? [], http];
  const inherited = own(location, 'proxy_set_header').length > 0 ? [] : nearestList(outer, 'proxy_set_header');
  const kept = inherited.filter((item) => item.args[0]?.toLowerCase() !== 'host').map(textOf);
  edits.append(location, ['proxy_set_header Host $host;', ...kept]);
};

const repairs: Readonly<Record<string, Repair>> = {
  'NGX-01': setTarget,
  'NGX-02': setHeaders,
  'NGX-03': setHeaders,
  'NGX-04': setHeaders,
  'NGX-05': setHeaders,
  'NGX-07': setTarget,
  'NGX-09': giveUpName,
  'NGX-10': allowGateways,
  'NGX-11': raiseLimits,
  'NGX-13': sendHost,
  'NGX-16': setTimeouts,
  'NGX-19': setTarget,
  'NGX-20': without('auth_basic', 'auth_basic off;'),
  'NGX-21': setTarget,
  'NGX-22': splitApi,
  'NGX-23': setTarget,
  'NGX-26': addLocation,
  'NGX-27': setTarget,
  'NGX-28': setHeaders,
  'NGX-30': correctName,
  'NGX-31': dropProxyProtocol,
  'NGX-32': without('auth_request', 'auth_request off;'),
  'NGX-33': without('proxy_bind', 'proxy_bind off;'),
  'NGX-34': takeOutServers,
};
