// What the service manager says of the parts' units, and since when the log of each speaks of its present state.
import { quoteWord } from '../../agents/runtime/index.ts';
import { type Fact, known, notApplicable, type Part, type UnitState, unknown } from '../engine/index.ts';
import type { Ask } from './ask.ts';
import { defineProbe } from './define-probe.ts';
import { type HostRound, look, read, say } from './probe.ts';
import { parseUnits, type SeenUnit } from './service-output.ts';

const properties = [
  'Id',
  'Names',
  'LoadState',
  'UnitFileState',
  'ActiveState',
  'SubState',
  'Result',
  'NRestarts',
  'ExecMainStatus',
  'ExecMainCode',
  'ExecMainPID',
  'MainPID',
  'ExecStart',
  'NeedDaemonReload',
  'FragmentPath',
  'ExecMainStartTimestamp',
  'ExecMainStartTimestampMonotonic',
  'ActiveEnterTimestamp',
  'InactiveExitTimestamp',
  'InactiveEnterTimestamp',
  'StateChangeTimestamp',
  'User',
  'Restart',
  'Type',
  'Listen',
].join(',');

/** The parts that a unit is expected to run. */
export const named = ({ units }: Ask) => units.flatMap(({ part, unit }) => (unit === null ? [] : [{ part, unit }]));
/** Their units as words for the shell. */
export const quoted = (ask: Ask) =>
  named(ask)
    .map(({ unit }) => quoteWord(unit))
    .join(' ');

export const unitsProbe = defineProbe({
  id: 'unit.state',
  title: 'units',
  script: (ask) => {
    const asked = `--no-pager -p ${properties} ${quoted(ask)} 'viworks*'`;
    // Microseconds tell the lines of this start from those of the one before; an old systemctl does not know the option.
    return `[ -d /run/systemd/system ] || { echo '!absent this host does not run systemd'; return; }
TZ=UTC; export TZ
shown() { $T systemctl show --timestamp=us+utc ${asked} 2>/dev/null || $T systemctl show ${asked}; }
s=$(shown)
# Between its start and the end of an exec that fails, a unit of a restart loop looks active: it is asked again a moment later.
up=$(sed 's/\\..*//' /proc/uptime)
young() {
  r=0; a=; t=0
  while IFS= read -r l; do
    case $l in
      NRestarts=*) r=\${l#*=};; ActiveState=*) a=\${l#*=};; ExecMainStartTimestampMonotonic=*) t=\${l#*=};;
      '') [ "$r" = 0 ] || [ "$a" != active ] || [ $(($up - $t / 1000000)) -gt 1 ] || echo y
        r=0; a=; t=0;;
    esac
  done
}
if [ -n "$(printf '%s\\n\\n' "$s" | young)" ]; then sleep 0.3 2>/dev/null || sleep 1; s=$(shown); fi
printf '%s\\n' "$s"`;
  },
  facts: (round, ask) => [
    ...named(ask).map(({ part, unit }) => {
      const state = seenUnits(round, ask).get(part)?.state;
      const reading = unitReading(round);
      return say(round, {
        key: 'unit.state',
        subject: part,
        section: 'unit.state',
        command: `systemctl status ${unit}`,
        lines: state ? unitLines(state) : [],
        reading:
          reading.status !== 'known' ? reading : state ? known(state) : unknown('unparsed', `no answer for ${unit}`),
      });
    }),
    ...notSystemd(round, ask, 'unit.state'),
  ],
});

/** Facts about a unit where systemd does not run the part. */
export function notSystemd(round: HostRound, { elsewhere }: Ask, key: 'unit.state' | 'unit.setup'): readonly Fact[] {
  return elsewhere.map(({ part, by }) => {
    const reading = notApplicable(`it is not run by systemd (${by})`);
    return say(round, { key, subject: part, section: key, command: '', lines: [], reading });
  });
}

/** Of sockets and of Docker only the state is of interest. */
export function hasOwnLog(part: Part): boolean {
  return part !== 'docker' && !part.endsWith('-socket');
}

function unitReading(round: HostRound) {
  const clock = look(round, 'host.clock');
  const epoch = Number.parseFloat(clock.ok ? clock.text : '');
  const nowMs = Number.isFinite(epoch) ? epoch * 1000 : round.atMs;
  return read(look(round, 'unit.state'), (text) => parseUnits(text, nowMs));
}

/** What systemd said of each part's unit, with the window in which its log speaks of its present state. */
export type SeenUnits = ReadonlyMap<Part, SeenUnit>;

export function seenUnits(round: HostRound, ask: Ask): SeenUnits {
  const reading = unitReading(round);
  const all = reading.status === 'known' ? reading.value : [];
  return new Map(
    named(ask).flatMap(({ part, unit }) => {
      const seen = stateOf(all, part, unit);
      return seen ? [[part, seen] as const] : [];
    }),
  );
}

// The expected name, else a viworks unit of the same role under another name that is really running: a name is no fault.
function stateOf(all: readonly SeenUnit[], part: Part, unit: string) {
  const expected = all.find((item) => item.state.name === unit || item.names.includes(unit));
  if (expected && expected.state.loadState !== 'not-found') return expected;
  const role = part === 'gateway' ? /gateway|viworks-agent/ : part === 'backend' ? /backend/ : null;
  const other = all.find(
    (item) =>
      role?.test(item.state.name) && item.state.name.endsWith('.service') && item.state.activeState === 'active',
  );
  return other ?? expected;
}

function unitLines(state: UnitState): readonly string[] {
  return [
    `${state.name}: ${[state.loadState, state.unitFileState].filter(Boolean).join(' ')}, ${state.activeState} (${state.subState})`,
    `result ${[state.result, `${state.mainCode} ${state.mainStatus}`.trim(), `${state.restarts} restarts`].join(', ')}`,
    ...(state.execStart ? [state.execStart] : []),
  ];
}
