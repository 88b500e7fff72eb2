// Causes that systemd's own words decide: an exit status of its executor, or the result of the last run. The same for both agents' units.
import {
  anyOf,
  type CauseRow,
  type CauseRule,
  causesOf,
  type Sign,
  signs,
  type UnitState,
  type View,
} from '../engine/index.ts';
import { on, remedy } from './texts.ts';

const { backend, gateway, logs, parts } = signs;
type Place = typeof parts.gatewayPart;

interface Row {
  readonly name: string;
  readonly title: string;
  readonly claim: string;
  readonly test: (unit: UnitState) => boolean;
  /** What a line of its log says instead of an exit status, where something stands between systemd and the program. */
  readonly line?: RegExp;
  /** A line that shows that the same status has another reason. */
  readonly unless?: RegExp;
  readonly signature?: (place: Place) => readonly Sign[];
  readonly fix: string;
  readonly help: string;
}

const predictions = {
  gw: ['gateway.process.running', 'agents.link.up'],
  be: ['backend.process.running', 'backend.api.answers', 'backend.agents.listens', 'backend.agents.upgrades'],
} as const;

function causeAt(row: Row, place: Place): CauseRow {
  const { seat } = place;
  const unit = (view: View) => parts.nameOf(view, place);
  const byState = parts.unitIs(
    place,
    row.claim,
    (seen) => seen.loadState === 'loaded' && seen.activeState !== 'active' && row.test(seen),
  );
  const { line } = row;
  const shown: Sign =
    line === undefined
      ? byState
      : anyOf(
          (view) =>
            byState.holds(view) === 'yes' ? byState.claim(view) : logs.logSays(place, line, 'its log says').claim(view),
          byState,
          // The line alone is nothing while the unit runs.
          { ...logs.logSays(place, line, 'its log says'), holds: (view) => crashedWith(view, place, line) },
        );
  return {
    name: row.name,
    layer: seat === 'be' ? 'backend' : 'gateway',
    hop: seat === 'be' ? 'ws-port' : 'gateway',
    host: seat,
    title: (view) => `${unit(view)}: ${row.title}`,
    necessary: [shown],
    signature: row.signature?.(place) ?? [],
    forbids: [
      seat === 'be' ? backend.directUpgrades : gateway.linkUp,
      ...(row.unless ? [logs.logSays(place, row.unless, 'its log says otherwise')] : []),
    ],
    lookalikes:
      seat === 'be'
        ? { 'BE-05': shown, 'BE-06': shown }
        : { 'SYS-01': parts.unitIs(place, 'is installed', (seen) => seen.loadState === 'loaded'), 'CFG-03': shown },
    predicts: predictions[seat],
    remedy: (view) =>
      remedy(row.fix, on(view, seat, `systemctl status ${unit(view)}`, `systemctl restart ${unit(view)}`)),
    help: row.help,
  };
}

function crashedWith(view: View, place: Place, line: RegExp) {
  const crashing = parts.crashing(place).holds(view);
  return crashing === 'yes' ? logs.logSays(place, line, '').holds(view) : crashing;
}

/** Statuses of systemd's executor (systemd.exec(5)) that have no row of their own. */
const settingUp = [
  202, 205, 206, 207, 208, 209, 210, 213, 214, 215, 216, 217, 218, 219, 222, 224, 225, 228, 233, 238, 239, 240, 241,
  242, 243,
];

const exited = (status: number) => (unit: UnitState) =>
  unit.mainStatus === status && unit.mainCode !== 'killed' && unit.result !== 'success';

const noMoreProcesses =
  /(notify\.pl: cannot run|Failed to execute|Failed at step EXEC|fork|clone|pthread_create|uv_thread_create|spawn)\b.*(EAGAIN|Resource temporarily unavailable)/;

const rows: Readonly<Record<string, Row>> = {
  'SYS-05': {
    name: 'program missing',
    title: 'the program that ExecStart names cannot be run',
    claim: 'ended with status 203: systemd could not execute the program',
    test: exited(203),
    unless: noMoreProcesses,
    line: /notify\.pl: cannot run .*: (No such file|Permission denied|Exec format|Not a directory)|MODULE_NOT_FOUND/,
    fix: 'install the program, or correct the path in ExecStart',
    help: '203/EXEC means that systemd found the unit and not the program: a wrong path, a missing file, no execute bit, or the wrong architecture. Where a small program stands between systemd and the agent, its last line says the same. The agent itself never ran.',
  },
  'SYS-06': {
    name: 'working directory missing',
    title: 'its working directory is missing',
    claim: 'ended with status 200: systemd could not change to WorkingDirectory',
    test: exited(200),
    fix: 'create the directory, or correct WorkingDirectory',
    help: '200/CHDIR: the directory that the unit names does not exist or may not be entered.',
  },
  'SYS-08': {
    name: 'sandbox path missing',
    title: 'a path in its sandbox list is missing',
    claim: 'ended with status 226: systemd could not set up the mount namespace',
    test: exited(226),
    fix: 'create the directory named in the journal, or put "-" before it in ReadWritePaths',
    help: '226/NAMESPACE: with ProtectSystem=strict every path in ReadWritePaths must exist.',
  },
  'SYS-09': {
    name: 'environment file missing',
    title: 'its environment file is missing',
    claim: 'failed with result resources',
    test: (unit) => unit.result === 'resources',
    signature: (place) => [logs.logSays(place, /Failed to load environment files/, 'the journal says')],
    fix: 'restore the file, or put "-" before it in EnvironmentFile if it is optional',
    help: 'systemd reads EnvironmentFile before it starts the program; a missing file ends the start with result "resources".',
  },
  'SYS-14': {
    name: 'never ready',
    title: 'it never says that it is ready',
    claim: 'was ended because it did not report readiness in time',
    test: (unit) => unit.result === 'timeout' && unit.type === 'notify',
    fix: 'look at what it waits for; Type=notify needs READY=1 from the main process',
    help: 'With Type=notify systemd waits for READY=1 and ends the service when it does not come.',
  },
  'SYS-15': {
    name: 'out of memory',
    title: 'the kernel killed it for lack of memory',
    claim: 'ended with result oom-kill',
    test: (unit) => unit.result === 'oom-kill',
    fix: 'raise MemoryMax, or find what grows',
    help: 'Either the unit has a memory limit that is too small or the machine ran out. It looks like a crash without any last words.',
  },
  'SYS-16': {
    name: 'watchdog',
    title: 'it stopped answering the watchdog',
    claim: 'ended with result watchdog',
    test: (unit) => unit.result === 'watchdog',
    fix: 'look for what blocked its event loop',
    help: 'The agent did not ping systemd within WatchdogSec, so systemd ended it: the loop was blocked.',
  },
  'SYS-19': {
    name: 'limit of tasks',
    title: 'it may start no more processes or threads',
    claim: 'says that it can start no further process or thread',
    test: () => false,
    line: noMoreProcesses,
    fix: 'raise TasksMax= or LimitNPROC= of the unit, or find what started so many',
    help: 'TasksMax (of the unit) or LimitNPROC (of the user) is used up: starting a process or a thread fails with EAGAIN, "Resource temporarily unavailable". The program itself is there and is not at fault.',
  },
  'SYS-25': {
    name: 'systemd cannot set it up',
    title: 'systemd cannot set up what the unit asks for, so the program never runs',
    claim: 'ended with a status of systemd itself, before the program ran',
    test: (unit) => settingUp.includes(unit.mainStatus) && exited(unit.mainStatus)(unit),
    fix: "correct the setting that the journal names beside the status (USER, GROUP, SECCOMP, CREDENTIALS …): the user's name, the credential's file, the sandbox",
    help: 'Statuses from 200 on are those of systemd itself, and their name says which setting could not be had: 217/USER is a user that does not exist, 216/GROUP a group, 243/CREDENTIALS a credential that cannot be read, 228/SECCOMP a filter of system calls. The agent itself never ran.',
  },
};

const places: readonly Place[] = [parts.gatewayPart, parts.backendPart];

export const unitResultCauses: readonly CauseRule[] = causesOf(
  { layer: 'gateway', hop: 'gateway', host: 'gw' },
  Object.fromEntries(Object.entries(rows).map(([code, row]) => [code, places.map((place) => causeAt(row, place))])),
);
