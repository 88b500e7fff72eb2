// Causes in front of the route or beside it: the listener wants another protocol, no block has the name, a sub-request or an address of nginx's
// own fails, one server of several is the wrong one. nginx makes the answer itself; its error log says which.
import {
  type CauseRule,
  causesOf,
  judge,
  type RouteFact,
  sign,
  signs,
  some,
  type Tri,
  type View,
} from '../engine/index.ts';
import { overwritten } from './nginx-answers.ts';
import { ifVisible, nginxCommand, on, remedy } from './texts.ts';

const { backend, logs, nginx } = signs;
const agentsPort = (view: View) => view.topology.backend.agentsPort;
const predicts = ['nginx.agents.upgrades', 'network.agents.upgrades', 'nginx.api.answers'];
const reload = (view: View) => on(view, 'be', nginxCommand(view, 'reload'));
const logged = (pattern: RegExp) => ifVisible(logs.dialSays(pattern));

/** The name on that port that a slip of the pen makes out of the one that is asked for. */
function nearName(view: View): { readonly name: string; readonly file: string; readonly line: number } | null {
  const wanted = view.topology.serverName;
  const names = nginx.routeOf(view)?.knownNames ?? [];
  const near = names.filter(({ name }) => !/^(_|localhost|)$/.test(name) && distance(name, wanted) <= 3);
  return near.sort((a, b) => distance(a.name, wanted) - distance(b.name, wanted))[0] ?? null;
}

/** Letters to put in, take out or change (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...a].entries()) {
    const next = [index + 1];
    for (const [at, other] of [...b].entries())
      next.push(Math.min((next[at] ?? 0) + 1, (row[at + 1] ?? 0) + 1, (row[at] ?? 0) + (letter === other ? 0 : 1)));
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** Without TLS or an answer, from anywhere. */
const endsBeforeAnswer = sign(['what connects is cut off before any answer', 'what connects gets an answer'], (view) =>
  some(
    (['be', 'gw', 'op'] as const).map((seat) =>
      judge(
        view,
        ['ws.upgrade', seat, 'public'],
        (seen) => seen.status === null && ['reset', 'closed', 'tls-error'].includes(seen.ended),
      ),
    ),
  ),
);

const proxyProtocol = (route: RouteFact) => route.listens.find((item) => /\bproxy_protocol\b/.test(item.text));

/** Servers of the upstream that are not the agents port; empty where all or none of them are. */
function strayServers(route: RouteFact, view: View) {
  const addresses = route.target?.addresses ?? [];
  const stray = addresses.filter((address) => address.port !== agentsPort(view));
  return stray.length < addresses.length ? stray : [];
}

function strayText(route: RouteFact, view: View): string {
  return strayServers(route, view)
    .map(({ host, port, place }) => `server ${host}:${port} (${nginx.placeText(place ?? null)})`)
    .join(', ');
}

const hasStray = nginx.routeIs(
  (route, view) => `upstream ${route.target?.upstreamName ?? ''} holds ${strayText(route, view)}`,
  (route, view) => strayServers(route, view).length > 0,
);

/** One of several dials fails while others may not. */
const someFail = sign(['an upgrade through nginx fails', 'no upgrade through nginx fails'], (view) =>
  some(
    (['be', 'gw', 'op'] as const).map((seat) =>
      judge(view, ['ws.upgrade', seat, 'public'], (seen): Tri => {
        if (seen.failures > 0) return 'yes';
        return seen.status === null ? 'unknown' : seen.status === 101 ? 'no' : 'yes';
      }),
    ),
  ),
);

const takeOut = (view: View) => {
  const route = nginx.routeOf(view);
  return remedy(
    `take ${route ? strayText(route, view) : 'it'} out of the upstream, or give it port ${agentsPort(view)}`,
    reload(view),
  );
};

const guardText = (route: RouteFact | null) =>
  route?.guard ? `${route.guard.text} (${nginx.placeText(route.guard)})` : 'auth_request';

/** Where the sub-request goes, as far as the files say. */
function guardLeadsTo(route: RouteFact | null): string {
  const guard = route?.guard;
  if (!guard) return 'its target';
  if (guard.target) return `${guard.target.text} (${nginx.placeText(guard.target.place)})`;
  return guard.status === null
    ? 'a location that has no answer'
    : `an answer ${guard.status} (${nginx.placeText(guard.location)})`;
}

/** Nothing listens where the sub-request is sent. */
const guardRefused = sign(
  (view) => `nothing listens at ${guardLeadsTo(nginx.routeOf(view))}`,
  (view) => {
    const addresses = nginx.routeOf(view)?.guard?.target?.addresses ?? [];
    const local = addresses.filter((address) => /^(127\.|localhost$|::1$)/.test(address.host));
    if (local.length === 0 || local.length < addresses.length) return 'unknown';
    return judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows) =>
      local.every((address) => rows.every((row) => row.port !== address.port)),
    );
  },
);

export const nginxFrontCauses: readonly CauseRule[] = causesOf(
  { layer: 'nginx', hop: 'route', host: 'be', predicts, about: 'nginx' },
  {
    'NGX-30': {
      name: 'no server block has the name',
      title: (view) => {
        const near = nearName(view);
        const { serverName } = view.topology;
        if (near) return `no server block of nginx is called ${serverName}: ${nginx.placeText(near)} says ${near.name}`;
        return `no server block of nginx is called ${serverName}, and another one takes its requests`;
      },
      hop: 'vhost',
      necessary: [nginx.nobodyHasTheName, nginx.publicFails],
      supports: [
        sign(
          (view) =>
            `the block that answers instead refuses every handshake: ssl_reject_handshake on (${nginx.placeText(nginx.routeOf(view)?.rejectsHandshake ?? null)})`,
          (view) => judge(view, ['nginx.route', 'be', 'agents'], (route) => route.rejectsHandshake !== null),
        ),
      ],
      lookalikes: {
        'NGX-26': nginx.nobodyHasTheName,
        'NGX-01': nginx.nobodyHasTheName,
        'TLS-03': nginx.nobodyHasTheName,
      },
      predicts: [...predicts, 'network.tls.verifies'],
      remedy: (view) => {
        const near = nearName(view);
        const { serverName } = view.topology;
        return remedy(
          near
            ? `correct the name at ${nginx.placeText(near)}; leave the block that answers now as it is`
            : `put back the server block of ${serverName}; leave the block that answers now as it is`,
          [...(near ? [`server_name ${serverName};`] : []), ...reload(view)],
        );
      },
      help: `nginx chooses the server block by the name that is asked for. Where no block has it, the default block of the port answers: it may refuse the handshake (ssl_reject_handshake), show another site's certificate, or answer 404 for a path that it does not have. That block belongs to another site; leave it unchanged.`,
    },
    'NGX-31': {
      name: 'listener expects the PROXY protocol',
      title: (view) => {
        const route = nginx.routeOf(view);
        const listen = route && proxyProtocol(route);
        return `nginx expects the PROXY protocol on port ${view.topology.publicPort} (${nginx.placeText(listen ?? null)}), and what dials it does not speak it`;
      },
      hop: 'tls',
      necessary: [
        endsBeforeAnswer,
        nginx.routeIs(
          (route) => {
            const listen = proxyProtocol(route);
            return `${listen?.text ?? 'proxy_protocol'} (${nginx.placeText(listen ?? null)})`;
          },
          (route) => proxyProtocol(route) !== undefined,
        ),
      ],
      signature: [logged(/broken header: .* while reading PROXY protocol/)],
      forbids: [nginx.publicUpgrades],
      predicts: [...predicts, 'network.tls.verifies'],
      remedy: (view) => {
        const route = nginx.routeOf(view);
        const listen = route && proxyProtocol(route);
        return remedy(
          'take proxy_protocol off the listener, unless a load balancer in front is meant to send that line',
          [...(listen ? [`${listen.text.replace(/ proxy_protocol\b/, '')};`] : []), ...reload(view)],
        );
      },
      help: `With proxy_protocol on a listen directive nginx expects a "PROXY …" line before anything else, and cuts off any client that does not send it. One such block changes the whole socket, other blocks on the same address and port included. The error log says "broken header: … while reading PROXY protocol".`,
    },
    'NGX-32': {
      name: 'auth_request in front of the route',
      title: (view) => {
        const route = nginx.routeOf(view);
        return `nginx asks ${guardText(route)} before it passes the agents on, and gets no yes from it`;
      },
      necessary: [
        nginx.publicStatus(500, 401, 403),
        nginx.routeIs(
          (route) => `${guardText(route)} stands in front of the route and leads to ${guardLeadsTo(route)}`,
          (route) => route.guard !== null && !/^(allow|deny|auth_basic) /.test(route.answeredBy?.pattern ?? ''),
        ),
        ifVisible(backend.directUpgrades),
      ],
      signature: [
        sign(
          (view) => guardRefused.claim(view),
          (view) => {
            const status = nginx.routeOf(view)?.guard?.status ?? null;
            if (status !== null) return status >= 200 && status < 300 ? 'no' : 'yes';
            return some([
              guardRefused.holds(view),
              logged(/auth request unexpected status|subrequest: |(connect|upstream).*subrequest/).holds(view),
            ]);
          },
        ),
      ],
      supports: [logged(/auth request unexpected status|subrequest: /)],
      lookalikes: {
        'NGX-10': nginx.routeIs(
          (route) => `the answer follows ${guardText(route)}`,
          (route) => route.guard !== null && !/^(allow|deny) /.test(route.answeredBy?.pattern ?? ''),
        ),
      },
      remedy: (view) => {
        const route = nginx.routeOf(view);
        return remedy(
          `exempt the agents' path with auth_request off, or bring back what answers at ${guardLeadsTo(route)}`,
          ['auth_request off;', ...reload(view)],
        );
      },
      help: `auth_request sends a sub-request first: 2xx lets the request pass, 401 and 403 are passed to the client, and anything else, including a service that is down, becomes 500. The backend never sees the request. Agents authenticate to the backend themselves.`,
    },
    'NGX-33': {
      name: 'nginx dials from an address that its host does not have',
      title: (view) => {
        const bind = nginx.routeOf(view)?.bind;
        return `nginx cannot dial the backend from ${bind?.value ?? 'the address'} (proxy_bind, ${nginx.placeText(bind ?? null)})`;
      },
      necessary: [
        nginx.publicStatus(500, 502, 504),
        nginx.routeIs(
          (route) => `proxy_bind ${route.bind?.value ?? ''} (${nginx.placeText(route.bind)})`,
          (route) => route.bind !== null,
        ),
        backend.directUpgrades,
      ],
      signature: [logged(/bind\(.*\) failed .* while connecting to upstream/)],
      remedy: (view) => {
        const bind = nginx.routeOf(view)?.bind;
        return remedy(
          `remove proxy_bind (${nginx.placeText(bind ?? null)}), or name an address of this host`,
          reload(view),
        );
      },
      help: `proxy_bind makes nginx dial upstreams from one address. An address that the host does not have makes bind() fail, and nginx answers 500 by itself, before anything reaches the backend.`,
    },
    'NGX-34': [
      {
        name: 'one server of the upstream is the wrong one',
        title: (view) => {
          const route = nginx.routeOf(view);
          return `part of the upgrades goes to ${route ? strayText(route, view) : 'another port'}`;
        },
        necessary: [hasStray, someFail, ifVisible(backend.directUpgrades)],
        signature: [backend.directUpgrades],
        remedy: takeOut,
        help: `nginx rotates through the servers of an upstream. With one of them wrong (the HTTP port beside the WebSocket port), every second or third upgrade gets its answer: 404 or 426 from the HTTP port, and 101 in between.`,
      },
      {
        name: 'one server of the upstream is not the agents port',
        scope: 'latent',
        title: (view) => {
          const route = nginx.routeOf(view);
          return `the upstream also holds ${route ? strayText(route, view) : 'another port'}`;
        },
        necessary: [hasStray],
        forbids: [someFail],
        predicts: [],
        remedy: takeOut,
        help: `nginx rotates through the servers of an upstream; the dials of this run all met a right one.`,
      },
    ],
    'NGX-13': {
      name: 'Host not forwarded',
      title: 'the backend refuses the Host that nginx sends it',
      necessary: [
        nginx.publicStatus(400, 403, 421),
        nginx.routeIs(
          (route, view) =>
            `nginx sends Host ${route.hostHeader.sends ?? 'unknown'} (${nginx.placeText(route.hostHeader.place ?? route.target?.place ?? null)}), not ${view.topology.serverName}`,
          (route, view) =>
            nginx.targetsPort(route, agentsPort(view)) &&
            nginx.forwardsUpgrade(route) &&
            nginx.forwardsConnection(route) &&
            route.target?.upstreamPath === view.topology.path &&
            overwritten(route) === undefined &&
            route.hostHeader.sends !== null &&
            route.hostHeader.sends.split(':')[0] !== view.topology.serverName,
        ),
        backend.directUpgrades,
      ],
      signature: [
        sign('the answer about the host comes from the backend', (view) => {
          const body = nginx.publicSeen(view)?.body ?? '';
          return /\bhost\b|origin/i.test(body) && !/<center>nginx/.test(body) ? 'yes' : 'unknown';
        }),
      ],
      remedy: (view) =>
        remedy('forward the Host header on this route', ['proxy_set_header Host $host;', ...reload(view)]),
      help: `Without proxy_set_header Host nginx sends the name of the upstream. A backend that checks the host then refuses what comes through nginx but accepts the same request on its own port.`,
    },
  },
);
