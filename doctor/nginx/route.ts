// What this configuration does with one request, step by step as nginx does it: server, rewrites, location, access, content.
import type { RouteFact } from '../engine/index.ts';
import { adviseOn, type RouteOptions } from './advice.ts';
import { chooseLocation, modifierOf, namedLocation, patternOf } from './location.ts';
import type { Configuration, Directive } from './parse.ts';
import { handshakeHeaders, headerSent, resolveTarget } from './proxy.ts';
import { type RewriteResult, runRewrites } from './rewrite.ts';
import { nearest, nearestList, type Scope, seconds } from './scope.ts';
import { chooseServer, type ServerChoice } from './server.ts';
import { createVariables, type Request, type Variables } from './variables.ts';

/** nginx gives up after ten rounds of rewriting; so do we. */
const maxRounds = 10;

interface Walk {
  readonly request: Request;
  readonly http: readonly Directive[];
  readonly variables: Variables;
  readonly choice: ServerChoice;
  readonly options: RouteOptions;
  readonly base: RouteFact;
}

export function routeRequest(configuration: Configuration, request: Request, options: RouteOptions): RouteFact {
  const http = configuration.directives.filter((item) => item.name === 'http').flatMap((item) => item.block ?? []);
  const base = emptyRoute(request, caveatOf(configuration));
  const choice = chooseServer(http, request.port, request.host);
  if (!choice) return { ...base, action: base.caveat ? 'undecided' : 'no-server' };
  const { server, names, isDefault, matched } = choice;
  const withServer: RouteFact = {
    ...base,
    server: { file: server.file, line: server.line, names, isDefault, matched },
  };
  const variables = createVariables(request, http);
  const walk: Walk = { request, http, variables, choice, options, base: withServer };
  const first = runRewrites(server.block ?? [], request.path, variables);
  const followed = first.kind === 'path' ? findContent(walk, first.path, 0) : ended(withServer, first);
  const route = withGaps(followed, configuration, choice);
  const advice = adviseOn(route, { http, choice, options, configuration });
  return { ...route, advice };
}

function findContent(walk: Walk, path: string, round: number): RouteFact {
  const block = walk.choice.server.block ?? [];
  if (round > maxRounds) return { ...walk.base, action: 'return', status: 500, caveat: 'rewrites go round in circles' };
  const found = chooseLocation(block, path);
  if (found?.redirects) {
    const { file, line } = found.location;
    const at = { file, line, modifier: modifierOf(found.location), pattern: patternOf(found.location) };
    return { ...walk.base, location: at, action: 'return', status: 301 };
  }
  if (!found) return inScope(walk, { path, location: null, chain: [], fixed: false, round });
  return inScope(walk, { path, location: found.location, chain: found.chain, fixed: false, round });
}

interface Here {
  readonly path: string;
  readonly location: Directive | null;
  /** Innermost first, without server and http. */
  readonly chain: readonly Directive[];
  readonly fixed: boolean;
  readonly round: number;
}

function inScope(walk: Walk, here: Here): RouteFact {
  const { location, chain } = here;
  const at = location && {
    file: location.file,
    line: location.line,
    modifier: modifierOf(location),
    pattern: patternOf(location),
  };
  let route: RouteFact = { ...walk.base, location: at };
  const blocks = chain.map((item) => item.block ?? []);
  let path = here.path;
  let fixed = here.fixed;
  let inner: Directive | null = null;
  if (location) {
    const result = runRewrites(location.block ?? [], path, walk.variables);
    if (result.kind !== 'path') return ended(route, result);
    if (result.again) return findContent(walk, result.path, here.round + 1);
    ({ path, inner } = result);
    fixed ||= result.fixed;
  }
  const scope: Scope = [...(inner?.block ? [inner.block] : []), ...blocks, walk.choice.server.block ?? [], walk.http];
  const access = accessOf(scope);
  route = { ...route, ...headersOf(scope, walk.variables), ...timeoutsOf(scope), access };
  const rules = access.filter((item) => item.directive === 'allow' || item.directive === 'deny');
  if (rules[0]?.text === 'deny all') return { ...route, action: 'denied', status: 403 };
  const own = [...(inner?.block ?? []), ...(location?.block ?? [])];
  const pass = own.find((item) => item.name === 'proxy_pass');
  if (pass) {
    const target = resolveTarget({
      pass,
      location: inner ? null : location,
      path,
      fixed,
      http: walk.http,
      variables: walk.variables,
    });
    if (!target) return { ...route, action: 'undecided', caveat: `${pass.args[0] ?? ''} is no URL` };
    return { ...route, action: 'proxy', target };
  }
  const tries = nearest(location ? [own] : [walk.choice.server.block ?? []], 'try_files');
  if (tries) return tryFiles(walk, { ...here, path, tries, route });
  if (own.some((item) => /_pass$/.test(item.name)))
    return { ...route, action: 'undecided', caveat: 'not proxied over HTTP' };
  return { ...route, action: 'static' };
}

/** No file of an agent's path exists, so the last argument decides. */
function tryFiles(walk: Walk, here: Here & { readonly tries: Directive; readonly route: RouteFact }): RouteFact {
  const { tries, route } = here;
  const last = tries.args.at(-1) ?? '';
  if (last.startsWith('=')) return { ...route, action: 'return', status: Number(last.slice(1)) };
  if (!last.startsWith('@')) {
    const target = walk.variables.expand(last);
    if (target === null) return { ...route, action: 'undecided', caveat: `try_files ends in ${last}` };
    return target === here.path || here.round >= maxRounds
      ? { ...route, action: 'static' }
      : findContent(walk, target, here.round + 1);
  }
  const named = namedLocation(walk.choice.server.block ?? [], last);
  if (!named) return { ...route, action: 'return', status: 500, caveat: `there is no location ${last}` };
  return inScope(walk, { ...here, location: named, chain: [named], round: here.round + 1 });
}

function ended(route: RouteFact, result: Exclude<RewriteResult, { kind: 'path' }>): RouteFact {
  if (result.kind === 'unknown') return { ...route, action: 'undecided', caveat: result.why };
  const location = route.location ?? {
    file: result.at.file,
    line: result.at.line,
    modifier: '',
    pattern: `${result.at.name} ${result.at.args.join(' ')}`,
  };
  return { ...route, location, action: 'return', status: result.status };
}

function headersOf(
  scope: Scope,
  variables: Variables,
): Pick<RouteFact, 'upgradeHeader' | 'connectionHeader' | 'hostHeader' | 'handshakeHeaders' | 'httpVersion'> {
  return {
    upgradeHeader: headerSent(scope, 'upgrade', variables),
    connectionHeader: headerSent(scope, 'connection', variables),
    hostHeader: headerSent(scope, 'host', variables),
    handshakeHeaders: handshakeHeaders(scope),
    httpVersion: nearest(scope, 'proxy_http_version')?.args[0] ?? null,
  };
}

function timeoutsOf(scope: Scope): Pick<RouteFact, 'readTimeoutSeconds' | 'sendTimeoutSeconds'> {
  return {
    readTimeoutSeconds: seconds(nearest(scope, 'proxy_read_timeout')?.args[0]),
    sendTimeoutSeconds: seconds(nearest(scope, 'proxy_send_timeout')?.args[0]),
  };
}

function accessOf(scope: Scope): RouteFact['access'] {
  const lists = [['allow', 'deny'], ['auth_basic'], ['auth_request'], ['limit_conn'], ['limit_req']];
  return lists
    .flatMap((names) => nearestList(scope, ...names))
    .map((item) => ({
      directive: item.name,
      text: [item.name, ...item.args].join(' '),
      file: item.file,
      line: item.line,
    }));
}

/** Includes that can hold no location and no proxy setting. */
const harmless = /mime\.types|fastcgi|uwsgi|scgi|ssl|letsencrypt|dhparam|modules/;

/** A file of the chosen server block that could not be read may hold anything, a location for this very path included. */
function withGaps(route: RouteFact, { problems }: Configuration, { server }: ServerChoice): RouteFact {
  if (problems.length > 0) return { ...route, action: 'undecided' };
  const gaps = (block: readonly Directive[]): readonly string[] =>
    block.flatMap((item) => {
      if (item.name === 'include') return harmless.test(item.args[0] ?? '') ? [] : [item.args[0] ?? ''];
      return item.name === 'location' ? gaps(item.block ?? []) : [];
    });
  const open = gaps(server.block ?? []);
  return open.length > 0 ? { ...route, action: 'undecided', caveat: `not read: ${open.join(', ')}` } : route;
}

function caveatOf({ problems, missing }: Configuration): string {
  const problem = problems[0];
  if (problem) return `${problem.file}:${problem.line} ${problem.message}`;
  return missing.length > 0 ? `not read: ${missing.join(', ')}` : '';
}

function emptyRoute(request: Request, caveat: string): RouteFact {
  const header = { value: null, sends: null, place: null };
  return {
    host: request.host,
    path: request.path,
    port: request.port,
    action: 'static',
    caveat,
    server: null,
    location: null,
    status: null,
    target: null,
    upgradeHeader: header,
    connectionHeader: header,
    hostHeader: header,
    handshakeHeaders: [],
    httpVersion: null,
    readTimeoutSeconds: null,
    sendTimeoutSeconds: null,
    access: [],
    advice: [],
  };
}
