// One request on its way through nginx's phases: server rewrites, location, rewrites, access, try_files, content, and error pages in between.
import type { RouteFact } from '../engine/index.ts';
import { decideAccess } from './access.ts';
import { answerOf, contextOf, placeOf } from './describe.ts';
import { chooseLocation, namedLocation } from './location.ts';
import type { Directive } from './parse.ts';
import { resolveTarget } from './proxy.ts';
import { type Position, type RewriteResult, runRewrites } from './rewrite.ts';
import { nearest, nearestList, type Scope } from './scope.ts';
import type { Request, Variables } from './variables.ts';

export interface Journey {
  readonly request: Request;
  readonly http: readonly Directive[];
  readonly server: Directive;
  readonly variables: Variables;
  readonly base: RouteFact;
}

interface Walk extends Omit<Journey, 'base'> {
  /** What holds wherever the request goes: its server, and the guard that it has passed. */
  base: RouteFact;
  readonly position: Position;
  /** Rewrites and redirects inside that are left before nginx gives up with 500. */
  changes: number;
  /** An error page is being made; errors of its own get none. */
  inErrorPage: boolean;
  /** Status that the answer keeps whatever the error page says; 0 = none. */
  status: number;
  readonly isSubrequest: boolean;
}

/** nginx's NGX_HTTP_MAX_URI_CHANGES and one. */
const maxChanges = 11;

/** Follows the request from its arrival at the server block. */
export function follow(journey: Journey, path: string): RouteFact {
  return serverPhase({ ...journey, ...start(path, false), isSubrequest: false });
}

function start(path: string, internal: boolean): Pick<Walk, 'position' | 'changes' | 'inErrorPage' | 'status'> {
  const position = { path, untouched: !internal, detached: false, internal };
  return { position, changes: maxChanges, inErrorPage: false, status: 0 };
}

/** Where the request is: its blocks from the innermost outwards, without server and http. */
interface Here {
  readonly chain: readonly Directive[];
  /** The `if` whose block holds. */
  readonly inner: Directive | null;
  readonly route: RouteFact;
}

const blockOf = (item: Directive): readonly Directive[] => item.block ?? [];

function scopeOf(walk: Walk, { chain, inner }: Pick<Here, 'chain' | 'inner'>): Scope {
  return [...(inner ? [inner, ...chain] : chain).map(blockOf), blockOf(walk.server), walk.http];
}

function serverPhase(walk: Walk): RouteFact {
  const here: Here = { chain: [], inner: null, route: walk.base };
  const result = runRewrites(blockOf(walk.server), walk.position, walk.variables);
  return result.kind === 'go' ? locate(walk) : ended(walk, here, result);
}

function locate(walk: Walk): RouteFact {
  const found = chooseLocation(blockOf(walk.server), walk.position.path, walk.variables);
  if (found.kind === 'unknown') return undecided(walk.base, found.why);
  const { chain } = found;
  const [location] = chain;
  const here: Here = { chain, inner: null, route: { ...walk.base, location: location ? placeOf(location) : null } };
  if (!location) return content(walk, here);
  const isInternal = nearest(chain.map(blockOf), 'internal') !== null;
  if (isInternal && !walk.position.internal) return refuse(walk, here, 404);
  if (found.redirects) return refuse(walk, here, 301);
  return inLocation(walk, here);
}

function inLocation(walk: Walk, here: Here): RouteFact {
  const [location] = here.chain;
  const result = runRewrites(location ? blockOf(location) : [], walk.position, walk.variables);
  if (result.kind !== 'go') return ended(walk, here, result);
  if (!result.again) return content(walk, { ...here, inner: result.inner });
  walk.changes -= 1;
  if (walk.changes === 0) return { ...refuse(walk, here, 500), caveat: 'rewrites go round in circles' };
  return locate(walk);
}

/** Access, try_files, and what makes the answer. */
function content(walk: Walk, here: Here): RouteFact {
  const scope = scopeOf(walk, here);
  const limited = here.chain[0] && blockOf(here.chain[0]).find((item) => item.name === 'limit_except');
  if (limited && !limited.args.includes('GET')) return undecided(here.route, 'limit_except speaks of GET');
  const context = contextOf(scope, walk.variables);
  let route: RouteFact = { ...here.route, ...context };
  if (!walk.isSubrequest) {
    const asked = guardOf(walk, scope);
    route = { ...route, guard: walk.base.guard ?? asked };
    if (asked?.action === 'undecided') return undecided(route, `what ${asked.text} gets is not known`);
    const access = decideAccess(scope, {
      client: walk.request.client,
      variables: walk.variables,
      ask: () => statusOf(asked),
    });
    if (access.kind === 'refused') {
      const refusal = refuse(walk, { ...here, route: { ...route, answeredBy: answerOf(access.at) } }, access.status);
      return refusal.action === 'return' && refusal.status === access.status
        ? { ...refusal, action: 'denied' }
        : refusal;
    }
    walk.base = { ...walk.base, guard: route.guard };
  }
  const own = here.inner ? blockOf(here.inner) : here.chain[0] ? blockOf(here.chain[0]) : blockOf(walk.server);
  const tries = own.findLast((item) => item.name === 'try_files');
  if (tries) return tryFiles(walk, { ...here, route }, tries);
  return pass(walk, { ...here, route });
}

/** proxy_pass counts in its own location, and in the `if` blocks of it. */
function pass(walk: Walk, here: Here): RouteFact {
  const { inner, route } = here;
  const [location = null] = here.chain;
  const { position } = walk;
  const blocks = [...(inner ? [inner] : []), ...(location ? [location] : [])].map(blockOf);
  const handler = blocks.flat().find((item) => passes.test(item.name));
  if (handler?.name === 'proxy_pass') {
    const target = resolveTarget({
      pass: handler,
      location,
      path: position.path,
      raw: position.untouched ? walk.request.path : null,
      detached: position.detached,
      http: walk.http,
      variables: walk.variables,
    });
    if (!target) return { ...refuse(walk, here, 500), caveat: `${handler.args[0] ?? ''} is not a URL` };
    // An error page keeps its status only as long as the upstream answers.
    if (walk.status !== 0) return undecided(route, `an error page is fetched from ${target.text}`);
    const host = route.hostHeader.value === null ? { ...route.hostHeader, sends: target.host } : route.hostHeader;
    return { ...route, action: 'proxy', target, hostHeader: host };
  }
  if (handler) return undecided(route, 'not proxied over HTTP');
  return files(walk, here);
}

const passes = /^(proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass$|^(empty_gif|stub_status|perl|content_by_lua\w*)$/;

/** No file has an agent's path, so an error page for 404 decides; with a directory it could be 403 as well. */
function files(walk: Walk, here: Here): RouteFact {
  const { route } = here;
  // nginx has no file for an alias once a rewrite has changed what the location matched.
  const isAlias = here.chain[0] && blockOf(here.chain[0]).some((item) => item.name === 'alias');
  if (isAlias && walk.position.detached) return refuse(walk, here, 500);
  const found = errorPage(walk, here, 404) ?? errorPage(walk, here, 403);
  if (!found) return { ...route, action: 'static' };
  if (walk.position.path.endsWith('/')) return undecided(route, 'an error page may answer for a directory');
  return refuse(walk, here, 404);
}

function tryFiles(walk: Walk, here: Here, tries: Directive): RouteFact {
  const last = tries.args.at(-1) ?? '';
  if (last.startsWith('=')) return refuse(walk, here, Number(last.slice(1)));
  if (last.startsWith('@')) return toNamed(walk, here, last);
  const target = walk.variables.expand(last);
  return target === null ? undecided(here.route, `try_files ends in ${last}`) : redirectInside(walk, here, target);
}

/** nginx's internal redirect: begins again at the server's rewrites. */
function redirectInside(walk: Walk, here: Here, uri: string): RouteFact {
  walk.changes -= 1;
  if (walk.changes === 0) return refuse(walk, here, 500);
  const [path = '', args = ''] = uri.split('?', 2);
  Object.assign(walk.position, { path, untouched: false, detached: false, internal: true });
  walk.variables.moveTo(path, args);
  return serverPhase(walk);
}

function toNamed(walk: Walk, here: Here, name: string): RouteFact {
  walk.changes -= 1;
  const named = namedLocation(blockOf(walk.server), name);
  if (walk.changes === 0 || !named)
    return { ...refuse(walk, here, 500), caveat: named ? '' : `there is no location ${name}` };
  walk.position.internal = true;
  return inLocation(walk, { chain: [named], inner: null, route: { ...walk.base, location: placeOf(named) } });
}

function ended(walk: Walk, here: Here, result: Exclude<RewriteResult, { kind: 'go' }>): RouteFact {
  if (result.kind === 'unknown') return undecided(here.route, result.why);
  const { at, status, hasText } = result;
  const route = {
    ...here.route,
    location: here.route.location ?? answerOf(at),
    answeredBy: answerOf(at, result.within),
  };
  const context = contextOf(scopeOf(walk, here), walk.variables);
  const there = { ...here, route: { ...route, ...context } };
  if (status === 444) return { ...there.route, action: 'return', status };
  // A text of one's own is sent as it is; a bare error goes through the error pages.
  if (status < 300 || (hasText && status >= 400))
    return { ...there.route, action: 'return', status: walk.status || status };
  return refuse(walk, there, status);
}

/** nginx makes this status itself, unless an error page takes it over. */
function refuse(walk: Walk, here: Here, status: number): RouteFact {
  const page = errorPage(walk, here, status);
  if (!page) return { ...here.route, action: 'return', status };
  if (nearest(scopeOf(walk, here), 'recursive_error_pages')?.args[0] !== 'on') walk.inErrorPage = true;
  const overwritten = page.args.find((arg) => /^=\d*$/.test(arg));
  walk.status = overwritten === undefined ? status : Number(overwritten.slice(1));
  const uri = walk.variables.expand(page.args.at(-1) ?? '');
  if (uri === null) return undecided(here.route, `error_page leads to ${page.args.at(-1) ?? ''}`);
  if (uri.startsWith('/')) return redirectInside(walk, here, uri);
  if (uri.startsWith('@')) return toNamed(walk, here, uri);
  const redirect = [301, 302, 303, 307, 308].includes(walk.status) ? walk.status : 302;
  return { ...here.route, action: 'return', status: redirect };
}

function errorPage(walk: Walk, here: Here, status: number): Directive | undefined {
  if (walk.inErrorPage || walk.changes === 0) return undefined;
  return nearestList(scopeOf(walk, here), 'error_page').find((item) => item.args.slice(0, -1).includes(String(status)));
}

/** Where the sub-request of `auth_request` leads. It starts at the server block as well, and access rules do not hold for it. */
function guardOf(walk: Walk, scope: Scope): RouteFact['guard'] {
  const at = nearest(scope, 'auth_request');
  const uri = at && at.args[0] !== 'off' ? walk.variables.expand(at.args[0] ?? '') : null;
  if (!at || uri === null) return null;
  const [asked = '', query = ''] = uri.split('?', 2);
  const { action, status, location, target } = walk.variables.aside(() => {
    walk.variables.moveTo(asked, query);
    return serverPhase({ ...walk, ...start(asked, true), isSubrequest: true });
  });
  const text = [at.name, ...at.args].join(' ');
  return { file: at.file, line: at.line, text, action, status, location, target };
}

function statusOf(guard: RouteFact['guard']): number | null {
  if (guard?.action === 'return') return guard.status;
  // Files that are not there.
  return guard?.action === 'static' ? 404 : null;
}

function undecided(route: RouteFact, caveat: string): RouteFact {
  return { ...route, action: 'undecided', caveat };
}
