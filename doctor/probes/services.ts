// Units, main processes and logs of the parts, in one section each: what the service manager says, and what /proc says about it.
import { quoteWord } from '../../agents/runtime/index.ts';
import { type Fact, known, type Part, type ProcessState, type UnitState, unknown } from '../engine/index.ts';
import type { PartUnit } from './define-probe.ts';
import { bootMs } from './host.ts';
import { mayReadJournal } from './host-output.ts';
import { type HostRound, look, read, say } from './probe.ts';
import type { Section } from './script.ts';
import { parseJournal, parseProcesses, parseUnits, type SeenProcess, type SeenUnit } from './service-output.ts';
import type { Owners } from './sockets.ts';

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

/** Shell that leaves the pids worth looking at in $pids: main processes of the units, owners of the ports, whatever is called viworks. */
export function serviceSections(units: readonly PartUnit[], ports: readonly number[]): readonly Section[] {
  const named = units.flatMap(({ part, unit }) => (unit === null ? [] : [{ part, unit }]));
  const names = named.map((unit) => quoteWord(unit.unit)).join(' ');
  const asked = `--no-pager -p ${properties} ${names} 'viworks*'`;
  // Microseconds tell the lines of this start from those of the one before; an old systemctl does not know the option.
  const show = `TZ=UTC $T systemctl show --timestamp=us+utc ${asked} 2>/dev/null || TZ=UTC $T systemctl show ${asked}`;
  const portFilter = ports.map((port) => `sport = :${port}`).join(' or ');
  return [
    {
      id: 'unit.state',
      title: 'units',
      body: `[ -d /run/systemd/system ] || { echo '!absent this host does not run systemd'; return; }\n${show}`,
    },
    {
      id: 'process.state',
      title: 'processes',
      // The order matters where there are too many: nobody can push the units' own processes out with processes of his.
      body: `users=$(users_of ${names} | sort -un | tr '\\n' '|' | sed 's/|*$//')
pids=$( {
  [ -d /run/systemd/system ] && $T systemctl show --no-pager -p MainPID ${names} | sed -n 's/^MainPID=//p'
  have ss && $T ss -ltnp '( ${portFilter} )' 2>/dev/null | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p'
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
    },
    ...named
      .filter((unit) => hasOwnLog(unit.part))
      .map((unit) => ({
        id: `log.tail.${unit.part}`,
        title: `log of ${unit.unit}`,
        capBytes: 48 * 1024,
        body: `have journalctl || { echo '!tool journalctl'; return; }
$T journalctl -q --no-pager -o short-unix -n ${LOG_LINES} -u ${quoteWord(unit.unit)} 2>&1`,
      })),
  ];
}

/** A second look at the CPU time of the same processes, at the end of the round. */
export const cpuSection: Section = {
  id: 'process.cpu',
  title: 'processor time',
  body: `for p in $(viworks_pids "$(users_of 'viworks*' | tr '\\n' '|' | sed 's/|*$//')" | head -n 16); do
  cat /proc/$p/stat 2>/dev/null; done; echo "--now $(cat /proc/uptime)"`,
};

/** Of sockets and of Docker only the state is of interest. */
function hasOwnLog(part: Part): boolean {
  return part !== 'docker' && !part.endsWith('-socket');
}

export interface Services {
  readonly facts: readonly Fact[];
  readonly units: ReadonlyMap<Part, UnitState>;
  /** Since when a part's log speaks of its present state. */
  readonly windows: ReadonlyMap<Part, number>;
  readonly processes: readonly SeenProcess[];
  readonly owners: Owners;
}

/** Facts about units, their processes and their logs. */
export function serviceFacts(round: HostRound, parts: readonly PartUnit[]): Services {
  const epoch = Number.parseFloat(round.sections.get('host.clock')?.text ?? '');
  const nowMs = Number.isFinite(epoch) ? epoch * 1000 : round.atMs;
  const unitReading = read(look(round, 'unit.state'), (text) => parseUnits(text, nowMs));
  const all = unitReading.status === 'known' ? unitReading.value : [];
  const processes = processesOf(round);
  const units = new Map<Part, UnitState>();
  const windows = new Map<Part, number>();
  const facts = parts.flatMap(({ part, unit }): Fact[] => {
    if (unit === null) return [processFact(round, { part, state: undefined, processes })];
    const seen = stateOf(all, part, unit);
    const state = seen?.state;
    if (state) units.set(part, state);
    if (seen && seen.windowMs !== null) windows.set(part, seen.windowMs);
    const stateFact = say(round, {
      key: 'unit.state',
      subject: part,
      section: 'unit.state',
      command: `systemctl status ${unit}`,
      lines: state ? unitLines(state) : [],
      reading:
        unitReading.status !== 'known'
          ? unitReading
          : state
            ? known(state)
            : unknown('unparsed', `no answer for ${unit}`),
    });
    if (!hasOwnLog(part)) return [stateFact];
    return [
      stateFact,
      processFact(round, { part, state, processes }),
      logFact(round, { part, unit, sinceMs: seen?.windowMs ?? null, looping: seen?.looping ?? false }),
    ];
  });
  const owners = new Map((processes ?? []).map((seen) => [seen.pid, { process: seen.name, unit: seen.unit }] as const));
  return { facts, units, windows, processes: processes ?? [], owners };
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
  readonly sinceMs: number | null;
  readonly looping: boolean;
}

function logFact(round: HostRound, of: PartLog): Fact {
  const section = `log.tail.${of.part}`;
  const looked = look(round, section);
  const readable = mayReadJournal(round.sections.get('host.identity')?.text ?? '');
  const none = looked.ok && looked.text.trim() === '';
  const denied = none && !readable;
  const reading = denied
    ? unknown('no-permission', 'the journal needs root or the group systemd-journal')
    : read(looked, (text) =>
        parseJournal(text, {
          sinceMs: of.sinceMs,
          cut: looked.ok && looked.truncated,
          max: LOG_LINES,
          looping: of.looping,
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
