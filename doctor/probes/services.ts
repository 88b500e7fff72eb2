// Units, main processes and logs of the parts, in one section each: what the service manager says, and what /proc says about it.
import { quoteWord } from '../../agents/runtime/index.ts';
import {
  type Fact,
  known,
  notApplicable,
  type Part,
  type ProcessState,
  type UnitState,
  unknown,
} from '../engine/index.ts';
import type { Ask } from './ask.ts';
import { defineProbe } from './define-probe.ts';
import { bootMs } from './host.ts';
import { mayReadJournal } from './host-output.ts';
import { type HostRound, look, lookAtTail, read, readTail, say } from './probe.ts';
import { parseJournal, parseProcesses, parseUnits, type SeenProcess, type SeenUnit } from './service-output.ts';

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
  'ActiveEnterTimestamp',
  'InactiveExitTimestamp',
  'InactiveEnterTimestamp',
  'StateChangeTimestamp',
  'User',
  'Restart',
  'Type',
  'Listen',
].join(',');

/** Lines of a log that are looked at, from its end. */
const LOG_LINES = 120;

/** Units as one word each for the shell. */
const named = ({ units }: Ask) => units.flatMap(({ part, unit }) => (unit === null ? [] : [{ part, unit }]));
const quoted = (ask: Ask) =>
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
$T systemctl show --timestamp=us+utc ${asked} 2>/dev/null || $T systemctl show ${asked}`;
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

/** Leaves the pids worth looking at in $pids: main processes of the units, owners of the ports, whatever is called viworks. */
export const processesProbe = defineProbe({
  id: 'process.state',
  title: 'processes',
  // The order matters where there are too many: nobody can push the units' own processes out with processes of his.
  script: (ask) => `users=$(users_of ${quoted(ask)} | sort -un | tr '\\n' '|' | sed 's/|*$//')
pids=$( {
  [ -d /run/systemd/system ] && $T systemctl show --no-pager -p MainPID ${quoted(ask)} | sed -n 's/^MainPID=//p'
  have ss && $T ss -ltnp '( ${ask.ports.map((port) => `sport = :${port}`).join(' or ')} )' 2>/dev/null | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p'
  viworks_pids "$users"
  } | grep -vx 0 | head -n 32 | sort -un )
for p in $pids; do
  [ "$p" = $$ ] && continue
  echo "--pid $p"; cat /proc/$p/status 2>/dev/null | grep -E '^(State|PPid|Uid|NSpid|VmRSS):'
  program_of "$p"; v=$?
  case $v in 1) echo 'program odd';; 2) echo 'program unseen';; esac
  [ $v != 1 ] && grep -qE "^Uid:[[:space:]]+($users)[[:space:]]" /proc/$p/status 2>/dev/null && echo vouched
  echo "stat $(cat /proc/$p/stat 2>/dev/null)"
  echo "cmdline $($T tr '\\0' ' ' </proc/$p/cmdline 2>/dev/null)"
  echo "cgroup"; cat /proc/$p/cgroup 2>/dev/null
  grep '^Max open files' /proc/$p/limits 2>/dev/null
  e=$(readlink /proc/$p/exe 2>/dev/null) && { echo "exe $e"; [ $v = 1 ] || echo "mtime $(mtime "\${e% (deleted)}")"; }
  [ -r /proc/$p/fd ] && echo "fds $(ls /proc/$p/fd 2>/dev/null | wc -l)"
done
echo "--now $(cat /proc/uptime)"; getconf CLK_TCK 2>/dev/null || echo 100`,
  facts: (round, ask) =>
    ask.units.flatMap(({ part, unit }) =>
      unit === null || hasOwnLog(part)
        ? [processFact(round, { part, state: seenUnits(round, ask).get(part)?.state, processes: processesOf(round) })]
        : [],
    ),
});

/** The journals of the units. */
export const logsProbe = defineProbe({
  id: 'log.tail',
  sections: (ask) =>
    withLogs(ask).map(({ part, unit }) => ({
      id: `log.tail.${part}`,
      title: `log of ${unit}`,
      capBytes: 48 * 1024,
      isTail: true,
      body: `have journalctl || { echo '!tool journalctl'; return; }
$T journalctl -q --no-pager -o short-unix -n ${LOG_LINES} -u ${quoteWord(unit)} 2>&1`,
    })),
  facts: (round, ask) =>
    withLogs(ask).map(({ part, unit }) => logFact(round, { part, unit, seen: seenUnits(round, ask).get(part) })),
});

/** A second look at the CPU time of the same processes, at the end of the round. */
export const cpuProbe = defineProbe({
  id: 'process.cpu',
  title: 'processor time',
  script: `for p in $(viworks_pids "$(users_of 'viworks*' | tr '\\n' '|' | sed 's/|*$//')" | head -n 16); do
  cat /proc/$p/stat 2>/dev/null; done; echo "--now $(cat /proc/uptime)"`,
  facts: () => [],
});

function withLogs(ask: Ask) {
  return named(ask).filter(({ part }) => hasOwnLog(part));
}

/** Of sockets and of Docker only the state is of interest. */
function hasOwnLog(part: Part): boolean {
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

/** pid → command name and unit, as far as the round saw them: ss calls a node process `MainThread`. */
export type Owners = ReadonlyMap<
  number,
  { readonly process: string; readonly unit: string | null; readonly state: string }
>;

export function ownersOf(round: HostRound): Owners {
  return new Map(
    (processesOf(round) ?? []).map((seen) => [seen.pid, { process: seen.name, unit: seen.unit, state: seen.state }]),
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

function processesOf(round: HostRound): readonly SeenProcess[] | null {
  const looked = look(round, 'process.state');
  if (!looked.ok) return null;
  const later = look(round, 'process.cpu');
  return parseProcesses(looked.text, {
    later: later.ok ? later.text : '',
    bootMs: bootMs(round),
  });
}

interface PartProcess {
  readonly part: Part;
  readonly state: UnitState | undefined;
  readonly processes: readonly SeenProcess[] | null;
}

function processFact(round: HostRound, { part, state, processes }: PartProcess): Fact {
  const found = processes?.find((seen) => seen.pid === state?.mainPid) ?? handStarted(part, state, processes);
  const dead: ProcessState = { running: false };
  const looked = look(round, 'process.state');
  const reading = looked.ok ? known(found ? processState(found) : dead) : unknown(looked.reason, looked.detail);
  return say(round, {
    key: 'process.state',
    subject: part,
    section: 'process.state',
    command: found ? `cat /proc/${found.pid}/status` : 'ps -ef',
    lines: found ? [`pid ${found.pid}: State ${found.state}`, found.commandLine] : looked.ok ? ['no such process'] : [],
    reading,
  });
}

// Without a running unit a process of the same role may have been started by hand.
function handStarted(part: Part, state: UnitState | undefined, processes: readonly SeenProcess[] | null) {
  if (state?.activeState === 'active' || (part !== 'backend' && part !== 'gateway')) return undefined;
  const role = new RegExp(`viworks\\S*(.*\\s${part}\\b|[-_/]${part})`);
  // The launcher's command line names the agent's user; it is not the agent.
  const other = /\blauncher\b/;
  return processes?.find(
    (seen) => seen.vouched && role.test(seen.commandLine) && !other.test(seen.commandLine) && seen.name !== 'sh',
  );
}

/** The fact's value of a process that was seen. */
export function processState(seen: SeenProcess): ProcessState {
  const { name: _name, parent: _parent, innerPid: _inner, vouched: _vouched, unseen: _unseen, ...value } = seen;
  return { running: true, ...value };
}

interface PartLog {
  readonly part: Part;
  readonly unit: string;
  readonly seen: SeenUnit | undefined;
}

function logFact(round: HostRound, of: PartLog): Fact {
  const section = `log.tail.${of.part}`;
  const looked = lookAtTail(round, section);
  const identity = look(round, 'host.identity');
  const readable = identity.ok && mayReadJournal(identity.text);
  const none = looked.ok && looked.text.trim() === '';
  const denied = none && !readable;
  const reading = denied
    ? unknown('no-permission', 'the journal needs root or the group systemd-journal')
    : readTail(looked, (text, cut) =>
        parseJournal(text, {
          sinceMs: of.seen?.windowMs ?? null,
          cut,
          max: LOG_LINES,
          looping: of.seen?.looping ?? false,
        }),
      );
  return say(round, {
    key: 'log.tail',
    subject: of.part,
    section,
    command: `journalctl -u ${of.unit} -n ${LOG_LINES}`,
    lines: reading.status === 'known' ? reading.value.lines.slice(-5).map((line) => line.text) : [],
    reading,
  });
}
