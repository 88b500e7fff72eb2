// How systemd words what keeps a unit from running, and the causes' common judgement of a part that nobody runs.
import {
  every,
  judge,
  negate,
  type Sign,
  sign,
  signs,
  some,
  type Tri,
  type UnitState,
  type View,
} from '../engine/index.ts';
import { on } from './texts.ts';

const { parts, setup } = signs;
type Place = typeof parts.gatewayPart;

/** A unit that is a link into a release and not enabled says `linked`. */
export function isDisabled(unit: UnitState): boolean {
  return ['disabled', 'linked', 'linked-runtime'].includes(unit.unitFileState);
}

/** systemd's own statuses for a program that it could not run, systemd.exec(5); what is above them a program can say itself. */
export function neverRan(unit: UnitState): boolean {
  return unit.mainStatus >= 200 && unit.mainStatus <= 243 && unit.mainCode !== 'killed';
}

export function isMasked(unit: UnitState): boolean {
  return unit.loadState === 'masked' || unit.unitFileState.startsWith('masked');
}

export function notMasked(place: Place): Sign {
  return parts.unitIs(place, 'is not masked', (unit) => !isMasked(unit));
}

/** Why a unit does not run although nothing failed. */
export type DownWord = 'stopped' | 'not enabled' | 'masked' | 'not installed';

/** For texts; `stopped` where nothing more is known. */
export function downWord(view: View, place: Place): DownWord {
  const unit = view.value('unit.state', place.seat, place.part);
  if (!unit) return 'stopped';
  if (isMasked(unit)) return 'masked';
  if (unit.loadState === 'not-found') return 'not installed';
  return isDisabled(unit) ? 'not enabled' : 'stopped';
}

/** Nothing in systemd itself keeps the unit down: a condition, a dependency, a rival, a refused file. */
function notHeld(view: View, place: Place): Tri {
  return negate(setup.heldDown(place).holds(view));
}

/** A clean end, or none at all, that systemd itself had no part in. */
export function endedWell(place: Place): Sign {
  return sign(
    [
      (view) => `${parts.nameOf(view, place)} ended without an error, or never ran, and systemd does not hold it down`,
      (view) => `${parts.nameOf(view, place)} failed, or systemd holds it down`,
    ],
    (view) =>
      every([
        judge(view, ['unit.state', place.seat, place.part], (unit) => unit.result === 'success'),
        notHeld(view, place),
      ]),
  );
}

/**
 * Nobody runs the part, and it did not fail: stopped, masked, or no such unit at all. A missing unit says something only where the
 * unit's name was told, and where no process of its kind runs either.
 */
export function unitDown(place: Place, named: (view: View) => boolean): (view: View) => Tri {
  return (view) =>
    judge(view, ['unit.state', place.seat, place.part], (unit): Tri => {
      if (unit.activeState !== 'inactive') return 'no';
      if (isMasked(unit)) return 'yes';
      if (unit.loadState === 'loaded') return unit.result === 'success' ? notHeld(view, place) : 'no';
      if (unit.loadState !== 'not-found') return 'no';
      if (!named(view)) return 'unknown';
      return judge(view, ['process.state', place.seat, place.part], (process) => !process.running);
    });
}

export function downSign(place: Place, ...ways: readonly ((view: View) => Tri)[]): Sign {
  return sign(
    [
      (view) => `${parts.nameOf(view, place)} is ${downWord(view, place)} (${parts.stateWords(view, place)})`,
      (view) => `${parts.nameOf(view, place)} is ${parts.stateWords(view, place)}`,
    ],
    (view) => some(ways.map((way) => way(view))),
  );
}

/** What brings a unit back that is down in this way. */
export function bringBack(view: View, place: Place, start: string): readonly string[] {
  const unit = parts.nameOf(view, place);
  const word = downWord(view, place);
  if (word === 'masked') return on(view, place.seat, `systemctl unmask ${unit}`, `systemctl enable --now ${unit}`);
  if (word === 'not enabled') return on(view, place.seat, `systemctl enable --now ${unit}`);
  return on(view, place.seat, start);
}

/** How a unit that nobody runs came to be so, as far as its own times and the journal say. */
export function stopWord(view: View, place: Place): string {
  const unit = view.value('unit.state', place.seat, place.part);
  const lines = view.value('log.tail', place.seat, place.part)?.lines ?? [];
  if (unit && unit.mainStartedAtMs === null && unit.inactiveSinceMs === null)
    return 'has not been started since the host booted';
  const ended = lines.findLastIndex((line) => /: Deactivated successfully/.test(line.text));
  const asked = lines.findLastIndex((line) => /^(Stopping|Stopped) /.test(line.text));
  // The end of a stop says both; an end of its own says only the first.
  if (ended >= 0 && asked < 0 && unit)
    return `ended by itself without an error, and Restart=${unit.restartPolicy} leaves it so`;
  return 'was stopped';
}
