// The parts' processes as /proc shows them: the main processes of the units, the owners of the ports, whatever is called viworks.
import { type Fact, known, type Part, type ProcessState, type UnitState, unknown } from '../engine/index.ts';
import { defineProbe } from './define-probe.ts';
import { bootMs } from './host.ts';
import { type HostRound, look, say } from './probe.ts';
import { parseProcesses, type SeenProcess } from './service-output.ts';
import { hasOwnLog, quoted, seenUnits } from './units.ts';

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

/** A second look at the CPU time of the same processes, at the end of the round. */
export const cpuProbe = defineProbe({
  id: 'process.cpu',
  title: 'processor time',
  script: `for p in $(viworks_pids "$(users_of 'viworks*' | tr '\\n' '|' | sed 's/|*$//')" | head -n 16); do
  cat /proc/$p/stat 2>/dev/null; done; echo "--now $(cat /proc/uptime)"`,
  facts: () => [],
});

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
