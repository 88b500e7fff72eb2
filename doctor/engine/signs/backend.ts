// Signs about the backend: its listeners as the kernel has them, and what answers when its ports are dialled directly.
import {
  every,
  judge,
  type Listener,
  not,
  type Seat,
  sign,
  some,
  type Tri,
  type UpgradeObservation,
  type UpgradeStage,
  upgradeStages,
  type View,
} from '../vocabulary/index.ts';

function reached(seen: UpgradeObservation, stage: UpgradeStage): boolean {
  return upgradeStages.indexOf(seen.reached) >= upgradeStages.indexOf(stage);
}

/** A 101 whose accept key is right: somebody there speaks WebSocket. */
function switched(seen: UpgradeObservation): boolean {
  return reached(seen, 'accepted') && seen.acceptKeyOk !== false;
}

/** A 101 that an agent would stay for. */
export function upgraded(seen: UpgradeObservation): boolean {
  return switched(seen) && seen.ended !== 'no-subprotocol';
}

/** The network namespace in which the backend's own listeners are: its container's, or the host's. */
function backendSeat(view: View): Seat {
  if (view.topology.backend.supervision !== 'docker') return 'be';
  return view.read('tcp.listeners', 'be/ns:agent').status === 'not-applicable' ? 'be' : 'be/ns:agent';
}

function isProxy(row: Listener): boolean {
  return row.process === 'docker-proxy' && (row.uid === null || row.uid === 0);
}

/** Held open by systemd for a socket unit: says nothing about the service behind it. */
function isHeldBySystemd(row: Listener): boolean {
  return row.pid === 1 || row.unit === 'init.scope';
}

/** Rows on a port in the backend's namespace; null when listeners are not known there. */
function rowsOn(view: View, port: number, seat: Seat = backendSeat(view)): readonly Listener[] | null {
  const rows = view.value('tcp.listeners', seat);
  return rows?.filter((row) => row.port === port && !isProxy(row)) ?? null;
}

function listens(port: (view: View) => number): (view: View) => Tri {
  return (view) =>
    judge(view, ['tcp.listeners', backendSeat(view)], (rows) =>
      rows.some((row) => row.port === port(view) && !isProxy(row)),
    );
}

const agentsPort = (view: View) => view.topology.backend.agentsPort;
const apiPort = (view: View) => view.topology.backend.apiPort;

const agentsListens = sign(
  [
    (view) => `port ${agentsPort(view)} has a LISTEN row`,
    (view) => `the kernel has no LISTEN row for port ${agentsPort(view)}`,
  ],
  listens(agentsPort),
);
const agentsNotListening = not(agentsListens);

const apiText = (view: View) => {
  const seen = view.value('http.response', 'be', 'api-health');
  if (seen?.outcome !== 'response') return `port ${apiPort(view)} does not answer GET /health (${seen?.outcome ?? ''})`;
  return `port ${apiPort(view)} answers GET /health${seen.status ? ` with ${seen.status}` : ''}`;
};
const apiAnswers = sign([apiText, apiText], (view) =>
  judge(view, ['http.response', 'be', 'api-health'], (seen) => seen.outcome === 'response'),
);

const apiSilent = sign([(view) => `port ${apiPort(view)} accepts a connection and says nothing`, apiText], (view) =>
  judge(view, ['http.response', 'be', 'api-health'], (seen) => seen.outcome === 'timeout'),
);

function direct(test: (seen: UpgradeObservation) => boolean | Tri): (view: View) => Tri {
  return (view) => judge(view, ['ws.upgrade', 'be', 'direct'], test);
}

const directText = (view: View) => `the upgrade sent straight to port ${agentsPort(view)}`;

/** How it ended, for signs that expected another end. */
function directEnd(view: View): string {
  const seen = view.value('ws.upgrade', 'be', 'direct');
  if (!seen) return `${directText(view)} ends otherwise`;
  if (seen.status !== null) return `${directText(view)} is answered with ${seen.status}`;
  return `${directText(view)} ends with ${seen.ended}`;
}

const directUpgrades = sign(
  [(view) => `${directText(view)} gets 101`, (view) => `${directText(view)} fails`],
  direct(upgraded),
);
const directFails = not(directUpgrades);
const directRefused = sign([(view) => `${directText(view)} is refused`, directEnd], (view) =>
  some([
    direct((seen) => seen.ended === 'refused')(view),
    judge(view, ['tcp.connect', 'be', 'agents'], (seen) => seen.outcome === 'refused'),
  ]),
);
const directSilent = sign(
  [(view) => `${directText(view)} connects and then hears nothing`, directEnd],
  direct((seen) => seen.reached === 'tcp' && seen.ended === 'timeout'),
);
const directConnectTimeout = sign(
  [(view) => `${directText(view)} cannot even connect (timeout)`, directEnd],
  direct((seen) => seen.reached === 'none' && seen.ended === 'timeout'),
);
const directClosed = sign(
  [(view) => `${directText(view)} connects and is cut off without an answer`, directEnd],
  direct((seen) => seen.reached === 'tcp' && (seen.ended === 'reset' || seen.ended === 'closed')),
);
const directStatus = sign(
  [
    (view) => `${directText(view)} is answered with ${view.value('ws.upgrade', 'be', 'direct')?.status ?? 'a status'}`,
    directEnd,
  ],
  direct((seen) => seen.status !== null && seen.status !== 101),
);
const directRootUpgrades = sign(
  [
    (view) => `on path / port ${agentsPort(view)} answers 101`,
    (view) => `on path / port ${agentsPort(view)} answers no 101 either`,
  ],
  (view) => judge(view, ['ws.upgrade', 'be', 'direct-root'], switched),
);

/** The row's queue: our held dial stayed in it, so nobody accepts. */
const queueRises = sign(
  [
    (view) => {
      const seen = view.value('tcp.queue', backendSeat(view), 'agents');
      const numbers = seen ? ` (Recv-Q ${seen.before} → ${seen.during} during one extra dial)` : '';
      return `connections to port ${agentsPort(view)} pile up in the accept queue${numbers}`;
    },
    (view) => `connections to port ${agentsPort(view)} do not stay in the accept queue`,
  ],
  (view) => {
    const seat = backendSeat(view);
    return judge(view, ['tcp.queue', seat, 'agents'], (seen): Tri => {
      if (seen.during > seen.before) return 'yes';
      if (seen.backlog > 0 && seen.before > seen.backlog) return 'yes';
      return 'no';
    });
  },
);
const queueEmpty = sign(
  [
    (view) => `the accept queue of port ${agentsPort(view)} is empty (Recv-Q 0)`,
    (view) => `connections wait in the accept queue of port ${agentsPort(view)}, or nothing listens there`,
  ],
  (view) =>
    judge(view, ['tcp.listeners', backendSeat(view)], (rows) => {
      const own = rows.filter((row) => row.port === agentsPort(view) && !isProxy(row));
      return own.length > 0 && own.every((row) => row.recvQ === 0);
    }),
);

/** Whether a row belongs to another unit than the backend's; unknown when its owner is not visible. */
function isForeign(view: View, row: Listener): Tri {
  const { unit, sockets } = view.topology.backend;
  if (unit === null || isHeldBySystemd(row)) return 'no';
  const process = view.value('process.state', 'be', 'backend');
  if (row.pid !== null && process?.running && process.pid === row.pid) return 'no';
  // Under the name that systemd has for it, too: a name is no fault.
  const own = [unit, view.value('unit.state', 'be', 'backend')?.name ?? unit, ...sockets];
  if (row.unit === null || row.ownership !== 'observed') return own.includes(row.unit ?? '') ? 'no' : 'unknown';
  return own.includes(row.unit) ? 'no' : 'yes';
}

/** Who holds one of the two ports in the backend's place. */
function foreignHolder(view: View): Listener | null {
  const rows = [agentsPort(view), apiPort(view)].flatMap((port) => rowsOn(view, port) ?? []);
  return rows.find((row) => isForeign(view, row) === 'yes') ?? null;
}

/** The two uids that have the same name everywhere. */
const userNames: Readonly<Record<number, string>> = { 0: 'root', 65534: 'nobody' };

/** `/tmp/nc (pid 4711, user nobody)`. */
export function holderText({ process, pid, uid }: Listener): string {
  const user = uid === null ? null : `user ${userNames[uid] ?? uid}`;
  const about = [pid === null ? null : `pid ${pid}`, user].filter((part) => part !== null).join(', ');
  return `${process ?? 'a process'}${about ? ` (${about})` : ''}`;
}

/** Owner of one of the ports is somebody else's unit; unknown when the owner is not visible. */
const portsForeign = sign(
  [
    (view) => {
      const row = foreignHolder(view);
      if (!row) return `port ${agentsPort(view)} is held by another program`;
      return `port ${row.port} is held by ${holderText(row)}${row.unit ? ` in ${row.unit}` : ''}, not by the backend`;
    },
    (view) => {
      const rows = rowsOn(view, agentsPort(view)) ?? [];
      return rows.length > 0
        ? `port ${agentsPort(view)} is held by the backend itself`
        : `nobody holds port ${agentsPort(view)}`;
    },
  ],
  (view) =>
    judge(view, ['tcp.listeners', backendSeat(view)], (rows): Tri => {
      const ports = [agentsPort(view), apiPort(view)];
      const held = rows.filter((row) => ports.includes(row.port) && !isProxy(row));
      return some(held.map((row) => isForeign(view, row)));
    }),
);

const onlySystemdListens = sign('only systemd holds the sockets, no process serves them', (view) =>
  judge(view, ['tcp.listeners', 'be'], (rows) => {
    const { apiPort: api, agentsPort: agents } = view.topology.backend;
    const own = rows.filter((row) => (row.port === api || row.port === agents) && !isProxy(row));
    return every(own.map((row) => (isHeldBySystemd(row) ? 'yes' : row.process === null ? 'unknown' : 'no')));
  }),
);

/** Ports on which the backend's own unit (or, unprivileged, its user) listens besides the two it should have. */
function otherBackendPorts(view: View): { readonly ports: readonly number[]; readonly certain: boolean } {
  const rows = view.value('tcp.listeners', backendSeat(view));
  if (!rows) return { ports: [], certain: false };
  const { apiPort: api, agentsPort: agents, unit } = view.topology.backend;
  const apiRow = rows.find((row) => row.port === api && !isProxy(row));
  const others = rows.filter((row) => row.port !== api && row.port !== agents && row.port !== 22 && row.port !== 443);
  const byUnit = others.filter((row) => unit !== null && row.unit === unit);
  const sameUser = others.filter(
    (row) => row.unit === null && apiRow?.uid !== null && apiRow?.uid !== undefined && row.uid === apiRow.uid,
  );
  const ports = [...new Set([...byUnit, ...sameUser].map((row) => row.port))].sort((a, b) => a - b);
  return { ports, certain: sameUser.length === 0 };
}

/** What rules and checks take from here. */
export const backendSigns = {
  reached,
  switched,
  upgraded,
  backendSeat,
  isProxy,
  rowsOn,
  agentsListens,
  agentsNotListening,
  apiAnswers,
  apiSilent,
  directUpgrades,
  directFails,
  directRefused,
  directSilent,
  directConnectTimeout,
  directClosed,
  directStatus,
  directRootUpgrades,
  queueRises,
  queueEmpty,
  portsForeign,
  foreignHolder,
  holderText,
  onlySystemdListens,
  otherBackendPorts,
};
