// Causes where systemd itself keeps a unit down, or cannot use its files: an unmet condition, a refused file, a dependency, a rival, a target,
// a queued job. Nobody stopped anything, and starting it changes nothing before the named line or unit is put right.
import {
  type CauseRow,
  type CauseRule,
  type Claim,
  not,
  sign,
  signs,
  type UnitSetting,
  type View,
} from '../engine/index.ts';
import { on, remedy } from './texts.ts';
import { commentOut, editAndStart, forEveryUnit, type UnitHome } from './unit-homes.ts';

const { logs, parts, setup } = signs;
const nameIn = (home: UnitHome) => (view: View) => parts.nameOf(view, home.place);

function skippedRow(home: UnitHome): CauseRow {
  const unit = nameIn(home);
  return {
    name: 'start condition not met',
    title: (view) => {
      const unmet = setup.unmetOf(view, home.place);
      const where = unmet?.setting ? `, ${setup.at(unmet.setting)}` : '';
      return `systemd skips the start of ${unit(view)}: ${unmet ? `${unmet.text} is not met${where}` : 'one of its conditions is not met'}`;
    },
    necessary: [setup.skipped(home.place)],
    signature: [
      setup.setupIs(home.place, 'systemd says which condition it was', (seen) =>
        seen.unmet.length > 0 ? 'yes' : 'unknown',
      ),
    ],
    supports: [logs.logSays(home.place, /skipped because of an unmet condition|assertion failed/i, 'the journal says')],
    forbids: home.serves,
    remedy: (view) => {
      const unmet = setup.unmetOf(view, home.place);
      if (!unmet?.setting)
        return remedy(
          'look at its conditions, then start it',
          on(view, home.host, `systemctl status ${unit(view)}`, `systemctl start ${unit(view)}`),
        );
      return remedy(wayOut(unmet.text), editAndStart(view, home, [commentOut(unmet.setting)]));
    },
    help: `A Condition…= or Assert…= of the unit (often in a drop-in) does not hold, so systemd skips the start without an error: the unit is inactive, its result is "success", and nobody stopped it. Another start is skipped as well. "systemctl status" names the condition; the doctor names its file and line as well.`,
  };
}

/** What makes a condition hold, besides taking it out. */
function wayOut(condition: string): string {
  const [, name = '', negated, value = ''] = /^(\w+?)=\|?(!?)(.*)$/.exec(condition) ?? [];
  const path = /Path|File|Directory/.test(name) ? value : null;
  if (path === null) return 'make the condition hold, or take its line out as below';
  if (negated) return `remove ${path} if it is not meant to be there, or take the condition's line out as below`;
  return `create ${path} if it is missing by mistake, or take the condition's line out as below`;
}

/** Several ExecStart= that count, where only one may. */
function surplus(view: View, home: UnitHome): readonly UnitSetting[] {
  const all = setup.settingsOf(view, home.place, 'ExecStart');
  const oneshot = setup.settingOf(view, home.place, ['Type'])?.value === 'oneshot';
  return all.length > 1 && !oneshot ? all : [];
}

function refusedWords(view: View, home: UnitHome): string {
  const all = surplus(view, home);
  if (all.length > 0)
    return `more than one ExecStart=: ${all.map(setup.at).join(' and ')}; an override needs an empty ExecStart= before its own`;
  const line = logs.lineOf(
    view,
    home.place,
    /\b(refusing|lacks|invalid|not absolute|failed to parse|unknown .* assignment)\b/i,
  );
  const said = line ? logs.excerpt(line.text).replace(/^\S+\.(service|socket): /, '') : '';
  return said || setup.setupOf(view, home.place)?.loadError || 'its files cannot be loaded';
}

function fileRow(home: UnitHome, scope: 'active' | 'latent'): CauseRow {
  const unit = nameIn(home);
  const active = parts.unitIs(home.place, 'is still running from before', (seen) => seen.activeState === 'active');
  return {
    name: 'unit file refused',
    scope,
    title: (view) =>
      `systemd refuses the files of ${unit(view)}${scope === 'latent' ? ', so that its next start will fail' : ''}: ${refusedWords(view, home)}`,
    necessary: [setup.fileRefused(home.place), ...(scope === 'latent' ? [active] : [not('it is not running', active)])],
    forbids: scope === 'active' ? home.serves : [],
    supports: [
      setup.setupIs(
        home.place,
        (view) => refusedWords(view, home),
        () => true,
      ),
    ],
    predicts: scope === 'latent' ? [] : (home.predicts ?? []),
    remedy: (view) => {
      const second = surplus(view, home).at(1);
      if (second)
        return remedy(
          'put an empty ExecStart= before the one that should apply',
          editAndStart(view, home, [`sed -i '${second.line}i ExecStart=' ${second.file}`]),
        );
      const files = setup.setupOf(view, home.place)?.dropIns.join(' ') ?? '';
      return remedy(
        'correct the line that systemd names; the newest drop-in is the first suspect',
        on(
          view,
          home.host,
          `systemd-analyze verify ${unit(view)}`,
          ...(files ? [`ls -lt ${files}`] : []),
          'systemctl daemon-reload',
          `systemctl restart ${unit(view)}`,
        ),
      );
    },
    help: `systemd read the unit's files but cannot use them (LoadState is "bad-setting" or "error"). A start is refused at once; what is already running continues with the old files, and a daemon-reload changes nothing. The usual reason is a drop-in with a second ExecStart= and no empty one before it.`,
  };
}

/** Its own socket unit could not take the port, since another program has it: that program is the cause. */
function ownSocketTaken(home: UnitHome): Claim {
  return sign('another program holds the port of its socket unit', (view) => {
    const name = setup.dependencyOf(view, home.place)?.name ?? '';
    return view.topology.backend.sockets.includes(name) ? signs.backend.portsForeign.holds(view) : 'no';
  });
}

function dependencyRow(home: UnitHome): CauseRow {
  const unit = nameIn(home);
  const failedItself = parts.unitIs(
    home.place,
    'did not fail by itself',
    (seen) => seen.result === 'success' || seen.mainStatus === 0,
  );
  return {
    name: 'required unit down',
    title: (view) => {
      const other = setup.dependencyOf(view, home.place);
      const where = other && setup.relationPlace(view, home.place, other);
      return other
        ? `${unit(view)} does not run without ${other.name}, which ${setup.relatedWords(other)} (${where ? setup.worded(where) : `${other.relation}=`})`
        : `${unit(view)} does not run without a unit that is down`;
    },
    necessary: [setup.dependencyDown(home.place), failedItself],
    supports: [logs.logSays(home.place, /dependency/i, 'the journal says')],
    forbids: [...home.serves, ownSocketTaken(home)],
    remedy: (view) => {
      const other = setup.dependencyOf(view, home.place);
      if (!other)
        return remedy('start what it requires', on(view, home.host, `systemctl list-dependencies ${unit(view)}`));
      const where = setup.relationPlace(view, home.place, other);
      if (other.loadState === 'masked')
        return remedy(
          'unmask what it requires, then start both',
          on(view, home.host, `systemctl unmask ${other.name}`, `systemctl start ${unit(view)}`),
        );
      if (other.loadState !== 'loaded' && where)
        return remedy(
          `install ${other.name}, or take the line out as below`,
          editAndStart(view, home, [commentOut(where)]),
        );
      return remedy(
        'start what it requires, or drop the dependency if it can do without',
        on(
          view,
          home.host,
          `journalctl -u ${other.name} -n 20`,
          `systemctl start ${other.name}`,
          `systemctl start ${unit(view)}`,
        ),
      );
    },
    help: `Requires=, Requisite=, BindsTo= or PartOf= (RequiresMountsFor= for a mount) ties the unit to another one that is down, has failed, is masked or does not exist. The unit itself was not stopped, and its program is not at fault. The doctor names the other unit, its state and the line that ties them.`,
  };
}

/** It runs from before; the day somebody restarts it, it will not. */
function lostRow(home: UnitHome): CauseRow {
  const unit = nameIn(home);
  const lost = (view: View) => setup.lostOf(view, home.place);
  return {
    name: 'required unit not there',
    scope: 'latent',
    title: (view) =>
      `the next start of ${unit(view)} will be refused: it needs ${lost(view)?.name ?? 'a unit'}, which ${setup.relatedWords(lost(view))}`,
    necessary: [
      parts.unitIs(home.place, 'is running from before', (seen) => seen.activeState === 'active'),
      setup.setupIs(
        home.place,
        (view) => `it needs ${lost(view)?.name ?? 'a unit'}, which ${setup.relatedWords(lost(view))}`,
        (_seen, view) => lost(view) !== null,
      ),
    ],
    predicts: [],
    remedy: (view) => {
      const other = lost(view);
      const where = other && setup.relationPlace(view, home.place, other);
      return remedy(
        'install what it needs, or take the line out',
        on(
          view,
          home.host,
          ...(where
            ? [commentOut(where), 'systemctl daemon-reload']
            : [`systemctl status ${other?.name ?? unit(view)}`]),
        ),
      );
    },
    help: `Requires=, Requisite= or BindsTo= names a unit that does not exist, is masked or cannot be loaded. What runs goes on; a restart or a reboot is refused.`,
  };
}

function rivalRow(home: UnitHome): CauseRow {
  const unit = nameIn(home);
  const rival = (view: View) => setup.rivalOf(view, home.place)?.name ?? 'the other unit';
  return {
    name: 'displaced by a conflicting unit',
    title: (view) => `${unit(view)} was stopped because ${rival(view)}, which conflicts with it, was started`,
    necessary: [setup.displaced(home.place)],
    signature: [
      setup.setupIs(
        home.place,
        (view) => `${rival(view)} was started when ${unit(view)} stopped`,
        (_seen, view) => {
          const other = setup.rivalOf(view, home.place);
          const own = view.value('unit.state', home.place.seat, home.place.part)?.inactiveSinceMs;
          if (!other?.activeSinceMs || !own) return 'unknown';
          return Math.abs(other.activeSinceMs - own) <= 10_000;
        },
      ),
    ],
    forbids: home.serves,
    remedy: (view) => {
      const other = setup.rivalOf(view, home.place);
      const where =
        other &&
        setup.settingWhere(view, home.place, {
          names: ['Conflicts'],
          test: (value) => value.split(/\s+/).includes(other.name),
        });
      return remedy(
        `decide which of the two is to run${where ? ` (${setup.worded(where)})` : ''}; this one comes back with`,
        on(view, home.host, `systemctl disable --now ${rival(view)}`, `systemctl start ${unit(view)}`),
      );
    },
    help: `Conflicts= in one of two units means that starting either stops the other. The unit exits cleanly, so it looks like a "systemctl stop".`,
  };
}

function targetRow(home: UnitHome): CauseRow {
  const unit = nameIn(home);
  const targets = (view: View) =>
    setup
      .missedTargets(view, home.place)
      .map((item) => item.name)
      .join(', ');
  return {
    name: 'target not reached',
    title: (view) =>
      `${parts.hostOf(view, home.host)} is not in ${targets(view) || 'the target'}, which starts ${unit(view)}`,
    necessary: [setup.targetMissed(home.place)],
    forbids: [...home.serves, setup.skipped(home.place), setup.dependencyDown(home.place), setup.displaced(home.place)],
    remedy: (view) =>
      remedy(
        'switch the host back to its usual target, and check which one it boots into',
        on(view, home.host, 'systemctl get-default', `systemctl start ${targets(view) || unit(view)}`),
      ),
    help: `The unit is enabled, which only means that a target starts it. The host is in another target (rescue, a default of its own, "systemctl isolate"), so nothing started the unit or the change of target stopped it.`,
  };
}

function jobRow(home: UnitHome): CauseRow {
  const unit = nameIn(home);
  return {
    name: 'start is queued',
    title: (view) => `${unit(view)} waits to be started until another unit has settled`,
    necessary: [setup.jobWaits(home.place)],
    forbids: home.serves,
    remedy: (view) =>
      remedy(
        'find the job that never finishes, and cancel or fix it',
        on(
          view,
          home.host,
          'systemctl list-jobs --before --after',
          `systemctl list-dependencies --after ${unit(view)}`,
        ),
      ),
    help: `A start job is queued: After= orders it behind a unit that has not finished starting, for instance a wait for a network that never comes up.`,
  };
}

const held = forEveryUnit((home) => ({
  '11': [dependencyRow(home), lostRow(home)],
  '27': skippedRow(home),
  '28': [fileRow(home, 'active'), fileRow(home, 'latent')],
  '33': rivalRow(home),
  '34': targetRow(home),
  '36': jobRow(home),
}));

export const unitHeldCauses: readonly CauseRule[] = held;
