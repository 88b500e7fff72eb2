// Causes in nginx's configuration where the request never becomes an upgrade at the right door: no server block takes it, nginx answers it
// itself, it is sent to a place where nothing listens or as TLS to a port without TLS, or a header of the handshake is overwritten on the way.
import {
  type CauseRule,
  causesOf,
  judge,
  type Listener,
  type RouteFact,
  type Sign,
  sign,
  signs,
  type Tri,
  tri,
  type View,
} from '../engine/index.ts';
import { agentsLocation, deployAgain, ifVisible, nginxCommand, on, remedy } from './texts.ts';

const { author, backend, gateway, nginx } = signs;
const agentsPort = (view: View) => view.topology.backend.agentsPort;
const apiPort = (view: View) => view.topology.backend.apiPort;
const predicts = ['nginx.agents.upgrades', 'network.agents.upgrades'];
const reload = (view: View) => on(view, 'be', nginxCommand(view, 'reload'));

/** What nginx says without asking anybody: the status that its configuration names, and the one that really came. */
function answersItself(route: RouteFact, view: View): boolean {
  const seen = nginx.publicSeen(view);
  if (!seen || (route.action !== 'return' && route.action !== 'static')) return false;
  // 444 is nginx's own word for closing without an answer.
  if (route.status === 444) return seen.status === null && (seen.ended === 'closed' || seen.ended === 'reset');
  if (route.action === 'return') return seen.status !== null && seen.status === route.status;
  return seen.status !== null && [200, 301, 403, 404, 405].includes(seen.status);
}

function describe(route: RouteFact): string {
  const { location, answeredBy } = route;
  const where = location ? [location.modifier, location.pattern].filter(Boolean).join(' ') : 'the server block';
  if (answeredBy) return `${nginx.placeText(answeredBy)}  ${answeredBy.pattern}`;
  const place = nginx.placeText(location ?? route.server);
  return `${place}  ${route.action === 'static' ? `${where} serves files` : `${where} answers ${route.status ?? ''}`.trim()}`;
}

/** The header of the handshake that this route sets, and sets to something else than what the agents send there. */
export const overwritten = (route: RouteFact) =>
  route.handshakeHeaders.find(
    ({ name, value }) => ![`$http_${name.replaceAll('-', '_')}`, alwaysSent[name]].includes(value.toLowerCase()),
  );
/** Every agent of ours sends these, so that a literal changes nothing. */
const alwaysSent: Readonly<Record<string, string>> = {
  'sec-websocket-protocol': 'viworks.agent.v1',
  'sec-websocket-version': '13',
};

function accepts(rows: readonly Listener[], address: string): boolean {
  const any = address.includes(':') ? ['::', '*', address] : ['0.0.0.0', '::', '*', address];
  return rows.some((row) => any.includes(row.address));
}

/** Whether a row takes a dial of this target. Where the port is right only a literal address tells anything. */
function coveredBy(
  rows: readonly Listener[],
  { host, port }: { readonly host: string; readonly port: number },
  right: number,
): Tri {
  const own = rows.filter((row) => row.port === port);
  if (own.length === 0) return port === right ? 'yes' : 'no';
  if (port !== right) return 'yes';
  const address = host === 'localhost' ? '127.0.0.1' : host;
  if (!/^[\d.]+$|:/.test(address)) return 'unknown';
  if (accepts(own, address)) return 'yes';
  // A backend that is not on loopback is itself in the wrong place.
  return accepts(own, '127.0.0.1') ? 'no' : 'yes';
}

/**
 * For rules that tell askers apart by their address: only what the gateway gets counts. Where nobody asked from there, the backend host's own
 * dial speaks for it only if the rule makes no difference between the two.
 */
export function gatewayGets(of: {
  readonly statuses: readonly number[];
  readonly everybody: (route: RouteFact) => boolean;
}): Sign {
  const { statuses, everybody } = of;
  const speaks = (view: View): 'gw' | 'be' =>
    (view.value('ws.upgrade', 'gw', 'public')?.status ?? null) === null ? 'be' : 'gw';
  return sign(
    [
      (view) =>
        `an upgrade through nginx is answered with ${statuses.join(' or ')} (asked from ${signs.parts.hostOf(view, speaks(view))})`,
      (view) => {
        const seen = view.value('ws.upgrade', speaks(view), 'public');
        return `an upgrade through nginx ${seen?.status ? `is answered with ${seen.status}` : `ends with ${seen?.ended ?? 'no answer'}`} (asked from ${signs.parts.hostOf(view, speaks(view))})`;
      },
    ],
    (view) => {
      const seat = speaks(view);
      const got = judge(view, ['ws.upgrade', seat, 'public'], (seen) => statuses.includes(seen.status ?? 0));
      if (seat === 'gw' || got === 'no') return got;
      const route = nginx.routeOf(view);
      return got === 'yes' && route && everybody(route) ? 'yes' : 'unknown';
    },
  );
}

/** It came in: by its own dial now, or, where that was not made, by the link that it holds. */
export const gatewayComesIn = sign(
  (view) => `${signs.parts.hostOf(view, 'gw')} itself is let in`,
  (view): Tri => {
    const own = gateway.gatewayUpgrades.holds(view);
    return own === 'unknown' ? gateway.linkUp.holds(view) : own;
  },
);

export const nginxAnswersCauses: readonly CauseRule[] = causesOf(
  { layer: 'nginx', hop: 'route', host: 'be', predicts, about: 'nginx' },
  {
    'NGX-23': {
      name: 'wrong target port',
      title: (view) => `nginx sends ${view.topology.path} to an address and port on which nothing listens`,
      necessary: [
        nginx.publicStatus(502, 504),
        nginx.routeIs(
          (route, view) =>
            `the target is ${route.target?.text ?? ''}, the agents port is ${agentsPort(view)} (${nginx.placeText(route.target?.place ?? null)})`,
          (route, view) =>
            route.action === 'proxy' &&
            (route.target?.addresses.length ?? 0) > 0 &&
            [apiPort(view), view.topology.publicPort].every(
              (port) => route.target?.addresses.every((address) => address.port !== port) ?? false,
            ),
        ),
        sign(
          [
            'nothing listens there, and something does on the right port',
            'something listens where nginx sends the request, or it sends it nowhere',
          ],
          (view) =>
            judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows): Tri => {
              const wanted = nginx.routeOf(view)?.target?.addresses ?? [];
              const taken = wanted.map((address) => coveredBy(rows, address, agentsPort(view)));
              if (wanted.length === 0 || taken.includes('yes')) return 'no';
              return taken.includes('unknown') ? 'unknown' : 'yes';
            }),
        ),
      ],
      signature: [backend.agentsListens],
      lookalikes: { 'BE-01': backend.agentsListens },
      remedy: (view) =>
        remedy('correct the port', [
          `proxy_pass http://127.0.0.1:${agentsPort(view)};`,
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `A typo in proxy_pass or in an upstream block: nginx gets "connection refused" from a port that nobody was ever meant to open, or from another address than the one that the backend is bound to, while the right one is open beside it.`,
    },
    'NGX-25': {
      name: 'no server block on the public port',
      hop: 'vhost',
      title: (view) => `nginx runs and has no server block that listens on port ${view.topology.publicPort}`,
      necessary: [
        nginx.nginxRuns,
        nginx.publicPortClosed,
        nginx.routeIs(
          (_route, view) => `its configuration holds no server block with "listen ${view.topology.publicPort}"`,
          (route) => route.action === 'no-server',
        ),
      ],
      forbids: [nginx.publicUpgrades],
      lookalikes: {
        'NET-14': nginx.nginxRuns,
        'NET-05': nginx.publicPortClosed,
        'NGR-01': nginx.routeIs(
          () => 'the files on disk do not listen there either',
          (route) => route.action === 'no-server',
        ),
      },
      predicts: ['nginx.agents.upgrades', 'nginx.api.answers', 'network.public.connects', 'network.agents.upgrades'],
      remedy: (view) =>
        remedy(`put back the server block of ${view.topology.serverName}, or the line that includes it`, [
          ...deployAgain(view, 'be', 'nginx -T | grep -nE "listen|server_name|include"'),
          ...reload(view),
        ]),
      help: `nginx is up and its configuration is valid; only nothing in it listens on the public port: the file with the server block was removed, is no longer included, or names another port. Refused connections look like a stopped nginx (NET-14) or a filter (NET-05); the running process and the missing LISTEN row tell them apart.`,
    },
    'NGX-26': {
      name: 'answered by nginx itself',
      title: (view) => {
        const status = nginx.publicSeen(view)?.status;
        return `nginx answers ${view.topology.path} itself${status ? ` with ${status}` : ''} and passes nothing on`;
      },
      necessary: [
        nginx.publicFails,
        nginx.routeIs((route) => `its configuration says so: ${describe(route)}`, answersItself),
      ],
      signature: [ifVisible(backend.directUpgrades)],
      forbids: [
        nginx.routeIs(
          () => 'two server blocks claim the same name',
          (route) => route.advice.some((item) => item.rule === 'W16' && /twice/.test(item.text)),
        ),
      ],
      lookalikes: {
        'NGX-01': nginx.routeIs(
          () => 'no upstream is asked at all',
          (route) => route.target === null,
        ),
        'NGX-24': nginx.routeIs(
          () => 'the backend never sees the request',
          (route) => route.target === null,
        ),
        'CFG-04': nginx.publicFails,
      },
      predicts: [...predicts, 'nginx.api.answers'],
      remedy: (view) =>
        remedy("remove that from the agents' path, or give the path a location of its own that matches first", [
          ...agentsLocation(view),
          ...reload(view),
        ]),
      help: `A return, a redirect, a maintenance page or a location that serves files takes the agents' path before any proxy_pass does. An exact location beats a prefix, a regular expression beats a plain prefix, and a return in the server block beats every location. The status comes from nginx, not from the backend.`,
    },
    'NGX-27': {
      name: 'TLS to a port without TLS',
      title: (view) => `nginx speaks TLS to port ${agentsPort(view)}, which has none`,
      necessary: [
        nginx.publicStatus(502),
        nginx.routeIs(
          (route) => `the target is ${route.target?.text ?? ''} (${nginx.placeText(route.target?.place ?? null)})`,
          (route, view) => route.target?.scheme === 'https' && nginx.targetsPort(route, agentsPort(view)),
        ),
        backend.directUpgrades,
      ],
      lookalikes: { 'BE-01': backend.directUpgrades, 'NET-08': backend.directUpgrades },
      remedy: (view) =>
        remedy('write http:// in proxy_pass', [`proxy_pass http://127.0.0.1:${agentsPort(view)};`, ...reload(view)]),
      help: `proxy_pass https:// begins a TLS handshake with the WebSocket port, which expects a plain request: nginx answers 502 ("SSL_do_handshake() failed … wrong version number" in its error log). The same port takes an upgrade without TLS at once.`,
    },
    'NGX-28': {
      name: 'handshake header overwritten',
      title: (view) => {
        const route = nginx.routeOf(view);
        const header = route && overwritten(route);
        return `nginx overwrites the handshake header ${header?.name ?? 'Sec-WebSocket-…'}`;
      },
      necessary: [
        nginx.publicFails,
        nginx.routeToAgents,
        nginx.routeIs(
          (route) => {
            const header = overwritten(route);
            return header
              ? `proxy_set_header ${header.name} "${header.value}"; (${nginx.placeText(header.place)})`
              : 'a header of the handshake is set';
          },
          (route) =>
            overwritten(route) !== undefined && nginx.forwardsUpgrade(route) && nginx.forwardsConnection(route),
        ),
        backend.directUpgrades,
      ],
      signature: [
        sign('the backend, not nginx, rejects the modified handshake', (view) => {
          const seen = nginx.publicSeen(view);
          return tri(
            [101, 400, 426].includes(seen?.status ?? 0) && seen !== null && author.madeByNginx(view, seen) !== 'yes',
          );
        }),
      ],
      lookalikes: {
        'NGX-05': nginx.routeIs(() => 'the Upgrade header itself is right', nginx.forwardsUpgrade),
        'NGX-24': backend.directUpgrades,
      },
      remedy: (view) => remedy('remove that line; nginx passes the header on by itself', reload(view)),
      help: `Key, version and subprotocol of the handshake (Sec-WebSocket-Key, -Version, -Protocol) belong to client and backend; nginx passes them on unless told otherwise. An empty value drops the header: the backend then answers 400, or 101 without the subprotocol that the client demands.`,
    },
  },
);
