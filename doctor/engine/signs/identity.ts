// Whether the program that was spoken to is the program that is meant: the kernel's owner of the port against the part's unit, process or
// container. An open port, a 101 and a status code say nothing about who gave them.
import {
  every,
  judge,
  type Listener,
  negate,
  type Seat,
  sign,
  some,
  type Tri,
  type View,
} from '../vocabulary/index.ts';
import { backendSigns, holderText } from './backend.ts';
import { gatewaySigns } from './gateway.ts';
import { partSigns } from './parts.ts';

/** The program whose behaviour a cause speaks of. */
export type Program = 'backend' | 'nginx' | 'gateway';

interface Place {
  readonly seat: Seat;
  readonly ports: readonly number[];
  /** Units that may own the port, under the name that is expected and under the one that was found. */
  readonly units: readonly string[];
  readonly pids: readonly number[];
  /** A network namespace that holds nothing but this program. */
  readonly alone: boolean;
}

function placeOf(view: View, program: Program): Place {
  const seat = seatOf(view, program);
  const host = program === 'gateway' ? 'gw' : 'be';
  const unit = view.value('unit.state', host, program);
  const process = view.value('process.state', host, program);
  const { backend, nginx } = view.topology;
  const intent = program === 'backend' ? backend : program === 'nginx' ? nginx : view.gateway;
  const container = view.value('docker.containers', 'be')?.find((item) => item.name === intent?.container);
  const own = program === 'nginx' ? view.value('nginx.processes', 'be') : null;
  return {
    seat,
    ports: portsOf(view, program),
    units: [intent?.unit, unit?.name, ...(program === 'backend' ? backend.sockets : [])].filter((name) => name != null),
    pids: [
      process?.running ? process.pid : null,
      container?.pid,
      own?.masterPid,
      ...(own?.workers.map((worker) => worker.pid) ?? []),
    ].filter((pid) => pid != null),
    alone: seat === 'be/ns:agent' || seat === 'be/ns:nginx',
  };
}

function seatOf(view: View, program: Program): Seat {
  if (program === 'gateway') return 'gw';
  if (program === 'backend') return backendSigns.backendSeat(view);
  const inside = view.topology.nginx.supervision === 'docker' && view.value('tcp.listeners', 'be/ns:nginx') !== null;
  return inside ? 'be/ns:nginx' : 'be';
}

function portsOf(view: View, program: Program): readonly number[] {
  if (program === 'backend') return [view.topology.backend.agentsPort, view.topology.backend.apiPort];
  if (program === 'nginx') return [view.topology.publicPort];
  return [Number(view.value('agent.config', 'gw', 'gateway')?.values['local_api.port'] ?? 8443)];
}

function owns(place: Place, row: Listener): Tri {
  if (place.alone || (row.pid !== null && place.pids.includes(row.pid))) return 'yes';
  // A socket that systemd holds belongs to the socket unit that asked for it; Docker's proxy stands for the container behind it.
  if (row.process === 'systemd' || row.unit === 'init.scope' || row.process === 'docker-proxy') return 'yes';
  if (row.unit !== null && place.units.includes(row.unit)) return 'yes';
  if (row.unit === null || row.ownership !== 'observed' || place.units.length === 0) return 'unknown';
  return 'no';
}

/**
 * Every owner of the program's ports is the program; a port that nobody holds cannot be mistaken for it. Where the owner is not visible, a
 * program that its supervisor does not run is not the owner.
 */
export function isItself(view: View, program: Program): Tri {
  const place = placeOf(view, program);
  const owner = judge(view, ['tcp.listeners', place.seat], (rows) =>
    every(rows.filter((row) => place.ports.includes(row.port)).map((row) => owns(place, row))),
  );
  const seat = program === 'gateway' ? 'gw' : 'be';
  return owner === 'unknown' && partSigns.runs({ seat, part: program }).holds(view) === 'no' ? 'no' : owner;
}

/** The first owner that is somebody else, in words. */
export function strangerText(view: View, program: Program): string {
  const place = placeOf(view, program);
  const rows = view.value('tcp.listeners', place.seat) ?? [];
  const row = rows.find((item) => place.ports.includes(item.port) && owns(place, item) === 'no');
  if (!row) return `the ${program} itself is not running`;
  return `port ${row.port} is held by ${holderText(row)}${row.unit ? ` in ${row.unit}` : ''}, not by the ${program}`;
}

/**
 * Somebody else holds a port of the backend where it was said which unit that is: then nothing that is answered there is the backend's word,
 * since a 101 and a CHALLENGE are easily made.
 */
function isSquatted(view: View): Tri {
  if (view.topology.inferred.includes('backend.unit')) return 'no';
  const seen: Tri = view.read('process.state', 'be', 'backend').status === 'known' ? 'yes' : 'unknown';
  return every([backendSigns.portsForeign.holds(view), seen, negate(startedByRoot(view))]);
}

/** Root started it from a login session, and the gateway holds its link through it: that is whoever runs this host, not a stranger. */
function startedByRoot(view: View): Tri {
  const inSession = judge(view, ['tcp.listeners', 'be'], () => {
    const holder = backendSigns.foreignHolder(view);
    return holder?.uid === 0 && /^session-.*\.scope$/.test(holder.unit ?? '');
  });
  return every([inSession, backendSigns.directUpgrades.holds(view), gatewaySigns.linkUp.holds(view)]);
}

/** It upgrades and is not the backend: by its owner, or since no challenge comes, whatever else it says. */
const answersAsStranger = sign(
  [
    (view) => `what answers on port ${view.topology.backend.agentsPort} is not the backend`,
    (view) => `what answers on port ${view.topology.backend.agentsPort} speaks as the backend does`,
  ],
  (view) => {
    if (view.topology.kind !== 'viworks') return 'no';
    const isSilent = judge(
      view,
      ['ws.upgrade', 'be', 'direct'],
      (seen) => backendSigns.switched(seen) && seen.challenged !== true && seen.hello !== 'accepted',
    );
    return some([isSquatted(view), isSilent]);
  },
);

/** The backend serves its ports although its unit does not run it: its process holds them, or it speaks as only a backend does. */
const servedByHand = sign('the backend itself serves the port, outside of its unit', (view) => {
  const byRoot = startedByRoot(view);
  if (byRoot === 'yes') return 'yes';
  const otherwise: Tri = view.topology.kind === 'viworks' ? 'no' : 'unknown';
  const speaks = judge(view, ['ws.upgrade', 'be', 'direct'], (seen) => (seen.challenged === true ? 'yes' : otherwise));
  const named = isItself(view, 'backend');
  return every([
    negate(isSquatted(view)),
    backendSigns.directUpgrades.holds(view),
    named === 'no' ? speaks : some([speaks, named]),
  ]);
});

/** What rules and checks take from here. */
export const identitySigns = {
  answersAsStranger,
  servedByHand,
  portForeign: (view: View): Tri => every([backendSigns.portsForeign.holds(view), negate(servedByHand.holds(view))]),
};
