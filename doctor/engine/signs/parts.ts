// Signs about parts as systemd, Docker and /proc show them: units, processes, containers and what their logs say.
import {
  type Claim,
  type Container,
  judge,
  type Part,
  type Seat,
  type Sentences,
  type Sign,
  type Supervision,
  sign,
  some,
  type Tri,
  type UnitState,
  type View,
} from '../vocabulary/index.ts';

/** Which part of which host. */
export interface PartPlace {
  readonly seat: 'be' | 'gw';
  readonly part: Part;
}

const backendPart: PartPlace = { seat: 'be', part: 'backend' };
export const nginxPart: PartPlace = { seat: 'be', part: 'nginx' };
export const gatewayPart: PartPlace = { seat: 'gw', part: 'gateway' };
const launcherPart: PartPlace = { seat: 'gw', part: 'launcher' };

/**
 * Whether a launcher belongs to this gateway: an agent of another make starts its commands itself, whatever the inventory says.
 * An absent launcher beside our own agent is still missed.
 */
export function expectsLauncher(view: View): boolean {
  if (!view.gateway?.launcherUnit) return false;
  const launcher = view.value('unit.state', 'gw', 'launcher');
  const agent = view.value('unit.state', 'gw', 'gateway');
  if (launcher?.loadState !== 'not-found' || !agent || agent.loadState === 'not-found') return true;
  return /\/opt\/viworks\/(current|releases)\/|dist\/main\.js/.test(agent.execStart);
}

interface Intent {
  readonly supervision: Supervision;
  readonly unit: string | null;
  readonly container: string | null;
}

function intentOf(view: View, { part }: PartPlace): Intent | null {
  if (part === 'backend') return view.topology.backend;
  if (part === 'nginx') return view.topology.nginx;
  if (part === 'launcher') {
    return view.gateway && { supervision: 'systemd', unit: view.gateway.launcherUnit, container: null };
  }
  return view.gateway;
}

/** How people call the part: its unit, its container, or just what it is. */
export function nameOf(view: View, place: PartPlace): string {
  const intent = intentOf(view, place);
  return intent?.unit ?? (intent?.container ? `container ${intent.container}` : place.part);
}

/** Name of the host that a seat means. */
export function hostOf(view: View, seat: Seat): string {
  if (seat === 'gw') return view.gateway?.host.name ?? 'gateway';
  return seat === 'op' ? 'here' : view.topology.backend.host.name;
}

/** A sentence about a part; where it does not hold, the state that it is in says why. */
function about(place: PartPlace, claim: string): Sentences {
  return [
    (view) => `${nameOf(view, place)} ${claim}`,
    (view) => `${nameOf(view, place)} is ${stateWords(view, place)}`,
  ];
}

export function unitIs(place: PartPlace, claim: string, test: (unit: UnitState, view: View) => boolean | Tri): Sign {
  return sign(about(place, claim), (view) =>
    judge(view, ['unit.state', place.seat, place.part], (unit) => test(unit, view)),
  );
}

function containerOf(view: View, place: PartPlace): Container | null {
  const intent = intentOf(view, place);
  const list = view.value('docker.containers', place.seat);
  return list?.find((item) => item.name === intent?.container) ?? null;
}

export function containerIs(place: PartPlace, claim: string, test: (container: Container) => boolean | Tri): Sign {
  return sign(about(place, claim), (view) =>
    judge(view, ['docker.containers', place.seat], () => {
      const container = containerOf(view, place);
      return container ? test(container) : 'no';
    }),
  );
}

/** The part's supervisor says that it runs: active unit, running container, or simply a live process. */
export function runs(place: PartPlace): Sign {
  return sign(
    [
      (view) => `${nameOf(view, place)} is running`,
      (view) =>
        intentOf(view, place)?.supervision === 'process'
          ? `no process of ${nameOf(view, place)} runs`
          : `${nameOf(view, place)} is ${stateWords(view, place)}`,
    ],
    (view) => {
      const supervision = intentOf(view, place)?.supervision ?? 'none';
      if (supervision === 'none') return 'no';
      if (supervision === 'systemd') {
        return judge(view, ['unit.state', place.seat, place.part], (unit) => isActive(unit));
      }
      if (supervision === 'docker') {
        return containerIs(place, '', (item) => item.state === 'running').holds(view);
      }
      return judge(view, ['process.state', place.seat, place.part], (process) => process.running);
    },
  );
}

function isActive(unit: UnitState): boolean {
  return unit.activeState === 'active' || unit.activeState === 'reloading';
}

/** Failed, waiting to be started again, or being started again after it ended at least once. */
function isCrashing(unit: UnitState): boolean {
  if (unit.loadState !== 'loaded') return false;
  if (unit.subState === 'auto-restart') return true;
  if (unit.activeState === 'failed') return true;
  return unit.activeState === 'activating' && unit.restarts > 0;
}

const crashing = (place: PartPlace): Sign =>
  sign(
    [
      (view) => `${nameOf(view, place)} keeps ending (${stateWords(view, place)})`,
      (view) => `${nameOf(view, place)} is ${stateWords(view, place)}`,
    ],
    (view) =>
      some([
        judge(view, ['unit.state', place.seat, place.part], isCrashing),
        containerIs(
          place,
          '',
          (item) => item.state === 'restarting' || (item.state === 'exited' && item.exitCode !== 0),
        ).holds(view),
      ]),
  );

/** `failed (exit-code), status 64, restarted 7 times`, for texts. */
export function stateWords(view: View, place: PartPlace): string {
  const container = containerOf(view, place);
  if (container?.state === 'running') return 'running';
  if (container) return `${container.state}, exit code ${container.exitCode}`;
  const unit = view.value('unit.state', place.seat, place.part);
  if (!unit) return 'state unknown';
  if (unit.loadState !== 'loaded') return unit.loadState === 'not-found' ? 'not installed' : unit.loadState;
  const parts = [`${unit.activeState} (${unit.subState})`];
  if (unit.result !== 'success') parts.push(unit.result);
  if (unit.mainStatus !== 0) parts.push(`status ${unit.mainStatus}`);
  if (unit.restarts > 0) parts.push(`restarted ${unit.restarts} times`);
  return parts.join(', ');
}

/** Main process in the given /proc state; unknown when it could not be seen. */
function processIn(place: PartPlace, states: string, claim: string): Sign {
  return sign(
    [
      (view) => `the process of ${nameOf(view, place)} ${claim}`,
      (view) => {
        const process = view.value('process.state', place.seat, place.part);
        return `the process of ${nameOf(view, place)} ${process?.running ? `is in state ${process.state}` : 'does not run'}`;
      },
    ],
    (view) =>
      judge(
        view,
        ['process.state', place.seat, place.part],
        (process) => process.running && states.includes(process.state),
      ),
  );
}

/** Started less than `seconds` before the host's own clock was read. */
function startedWithin(place: PartPlace, seconds: number): Claim {
  return sign(
    (view) => `${nameOf(view, place)} was started less than ${seconds} s ago`,
    (view) => {
      const clock = view.value('host.clock', place.seat);
      if (!clock) return 'unknown';
      return judge(view, ['unit.state', place.seat, place.part], (unit) =>
        unit.mainStartedAtMs === null ? 'unknown' : clock.epochMs - unit.mainStartedAtMs < seconds * 1000,
      );
    },
  );
}

/** What rules and checks take from here. */
export const partSigns = {
  backendPart,
  nginxPart,
  gatewayPart,
  launcherPart,
  expectsLauncher,
  nameOf,
  hostOf,
  unitIs,
  containerOf,
  containerIs,
  runs,
  crashing,
  stateWords,
  processIn,
  startedWithin,
};
