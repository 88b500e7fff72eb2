// What this configuration does with one request: the server block that takes it, the way through it, and what is not known about either.
import type { RouteFact } from '../engine/index.ts';
import { adviseOn, type RouteOptions } from './advice.ts';
import { caveatOf, emptyRoute, processSettings } from './describe.ts';
import type { Configuration, Directive } from './parse.ts';
import { chooseServer, type ServerChoice } from './server.ts';
import { normalPath } from './uri.ts';
import { createVariables, type Request } from './variables.ts';
import { follow } from './walk.ts';

export function routeRequest(configuration: Configuration, request: Request, options: RouteOptions): RouteFact {
  const http = configuration.directives.filter((item) => item.name === 'http').flatMap((item) => item.block ?? []);
  const base = emptyRoute(request, caveatOf(configuration));
  const variables = createVariables(request, http);
  const choice = chooseServer(http, request, variables);
  if (choice.kind === 'unknown') return { ...base, action: 'undecided', caveat: choice.why };
  if (choice.kind === 'none') return { ...base, action: base.caveat ? 'undecided' : 'no-server' };
  const { server, names } = choice;
  variables.set('server_name', names[0] ?? '');
  const withServer = { ...base, ...describe(choice) };
  const path = normalPath(request.path);
  if (path !== null) variables.moveTo(path, null);
  const followed =
    path === null
      ? { ...withServer, action: 'return' as const, status: 400 }
      : follow({ request, http, server, variables, base: withServer }, path);
  const settings = [...followed.settings, ...processSettings(configuration)];
  const route = withGaps({ ...followed, settings }, configuration, choice);
  const advice = adviseOn(route, { http, choice, options, configuration });
  return { ...route, advice };
}

function describe(choice: ServerChoice): Pick<RouteFact, 'server' | 'listens' | 'knownNames' | 'rejectsHandshake'> {
  const { server, names, isDefault, matched, neighbours, listens } = choice;
  const at = ({ file, line }: Directive) => ({ file, line });
  const rejects = (server.block ?? []).findLast((item) => item.name === 'ssl_reject_handshake');
  return {
    server: { ...at(server), names, isDefault, matched, alone: neighbours.length === 1 },
    listens: listens.flatMap(({ directive }) =>
      directive ? [{ ...at(directive), text: [directive.name, ...directive.args].join(' ') }] : [],
    ),
    knownNames: neighbours.flatMap((item) =>
      (item.block ?? [])
        .filter((inner) => inner.name === 'server_name')
        .flatMap((inner) => inner.args.map((name) => ({ ...at(inner), name }))),
    ),
    rejectsHandshake: rejects?.args[0] === 'on' ? at(rejects) : null,
  };
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
