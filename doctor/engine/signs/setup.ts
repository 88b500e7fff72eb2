// Signs about how systemd holds a part's unit: its settings with their places, conditions, dependencies, what keeps it from starting.
import {
  every,
  judge,
  type RelatedUnit,
  type Sign,
  sign,
  some,
  type Tri,
  type UnitSetting,
  type UnitSetup,
  type UnitState,
  type View,
} from '../vocabulary/index.ts';
import { nameOf, type PartPlace } from './parts.ts';

function setupOf(view: View, place: PartPlace): UnitSetup | null {
  return view.value('unit.setup', place.seat, place.part);
}

function setupIs(
  place: PartPlace,
  claim: string | ((view: View) => string),
  test: (setup: UnitSetup, view: View) => boolean | Tri,
): Sign {
  return sign([claim, (view) => `nothing in how ${nameOf(view, place)} is set up points to it`], (view) =>
    judge(view, ['unit.setup', place.seat, place.part], (setup) => test(setup, view)),
  );
}

/** The assignments of one name that count: what stands before an empty one is taken back by it. */
function settingsOf(view: View, place: PartPlace, name: string): readonly UnitSetting[] {
  const all = setupOf(view, place)?.settings.filter((item) => item.name === name) ?? [];
  return all.slice(all.findLastIndex((item) => item.value === '') + 1);
}

interface Wanted {
  readonly names: readonly string[];
  readonly test: (value: string) => boolean;
}

/** The newest assignment of any of these names that counts and passes the test. */
function settingWhere(view: View, place: PartPlace, { names, test }: Wanted): UnitSetting | null {
  const order = setupOf(view, place)?.settings ?? [];
  const all = names.flatMap((name) => settingsOf(view, place, name)).filter((item) => test(item.value));
  return all.sort((a, b) => order.indexOf(a) - order.indexOf(b)).at(-1) ?? null;
}

function settingOf(view: View, place: PartPlace, names: readonly string[]): UnitSetting | null {
  return settingWhere(view, place, { names, test: () => true });
}

/** `User=nobody2 (/etc/systemd/system/x.service.d/50.conf:3)`. */
function worded(setting: UnitSetting): string {
  const value = setting.value.length > 120 ? `${setting.value.slice(0, 119)}…` : setting.value;
  return `${setting.name}=${value} (${at(setting)})`;
}

function at(setting: { readonly file: string; readonly line: number }): string {
  return `${setting.file}:${setting.line}`;
}

const unitTri = (view: View, place: PartPlace, test: (unit: UnitState) => boolean): Tri =>
  judge(view, ['unit.state', place.seat, place.part], test);

const isDown = (unit: UnitState): boolean => unit.activeState === 'inactive' || unit.activeState === 'failed';
const isLoaded = (unit: UnitState): boolean => unit.loadState === 'loaded';

const skippedLine = /skipped because of an unmet condition check \((.*)\)/;

/** The condition that kept the last start from happening, and where it is written, if it still is. */
function unmetOf(view: View, place: PartPlace): { readonly text: string; readonly setting: UnitSetting | null } | null {
  const said = view.value('log.tail', place.seat, place.part)?.lines.findLast((line) => skippedLine.test(line.text));
  const text = setupOf(view, place)?.unmet[0] ?? (said && skippedLine.exec(said.text)?.[1]);
  if (text === undefined) return null;
  const bare = (value: string) => value.replaceAll(/[|\s]/g, '');
  const all = setupOf(view, place)?.settings ?? [];
  return { text, setting: all.findLast((item) => bare(`${item.name}=${item.value}`) === bare(text)) ?? null };
}

/** The last start was skipped. A unit that was never to be started has "no" there as well, without a time. */
const skipped = (place: PartPlace): Sign =>
  sign(
    [
      (view) => {
        const unmet = unmetOf(view, place);
        const where = unmet?.setting ? ` (${at(unmet.setting)})` : '';
        return `systemd skipped the start of ${nameOf(view, place)}: ${unmet ? `${unmet.text} is not met${where}` : 'a condition is not met'}`;
      },
      (view) => `systemd did not skip the start of ${nameOf(view, place)}`,
    ],
    (view) =>
      every([
        unitTri(view, place, (unit) => isLoaded(unit) && isDown(unit)),
        judge(
          view,
          ['unit.setup', place.seat, place.part],
          (setup) => setup.unmet.length > 0 || (setup.conditionsMet === false && setup.checkedAtMs !== null),
        ),
      ]),
  );

const fileRefused = (place: PartPlace): Sign =>
  sign(
    [
      (view) => {
        const setup = setupOf(view, place);
        const state = view.value('unit.state', place.seat, place.part)?.loadState ?? '';
        return `systemd refuses the files of ${nameOf(view, place)} (LoadState=${state})${setup?.loadError ? `: ${setup.loadError}` : ''}`;
      },
      (view) => `systemd has loaded the files of ${nameOf(view, place)}`,
    ],
    (view) => unitTri(view, place, (unit) => unit.loadState === 'bad-setting' || unit.loadState === 'error'),
  );

/** How far apart two units may change for one to have taken the other along, in ms. */
const TOGETHER_MS = 10_000;

function together(a: number | null, b: number | null): boolean {
  return a !== null && b !== null && Math.abs(a - b) <= TOGETHER_MS;
}

const unusable = ['not-found', 'masked', 'bad-setting', 'error'];
const dependencyLine =
  /dependency failed for|failed with result 'dependency'|^.*: bound to unit .*, but unit isn't active/i;

/** systemd's own word, in this boot; a unit that never ran has no window to its log. */
function saysDependency(view: View, place: PartPlace): boolean {
  const tail = view.value('log.tail', place.seat, place.part);
  const boot = view.value('host.identity', place.seat)?.bootedAtMs ?? null;
  const since = tail?.sinceMs ?? boot;
  return (
    tail?.lines.some((line) => dependencyLine.test(line.text) && since !== null && (line.atMs ?? 0) >= since) ?? false
  );
}

/** The dependency that keeps a unit down or took it down. */
function dependencyOf(view: View, place: PartPlace): RelatedUnit | null {
  const setup = setupOf(view, place);
  const unit = view.value('unit.state', place.seat, place.part);
  if (!setup || !unit || !isLoaded(unit) || !isDown(unit)) return null;
  const lost = lostOf(view, place);
  if (lost) return lost;
  const needed = setup.related.filter((item) => ['Requires', 'Requisite', 'BindsTo'].includes(item.relation));
  const linked = saysDependency(view, place);
  const byTime = (item: RelatedUnit) =>
    unit.result === 'success' && together(item.inactiveSinceMs, unit.inactiveSinceMs);
  // Who stops the backend stops its sockets with it: only a socket that failed is a reason of its own.
  const ownSockets = place.part === 'backend' ? view.topology.backend.sockets : [];
  const bad = needed.filter(
    (item) => item.activeState === 'failed' || (item.activeState === 'inactive' && !ownSockets.includes(item.name)),
  );
  const taken = bad.find((item) => linked || byTime(item));
  return taken ?? setup.related.find((item) => item.relation === 'PartOf' && isInactive(item) && byTime(item)) ?? null;
}

function isInactive(unit: RelatedUnit): boolean {
  return unit.activeState === 'inactive' || unit.activeState === 'failed';
}

/** A unit that is not found is said to be just that. */
function relatedWords(unit: RelatedUnit | null): string {
  if (!unit) return 'is down';
  if (unit.loadState === 'not-found') return 'does not exist';
  if (unit.loadState === 'masked') return 'is masked';
  if (unit.loadState !== 'loaded') return `cannot be loaded (${unit.loadState})`;
  if (unit.activeState === 'failed')
    return `has failed${unit.result && unit.result !== 'success' ? ` (${unit.result})` : ''}`;
  return unit.activeState === 'inactive' ? 'is not running' : `is ${unit.activeState}`;
}

/** Where the relation is written; a mount that is required for a path has no line of its own name. */
function relationPlace(view: View, place: PartPlace, unit: RelatedUnit): UnitSetting | null {
  const byName = settingWhere(view, place, {
    names: [unit.relation],
    test: (value) => value.split(/\s+/).includes(unit.name),
  });
  if (byName || !unit.name.endsWith('.mount')) return byName;
  const path = `/${unit.name.replace(/\.mount$/, '').replaceAll('-', '/')}`;
  return settingWhere(view, place, {
    names: ['RequiresMountsFor'],
    test: (value) => value.split(/\s+/).some((item) => `${item}/`.startsWith(`${path}/`)),
  });
}

const dependencyDown = (place: PartPlace): Sign =>
  sign(
    [
      (view) => {
        const unit = dependencyOf(view, place);
        const where = unit && relationPlace(view, place, unit);
        return unit
          ? `${unit.name}, which ${nameOf(view, place)} needs (${unit.relation}=${where ? `, ${at(where)}` : ''}), ${relatedWords(unit)}`
          : `a unit that ${nameOf(view, place)} needs is down`;
      },
      (view) => `nothing that ${nameOf(view, place)} requires is down`,
    ],
    (view) =>
      every([
        unitTri(view, place, (unit) => isLoaded(unit) && isDown(unit)),
        judge(view, ['unit.setup', place.seat, place.part], (): Tri => {
          if (dependencyOf(view, place)) return 'yes';
          // Its log alone says that one failed; which one is then not known.
          const tail = view.read('log.tail', place.seat, place.part);
          if (tail.status === 'known' && saysDependency(view, place)) return 'unknown';
          return 'no';
        }),
      ]),
  );

/** A unit without which the next start will be refused. */
function lostOf(view: View, place: PartPlace): RelatedUnit | null {
  const related = setupOf(view, place)?.related ?? [];
  const needed = related.filter((item) => ['Requires', 'Requisite', 'BindsTo'].includes(item.relation));
  return needed.find((item) => unusable.includes(item.loadState)) ?? null;
}

/** An active unit that cannot run beside this one, started when this one stopped. */
function rivalOf(view: View, place: PartPlace): RelatedUnit | null {
  const unit = view.value('unit.state', place.seat, place.part);
  if (!unit || !isLoaded(unit) || !isDown(unit)) return null;
  const rivals = setupOf(view, place)?.related.filter((item) => item.relation.startsWith('Conflict')) ?? [];
  const running = rivals.filter((item) => item.activeState === 'active' || item.activeState === 'activating');
  // Whoever started this unit again would have stopped the other: the order in time shows who took whose place.
  return (
    running.find(
      (item) => unit.inactiveSinceMs === null || (item.activeSinceMs ?? 0) >= unit.inactiveSinceMs - TOGETHER_MS,
    ) ?? null
  );
}

const displaced = (place: PartPlace): Sign =>
  sign(
    [
      (view) => {
        const rival = rivalOf(view, place);
        return `${rival?.name ?? 'a unit'}, which conflicts with ${nameOf(view, place)}, is active`;
      },
      (view) => `no unit took the place of ${nameOf(view, place)}`,
    ],
    (view) =>
      every([
        unitTri(view, place, (unit) => isLoaded(unit) && isDown(unit) && unit.result === 'success'),
        judge(view, ['unit.setup', place.seat, place.part], () => rivalOf(view, place) !== null),
      ]),
  );

/** The targets that are to start it at boot, when none of them is reached. */
function missedTargets(view: View, place: PartPlace): readonly RelatedUnit[] {
  const wanting =
    setupOf(view, place)?.related.filter((item) => ['WantedBy', 'RequiredBy'].includes(item.relation)) ?? [];
  const targets = wanting.filter((item) => item.name.endsWith('.target'));
  return targets.length === wanting.length && targets.every((item) => item.activeState === 'inactive') ? targets : [];
}

const targetMissed = (place: PartPlace): Sign =>
  sign(
    [
      (view) =>
        `${
          missedTargets(view, place)
            .map((item) => item.name)
            .join(', ') || 'the target'
        } that starts ${nameOf(view, place)} is not active`,
      (view) => `the target that starts ${nameOf(view, place)} is reached`,
    ],
    (view) =>
      every([
        unitTri(view, place, (unit) => isLoaded(unit) && unit.activeState === 'inactive' && unit.result === 'success'),
        judge(view, ['unit.setup', place.seat, place.part], () => missedTargets(view, place).length > 0),
      ]),
  );

const jobWaits = (place: PartPlace): Sign =>
  sign(
    [
      (view) =>
        `the start of ${nameOf(view, place)} is queued as job ${setupOf(view, place)?.job ?? '?'} and waits for another unit`,
      (view) => `no start of ${nameOf(view, place)} is queued`,
    ],
    (view) =>
      every([
        unitTri(view, place, (unit) => isLoaded(unit) && unit.activeState === 'inactive'),
        judge(view, ['unit.setup', place.seat, place.part], (setup) => setup.job !== null),
      ]),
  );

/** Whether systemd itself keeps the unit down; then nobody has to have stopped it. */
function heldDown(place: PartPlace): Sign {
  const reasons = [skipped, fileRefused, dependencyDown, displaced, targetMissed, jobWaits].map((reason) =>
    reason(place),
  );
  return sign(
    [
      (view) => (reasons.find((reason) => reason.holds(view) === 'yes') ?? reasons[0])?.claim(view) ?? '',
      (view) => `systemd does not hold ${nameOf(view, place)} down`,
    ],
    (view) => some(reasons.map((reason) => reason.holds(view))),
  );
}

/** What rules take from here. */
export const setupSigns = {
  setupOf,
  setupIs,
  settingsOf,
  settingOf,
  settingWhere,
  worded,
  at,
  unmetOf,
  skipped,
  fileRefused,
  dependencyOf,
  dependencyDown,
  lostOf,
  relatedWords,
  relationPlace,
  rivalOf,
  displaced,
  missedTargets,
  targetMissed,
  jobWaits,
  heldDown,
};
