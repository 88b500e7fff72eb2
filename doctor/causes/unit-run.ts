// Causes in how a unit's files make its program run: an environment that its runtime refuses, a command before the start that fails.
// Each names the line that says so.
import {
  allOf,
  type CauseRow,
  type CauseRule,
  judge,
  not,
  type RuntimeVariable,
  type Sign,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { on, remedy } from './texts.ts';
import { commentOut, editAndStart, forEveryUnit, type UnitHome } from './unit-homes.ts';

const { logs, parts, setup } = signs;
type Place = UnitHome['place'];

const systemdLine =
  /^(Start(ing|ed)|Stopp(ing|ed)|Failed to start|Finished|Scheduled restart|\S+\.(service|socket|scope)\b[^:]*:) /;
const heapLine = /heap out of memory|Reached heap limit|Allocation failed - JavaScript/i;

/** What the program itself said, newest first; warnings and lines of our own programs, which have codes, are left out. */
function spoken(view: View, place: Place): readonly string[] {
  const lines = view.value('log.tail', place.seat, place.part)?.lines.map((line) => line.text) ?? [];
  const own = lines.filter((text) => !systemdLine.test(text) && !text.startsWith('{') && !/warning|ignor/i.test(text));
  return own.slice(-40).reverse();
}

interface Blamed {
  readonly variable: RuntimeVariable;
  readonly line: string;
}

/** The variable of the unit's environment that a last word of the program speaks of: by its name, or by a word of its value. */
function blamed(view: View, place: Place): Blamed | null {
  const variables = (setup.setupOf(view, place)?.variables ?? []).filter(
    (item) => !['PATH', 'HOME', 'TMPDIR', 'NODE_ENV'].includes(item.name),
  );
  for (const line of spoken(view, place)) {
    const variable = variables.findLast((item) => speaksOf(line, item));
    if (variable) return { variable, line };
  }
  return null;
}

function speaksOf(line: string, { name, value }: RuntimeVariable): boolean {
  if (new RegExp(`\\b${name}\\b`).test(line)) return true;
  if (/max-old-space|max-semi-space|heap/.test(value) && heapLine.test(line)) return true;
  // A bare word of a value may stand in any sentence; an option, a path or the name of a module may not.
  const words = value.split(/[\s:=]+/).filter((word) => /^-|\//.test(word));
  const sought = name.startsWith('PERL5') ? words.map((word) => word.replace(/^-[MmI]/, '')) : words;
  return sought.some((word) => word.length >= 4 && line.includes(word));
}

/** What makes the row: nobody has to tell its file, if the runtime names the variable itself. */
const namesVariable =
  /is not allowed in (NODE_OPTIONS)\b|\b(LD_PRELOAD|LD_LIBRARY_PATH|PERL5OPT|PERL5LIB|OPENSSL_CONF)\b.*(cannot|error|fail)/i;

export const environmentRefused = (place: Place): Sign =>
  sign(
    [
      (view) => {
        const found = blamed(view, place);
        const line = found?.line ?? spoken(view, place).find((text) => namesVariable.test(text));
        return line
          ? `its last words are about its environment: ${logs.excerpt(line)}`
          : 'its last words are about its environment';
      },
      'its last words are not about its environment',
    ],
    (view) =>
      judge(view, ['log.tail', place.seat, place.part], (tail): Tri => {
        const found = blamed(view, place) !== null || spoken(view, place).some((text) => namesVariable.test(text));
        if (!found) {
          const known = view.read('unit.setup', place.seat, place.part).status !== 'unknown';
          return known ? 'no' : 'unknown';
        }
        return tail.sinceMs === null ? 'unknown' : 'yes';
      }),
  );

function environmentRow(home: UnitHome): CauseRow {
  const { place } = home;
  return {
    name: 'environment refused by the runtime',
    title: (view) => {
      const found = blamed(view, place);
      const unit = parts.nameOf(view, place);
      if (!found)
        return `${unit} ends at each start because of a variable of its environment: ${logs.excerpt(spoken(view, place).find((text) => namesVariable.test(text)) ?? '')}`;
      return `${unit} ends at each start because of ${found.variable.name}=${found.variable.value} (${setup.at(found.variable)})`;
    },
    necessary: [parts.crashing(place), environmentRefused(place)],
    signature: [
      setup.setupIs(
        place,
        (view) => {
          const found = blamed(view, place);
          return found
            ? `${setup.at(found.variable)} sets ${found.variable.name}=${found.variable.value}`
            : 'one of its files sets the variable';
        },
        (_seen, view) => blamed(view, place) !== null,
      ),
    ],
    forbids: home.serves,
    remedy: (view) => {
      const found = blamed(view, place);
      if (!found)
        return remedy(
          'remove the variable where it is set',
          on(
            view,
            home.host,
            'systemctl show-environment',
            `systemctl show -p Environment ${parts.nameOf(view, place)}`,
          ),
        );
      return remedy(
        `correct or remove ${found.variable.name} in ${setup.at(found.variable)}`,
        editAndStart(view, home, [commentOut(found.variable)]),
      );
    },
    help: `Environment=, or a file of EnvironmentFile=, sets a variable that the language runtime reads before the program starts (NODE_OPTIONS, LD_PRELOAD, PERL5OPT …), and the runtime exits because of it. The program's own log has nothing; the runtime's last line before the exit names the option or the path.`,
  };
}

/** The command before the start whose last run failed, with the line that asks for it. */
function failedCommand(view: View, place: Place) {
  const failed = setup.setupOf(view, place)?.failedCommands[0];
  if (!failed) return null;
  const bare = (value: string) => value.replace(/^[-@:+!|]+/, '');
  const where = setup.settingWhere(view, place, {
    names: [failed.setting],
    test: (value) => bare(value) === failed.command,
  });
  return { ...failed, where };
}

function commandWords(view: View, place: Place): string {
  const failed = failedCommand(view, place);
  return failed
    ? `${failed.setting}=${failed.command} ended with status ${failed.status}${failed.where ? ` (${setup.at(failed.where)})` : ''}`
    : 'a command before the start failed';
}

/** With the latch on, what failed may have been put right since; only the journal knows. */
const notLatched = (place: Place): Sign =>
  not(
    'systemd still starts it, or did not give up',
    allOf(
      'systemd gave up',
      parts.unitIs(place, 'has failed', (unit) => unit.activeState === 'failed'),
      logs.logSays(place, /start request repeated too quickly/i, 'systemd says'),
    ),
  );

/** Its unit lets nginx test its configuration first: what that says is the cause, and who cannot read it does not know the cause. */
const notOwnTest = (place: Place): Sign =>
  sign(
    [
      'nginx tests no configuration before its start, or its words about it can be read',
      'what nginx says of its configuration cannot be read',
    ],
    (view) => {
      const isTest = place.part === 'nginx' && /\bnginx\b.* -\w*t/.test(failedCommand(view, place)?.command ?? '');
      return isTest ? judge(view, ['log.tail', place.seat, place.part], () => 'yes' as Tri) : 'yes';
    },
  );

function commandRow(home: UnitHome): CauseRow {
  const { place } = home;
  const down = parts.unitIs(place, 'is not up', (unit) => unit.loadState === 'loaded' && unit.activeState !== 'active');
  return {
    name: 'a command before the start fails',
    title: (view) => `${parts.nameOf(view, place)} is not started: ${commandWords(view, place)}`,
    necessary: [
      down,
      setup.setupIs(
        place,
        (view) => commandWords(view, place),
        (seen) => seen.failedCommands.length > 0,
      ),
      notLatched(place),
      notOwnTest(place),
    ],
    supports: [lastWords(place)],
    forbids: home.serves,
    followsFrom: place.part === 'nginx' ? ['NGR-03', 'NGR-04', 'NGR-05', 'NGR-07'] : [],
    remedy: (view) => {
      const failed = failedCommand(view, place);
      return remedy(
        'find out why the command fails, fix it or its line, then start the unit',
        on(
          view,
          home.host,
          ...(failed?.where ? [`sed -n '${failed.where.line}p' ${failed.where.file}`] : []),
          `journalctl -u ${parts.nameOf(view, place)} -n 20`,
          `systemctl restart ${parts.nameOf(view, place)}`,
        ),
      );
    },
    help: `ExecStartPre= and ExecCondition= run before the program, ExecStartPost= right after its start. When one ends with an error, the start fails (ExecCondition=: is skipped) and the program itself is not at fault.`,
  };
}

/** The last thing that the program said, for whoever reads the report; it decides nothing. */
export function lastWords(place: Place): Sign {
  return sign([(view) => `its last words: ${logs.excerpt(spoken(view, place)[0] ?? '')}`, 'it said nothing'], (view) =>
    judge(view, ['log.tail', place.seat, place.part], () => spoken(view, place).length > 0),
  );
}

export const unitRunCauses: readonly CauseRule[] = forEveryUnit((home) => ({
  '29': environmentRow(home),
  '30': commandRow(home),
}));
