// Signs about nginx: what the upgrade through it gets, what its configuration does with the request, what it says when it will not start.
import {
  every,
  judge,
  not,
  type RouteFact,
  type Seat,
  type Sign,
  sign,
  some,
  type Tri,
  type UpgradeObservation,
  type View,
} from '../vocabulary/index.ts';
import { upgraded } from './backend.ts';
import { excerpt, lineOf } from './logs.ts';
import { containerIs, nameOf, nginxPart, runs, stateWords, unitIs } from './parts.ts';

const viewpoints: readonly Seat[] = ['be', 'gw', 'op'];

/**
 * The vantage nearest to nginx whose upgrade through it got any HTTP answer; else the nearest that is known at all. What is refused by who
 * asks (an allow-list, a limit by address) is meant for the gateways: then their answer counts, or at least one of somebody who is let in.
 */
function publicSeat(view: View): Seat | null {
  const known = viewpoints.filter((seat) => view.value('ws.upgrade', seat, 'public') !== null);
  const answered = known.filter((seat) => isAnswer(view.value('ws.upgrade', seat, 'public')));
  const [nearest] = answered;
  if (nearest === undefined) return known[0] ?? null;
  if (!refusedByAddress(view, nearest)) return nearest;
  if (answered.includes('gw')) return 'gw';
  return answered.find((seat) => !refusedByAddress(view, seat)) ?? nearest;
}

/** Of several dials some may hang: then the others were answered. */
function isAnswer(seen: UpgradeObservation | null): boolean {
  return seen !== null && (seen.status !== null || (seen.failures > 0 && seen.failures < seen.attempts));
}

const accessRules = ['allow', 'deny'];
const limits = ['limit_conn', 'limit_req'];

/** The route has a rule that can tell askers apart by their address, and this one got its answer. */
function refusedByAddress(view: View, seat: Seat): boolean {
  const status = view.value('ws.upgrade', seat, 'public')?.status ?? 0;
  const words = status === 403 ? accessRules : status === 503 || status === 429 ? limits : [];
  if (words.length === 0) return false;
  const route = routeOf(view);
  return route === null || route.access.some((item) => words.includes(item.directive));
}

/** Nothing but a refusal by address is known of the upgrade, and the rule leaves somebody in: what the gateways would get is open. */
function onlyOthersRefused(view: View): boolean {
  const seat = publicSeat(view);
  return seat !== null && seat !== 'gw' && refusedByAddress(view, seat) && routeOf(view)?.action !== 'denied';
}

function publicSeen(view: View): UpgradeObservation | null {
  const seat = publicSeat(view);
  return seat ? view.value('ws.upgrade', seat, 'public') : null;
}

function throughNginx(test: (seen: UpgradeObservation) => boolean | Tri): (view: View) => Tri {
  return (view) => {
    const seat = publicSeat(view);
    return seat ? judge(view, ['ws.upgrade', seat, 'public'], test) : 'unknown';
  };
}

const publicUpgrades = sign(
  [
    'the upgrade through nginx gets 101',
    (view) => {
      const seen = publicSeen(view);
      const got =
        seen?.status === 101 ? `a 101 that no agent stays for (${seen.ended})` : (seen?.status ?? seen?.ended);
      return `GET ${view.topology.url} through nginx gets ${got ?? 'no answer'}${seen?.status === 101 ? '' : ' instead of 101'}`;
    },
  ],
  throughNginx(upgraded),
);
const publicFails = not(publicUpgrades);

const publicEnd = (view: View) => {
  const seen = publicSeen(view);
  return `the upgrade through nginx ${seen?.status ? `is answered with ${seen.status}` : `ends with ${seen?.ended ?? 'no answer'}`}`;
};

/** nginx (or what is behind it) answered the upgrade with one of these statuses. */
function publicStatus(...statuses: readonly number[]): Sign {
  return sign(
    [
      (view) => `the upgrade through nginx is answered with ${publicSeen(view)?.status ?? statuses.join(' or ')}`,
      publicEnd,
    ],
    throughNginx((seen) => seen.status !== null && statuses.includes(seen.status)),
  );
}

/** As publicStatus, but open while the backend itself is out: then nginx answers 502 or 504 whatever else is wrong. */
function publicStatusUnlessDown(...statuses: readonly number[]): Sign {
  const plain = publicStatus(...statuses);
  return sign(
    [plain.claim, publicEnd],
    throughNginx((seen) => {
      if (seen.status === 502 || seen.status === 504) return 'unknown';
      return seen.status !== null && statuses.includes(seen.status);
    }),
  );
}

function routeOf(view: View): RouteFact | null {
  return view.value('nginx.route', 'be', 'agents');
}

/** No block has the name, and another one, which is not meant for the agents, takes its requests: what it does with them is its own affair. */
function isStranger(route: RouteFact, view: View): boolean {
  const { server, host } = route;
  if (server === null || server.matched || server.alone || /^[\d.]+$|:/.test(host)) return false;
  return route.rejectsHandshake !== null || !targetsPort(route, view.topology.backend.agentsPort);
}

type RouteText = (route: RouteFact, view: View) => string;

/**
 * A statement on what the configuration does with the agents' path; a route that could not be computed leaves it open. Without a sentence
 * of its own for the other case it says where the path is sent.
 */
function routeIs(
  says: RouteText | readonly [holds: RouteText, fails: RouteText],
  test: (route: RouteFact, view: View) => boolean,
): Sign {
  const [claim, denial] =
    typeof says === 'function'
      ? [says, (route: RouteFact) => `the configuration says otherwise: ${routeText(route)}`]
      : says;
  const text = (of: RouteText) => (view: View) => {
    const route = routeOf(view);
    return route ? of(route, view) : 'what nginx does with the path is not known';
  };
  return sign([text(claim), text(denial)], (view) =>
    judge(view, ['nginx.route', 'be', 'agents'], (route) =>
      route.action === 'undecided' ? 'unknown' : !isStranger(route, view) && test(route, view),
    ),
  );
}

const nobodyHasTheName = sign(
  [
    (view) => {
      const route = routeOf(view);
      const known = route?.knownNames.map((item) => `${item.name} (${placeText(item)})`).join(', ') ?? '';
      return `no server block has the name ${view.topology.serverName}; ${known ? `those on its port are ${known}` : 'none on its port has a name'}`;
    },
    (view) => `a server block takes the requests for ${view.topology.serverName}`,
  ],
  (view) => judge(view, ['nginx.route', 'be', 'agents'], (route) => isStranger(route, view)),
);

function placeText(place: { readonly file: string; readonly line: number } | null): string {
  return place ? `${place.file}:${place.line}` : 'nginx configuration';
}

function routeText(route: RouteFact): string {
  const location = route.location;
  const where = location
    ? `location ${location.modifier ? `${location.modifier} ` : ''}${location.pattern}`
    : 'the server block itself';
  return `${placeText(location ?? route.server)} ${where}${route.target ? ` → ${route.target.text}` : ''}`;
}

/** Every address of the target has this port. */
function targetsPort(route: RouteFact, port: number): boolean {
  const addresses = route.target?.addresses ?? [];
  return addresses.length > 0 && addresses.every((address) => address.port === port);
}

const routeToAgents = routeIs(
  [
    (route) => `the configuration sends the path to the agents port (${routeText(route)})`,
    (route) => `the configuration does not send the path to the agents port (${routeText(route)})`,
  ],
  (route, view) => route.action === 'proxy' && targetsPort(route, view.topology.backend.agentsPort),
);

/** The path arrives unchanged, with both upgrade headers, at the agents port. */
const routeGood = routeIs(
  [
    (route) => `the configuration on disk is right (${routeText(route)})`,
    (route) => `the configuration on disk is wrong as well (${routeText(route)})`,
  ],
  (route, view) =>
    route.action === 'proxy' &&
    targetsPort(route, view.topology.backend.agentsPort) &&
    route.target?.upstreamPath === view.topology.path &&
    forwardsUpgrade(route) &&
    forwardsConnection(route),
);

function forwardsUpgrade(route: RouteFact): boolean {
  return route.upgradeHeader.sends?.toLowerCase() === 'websocket';
}

function forwardsConnection(route: RouteFact): boolean {
  return route.connectionHeader.sends?.toLowerCase().includes('upgrade') ?? false;
}

/** A file of the configuration is younger than the youngest worker. Start times are counted in ticks of 10 ms from a boot time that is read to the millisecond. */
const configNewerThanWorkers = sign(
  ['a configuration file is newer than the running workers', 'the running workers are newer than the configuration'],
  (view) => {
    const processes = view.read('nginx.processes', 'be');
    const files = view.read('nginx.files', 'be');
    if (processes.status !== 'known' || files.status !== 'known') return 'unknown';
    const starts = processes.value.workers.flatMap((worker) =>
      worker.shuttingDown || worker.startedAtMs === null ? [] : [worker.startedAtMs],
    );
    const times = files.value.files.flatMap((file) => (file.mtimeMs === null ? [] : [file.mtimeMs]));
    if (starts.length === 0 || times.length === 0) return 'unknown';
    return Math.max(...times) > Math.max(...starts) + 200 ? 'yes' : 'no';
  },
);

const nginxRuns = runs(nginxPart);

const nginxFailed = sign(
  [
    (view) => `nginx could not start (${containerOrUnit(view)})`,
    (view) => `${nameOf(view, nginxPart)} is ${stateWords(view, nginxPart)}`,
  ],
  (view) =>
    some([
      unitIs(nginxPart, '', (unit) => unit.activeState === 'failed' || unit.subState === 'auto-restart').holds(view),
      containerIs(
        nginxPart,
        '',
        (item) => item.state === 'restarting' || (item.state === 'exited' && item.exitCode !== 0),
      ).holds(view),
      // Between two ends of a restart loop the container runs, and its nginx is not yet a master of anything.
      every([
        containerIs(nginxPart, '', (item) => item.restartCount > 0).holds(view),
        judge(view, ['nginx.processes', 'be'], (seen) => seen.masterPid === null),
        judge(view, ['tcp.listeners', 'be/ns:nginx'], (rows) =>
          rows.every((row) => row.port !== view.topology.publicPort),
        ),
      ]),
    ]),
);

function containerOrUnit(view: View): string {
  const unit = view.value('unit.state', 'be', 'nginx');
  return unit ? `${unit.name}: ${unit.activeState} (${unit.result})` : 'its container has ended';
}

/** The newest [emerg] line that matches, from nginx's logs since its last start or from `nginx -t` now. */
function emergency(view: View, pattern: RegExp): string | null {
  for (const part of ['nginx-error', 'nginx'] as const) {
    const line = lineOf(view, { seat: 'be', part }, pattern);
    if (line) return excerpt(line.text);
  }
  const output = view.value('nginx.test', 'be')?.output ?? '';
  return output.split('\n').find((line) => pattern.test(line)) ?? null;
}

function saysEmergency(pattern: RegExp): Sign {
  return sign(
    [
      (view) => `nginx says: ${emergency(view, pattern) ?? '[emerg] …'}`,
      'nginx itself says nothing of the kind, in its log or when its configuration is tested',
    ],
    (view) =>
      some([
        ...(['nginx-error', 'nginx'] as const).map((part) =>
          judge(view, ['log.tail', 'be', part], (tail): Tri => {
            if (tail.lines.some((line) => pattern.test(line.text))) return tail.sinceMs === null ? 'unknown' : 'yes';
            return tail.truncated ? 'unknown' : 'no';
          }),
        ),
        judge(view, ['nginx.test', 'be'], (seen) => !seen.ok && pattern.test(seen.output)),
      ]),
  );
}

/** Something listens on the public port of the backend host. */
const publicPortListens = sign(
  [
    (view) => `port ${view.topology.publicPort} has a LISTEN row on the backend host`,
    (view) => `nothing listens on port ${view.topology.publicPort} of the backend host`,
  ],
  (view) => {
    // A published port is held by Docker whatever happens behind it.
    const inside =
      view.topology.nginx.supervision === 'docker' && view.read('tcp.listeners', 'be/ns:nginx').status === 'known';
    const seat = inside ? 'be/ns:nginx' : 'be';
    return judge(view, ['tcp.listeners', seat], (rows) => rows.some((row) => row.port === view.topology.publicPort));
  },
);
const publicPortClosed = not(publicPortListens);

/** What the route leaves out of an answer to an upgrade although every agent looks for it. */
function strippedOf(route: RouteFact | null, seen: UpgradeObservation | null): RouteFact['settings'][number] | null {
  const name =
    seen?.ended === 'bad-accept-key'
      ? 'sec-websocket-accept'
      : seen?.ended === 'no-subprotocol'
        ? 'sec-websocket-protocol'
        : null;
  const hides = route?.settings.filter((item) => item.directive === 'proxy_hide_header') ?? [];
  return hides.find((item) => item.value.toLowerCase() === name) ?? null;
}

const stripped = (view: View) => strippedOf(routeOf(view), publicSeen(view));

/** The port itself sends the header, and the route takes it out. */
const answerStripped = sign(
  [
    (view) => {
      const line = stripped(view);
      return `${line?.directive ?? 'proxy_hide_header'} ${line?.value ?? ''} (${placeText(line)}) takes a header out of the answer that the agents look for`;
    },
    'nginx takes nothing out of the answer that the agents look for',
  ],
  (view) =>
    every([
      judge(view, ['nginx.route', 'be', 'agents'], () => stripped(view) !== null),
      judge(view, ['ws.upgrade', 'be', 'direct'], upgraded),
    ]),
);

/** What rules and checks take from here. */
export const nginxSigns = {
  publicSeat,
  onlyOthersRefused,
  publicSeen,
  publicUpgrades,
  publicFails,
  publicStatus,
  publicStatusUnlessDown,
  routeOf,
  routeIs,
  nobodyHasTheName,
  answerStripped,
  stripped,
  placeText,
  routeText,
  targetsPort,
  routeToAgents,
  routeGood,
  forwardsUpgrade,
  forwardsConnection,
  configNewerThanWorkers,
  nginxRuns,
  nginxFailed,
  emergency,
  saysEmergency,
  publicPortListens,
  publicPortClosed,
};
