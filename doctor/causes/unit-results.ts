// Causes that systemd's own words decide: an exit status of its executor, or the result of the last run. The same for every part's unit, and
// each names the line of the unit's files that asks for what cannot be had.
import {
  anyOf,
  type CauseRow,
  type CauseRule,
  type Sign,
  signs,
  type UnitSetting,
  type UnitState,
  type View,
} from '../engine/index.ts';
import { on, remedy } from './texts.ts';
import { forEveryUnit, type UnitHome } from './unit-homes.ts';
import { environmentRefused } from './unit-run.ts';

const { logs, parts, setup } = signs;
type Place = UnitHome['place'];

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
  /** The line of the unit's files that asks for what cannot be had. */
  readonly asks?: (view: View, place: Place) => UnitSetting | null;
  readonly fix: string;
  /** Commands that look at the object or put it right, before the restart. */
  readonly commands?: (value: string, setting: UnitSetting) => readonly string[];
  readonly help: string;
}

function ruleOf(row: Row, { place, host, serves, prefix }: UnitHome): CauseRow {
  const unit = (view: View) => parts.nameOf(view, place);
  const asked = (view: View) => row.asks?.(view, place) ?? null;
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
  const others =
    prefix !== 'SYS'
      ? {}
      : host === 'be'
        ? { 'BE-05': shown, 'BE-06': shown }
        : {
            'SYS-01': parts.unitIs(place, 'is installed', (seen) => seen.loadState === 'loaded'),
            'CFG-03': shown,
          };
  return {
    name: row.name,
    title: (view) => {
      const setting = asked(view);
      return `${unit(view)}: ${row.title}${setting ? `: ${setup.worded(setting)}` : ''}`;
    },
    necessary: [shown],
    signature: row.signature?.(place) ?? [],
    supports: [
      setup.setupIs(
        place,
        (view) => {
          const setting = asked(view);
          return setting ? setup.worded(setting) : '';
        },
        (_seen, view) => asked(view) !== null,
      ),
      logs.logSays(place, executorLine, 'systemd says'),
    ],
    forbids: [
      ...serves,
      ...(row.unless ? [logs.logSays(place, row.unless, 'its log says otherwise')] : []),
      // The runtime's own word about a variable outranks what its failure looks like.
      ...(line === undefined ? [] : [environmentRefused(place)]),
    ],
    lookalikes: others,
    remedy: (view) => {
      const setting = asked(view);
      const value = (setting?.value ?? '').replace(/^[-@:+!|]+/, '');
      const own = setting && row.commands ? row.commands(value, setting) : [];
      const reload = own.some((command) => command.startsWith('sed ')) ? ['systemctl daemon-reload'] : [];
      const look = own.length > 0 ? [] : [`systemctl status ${unit(view)}`];
      return remedy(
        setting ? `${row.fix} (${setup.at(setting)})` : row.fix,
        on(view, host, ...look, ...own, ...reload, `systemctl restart ${unit(view)}`),
      );
    },
    help: row.help,
  };
}

/** What systemd's executor writes before it gives up. */
const executorLine =
  /^\S+: (Failed to (locate|execute|set up|determine|load|run|spawn|create|open)|Failed at step|Changing to the requested working directory)/;

function crashedWith(view: View, place: Place, line: RegExp) {
  const crashing = parts.crashing(place).holds(view);
  return crashing === 'yes' ? logs.logSays(place, line, '').holds(view) : crashing;
}

/** Settings by the statuses of systemd's executor (systemd.exec(5)) that have no row of their own. */
const settingUp: Readonly<Record<number, readonly string[]>> = {
  202: [],
  205: ['LimitNOFILE', 'LimitNPROC', 'LimitMEMLOCK', 'LimitAS', 'LimitCORE', 'LimitSTACK', 'LimitFSIZE', 'LimitDATA'],
  206: ['OOMScoreAdjust'],
  207: ['IgnoreSIGPIPE'],
  208: ['StandardInput'],
  209: ['StandardOutput', 'StandardError'],
  210: ['RootDirectory', 'RootImage'],
  213: ['TimerSlackNSec'],
  214: ['CPUSchedulingPolicy', 'CPUSchedulingPriority'],
  215: ['CPUAffinity'],
  216: ['Group', 'SupplementaryGroups'],
  217: ['User'],
  218: ['CapabilityBoundingSet', 'AmbientCapabilities'],
  219: ['Slice', 'Delegate'],
  222: ['OOMScoreAdjust'],
  224: ['PAMName'],
  225: ['PrivateNetwork', 'NetworkNamespacePath'],
  228: ['SystemCallFilter', 'SystemCallArchitectures', 'RestrictNamespaces'],
  229: ['SELinuxContext'],
  230: ['Personality'],
  231: ['AppArmorProfile'],
  232: ['RestrictAddressFamilies'],
  233: ['RuntimeDirectory'],
  235: ['User'],
  237: ['KeyringMode'],
  238: ['StateDirectory'],
  239: ['CacheDirectory'],
  240: ['LogsDirectory'],
  241: ['ConfigurationDirectory'],
  242: ['NUMAPolicy', 'NUMAMask'],
  243: ['LoadCredential', 'LoadCredentialEncrypted', 'SetCredential', 'ImportCredential'],
};

const exited = (status: number) => (unit: UnitState) =>
  unit.mainStatus === status && unit.mainCode !== 'killed' && unit.result !== 'success';

const noMoreProcesses =
  /(notify\.pl: cannot run|Failed to execute|Failed at step EXEC|fork|clone|pthread_create|uv_thread_create|spawn)\b.*(EAGAIN|Resource temporarily unavailable)/;

/** The path that systemd's or a program's own line says is not there. */
function pathSaid(view: View, place: Place, pattern: RegExp): string | null {
  const line = logs.lineOf(view, place, pattern);
  return line
    ? (/(\/[^\s:'"]+)'?:? [A-Z][a-z]/.exec(line.text)?.[1]?.replace('/run/systemd/unit-root', '') ?? null)
    : null;
}

const sandboxLists = [
  'ReadWritePaths',
  'ReadOnlyPaths',
  'InaccessiblePaths',
  'ExecPaths',
  'NoExecPaths',
  'BindPaths',
  'BindReadOnlyPaths',
  'TemporaryFileSystem',
];
const missingProgram =
  /notify\.pl: cannot run .*: (No such file|Permission denied|Exec format|Not a directory)|MODULE_NOT_FOUND|Failed to locate executable/;

/** By the number of the code. */
const rows: Readonly<Record<string, Row>> = {
  '05': {
    name: 'program missing',
    title: 'the program that ExecStart names cannot be run',
    claim: 'ended with status 203: systemd could not execute the program',
    test: exited(203),
    unless: noMoreProcesses,
    line: /notify\.pl: cannot run .*: (No such file|Permission denied|Exec format|Not a directory)|MODULE_NOT_FOUND/,
    asks: (view, place) => {
      const path = pathSaid(view, place, missingProgram);
      const byPath =
        path &&
        setup.settingWhere(view, place, {
          names: ['ExecStart', 'ExecStartPre'],
          test: (value) => value.includes(path),
        });
      return byPath || setup.settingOf(view, place, ['ExecStart']);
    },
    fix: 'install the program, or correct the path',
    commands: (value) => [
      `ls -l ${value
        .split(/\s+/)
        .filter((word) => word.startsWith('/'))
        .join(' ')}`,
    ],
    help: '203/EXEC means that systemd found the unit and not the program: a wrong path, a missing file, no execute bit, or the wrong architecture. Where a wrapper runs between systemd and the agent, its last line says the same. The agent itself never ran.',
  },
  '06': {
    name: 'working directory missing',
    title: 'its working directory is missing',
    claim: 'ended with status 200: systemd could not change to WorkingDirectory',
    test: exited(200),
    asks: (view, place) => setup.settingOf(view, place, ['WorkingDirectory']),
    fix: 'create the directory, or correct the line',
    commands: (value) => [`ls -ld ${value}`, `mkdir -p ${value}`],
    help: '200/CHDIR: the directory that the unit names does not exist or is not accessible.',
  },
  '08': {
    name: 'sandbox path missing',
    title: 'a path in its sandbox list is missing',
    claim: 'ended with status 226: systemd could not set up the mount namespace',
    test: exited(226),
    asks: (view, place) => {
      const path = pathSaid(view, place, /namespac/i);
      return setup.settingWhere(view, place, {
        names: sandboxLists,
        test: (value) => path === null || value.includes(path),
      });
    },
    fix: 'create the directory that the journal names, or put "-" before it in its line',
    commands: (_value, { file, line }) => [`sed -i -E '${line}s#([= ])/#\\1-/#g' ${file}`],
    help: '226/NAMESPACE: with ProtectSystem=strict every path in ReadWritePaths must exist.',
  },
  '09': {
    name: 'environment file missing',
    title: 'its environment file is missing',
    claim: 'failed with result resources',
    test: (unit) => unit.result === 'resources',
    signature: (place) => [logs.logSays(place, /Failed to load environment files/, 'the journal says')],
    asks: (view, place) => {
      const gone = setup.setupOf(view, place)?.environmentFiles.find((file) => file.exists === false && !file.optional);
      return setup.settingWhere(view, place, {
        names: ['EnvironmentFile'],
        test: (value) => (gone ? value === gone.path : !value.startsWith('-')),
      });
    },
    fix: 'restore the file; where it is optional, put "-" before it as below',
    commands: (value, { file, line }) => [
      `ls -l ${value}`,
      `sed -i '${line}s/EnvironmentFile=/EnvironmentFile=-/' ${file}`,
    ],
    help: 'systemd reads EnvironmentFile before it starts the program; a missing file ends the start with result "resources".',
  },
  '14': {
    name: 'never ready',
    title: 'it never says that it is ready',
    claim: 'was ended because it did not report readiness in time',
    test: (unit) => unit.result === 'timeout' && unit.type === 'notify',
    // It says itself what it waits for: CMD-07.
    unless: /GW_LAUNCHER_AWAITED/,
    asks: (view, place) => setup.settingOf(view, place, ['Type', 'TimeoutStartSec']),
    fix: 'find out what it waits for; Type=notify needs READY=1 from the main process',
    help: 'With Type=notify systemd waits for READY=1 and ends the service when it does not come.',
  },
  '15': {
    name: 'out of memory',
    title: 'the kernel killed it for lack of memory',
    claim: 'ended with result oom-kill',
    test: (unit) => unit.result === 'oom-kill',
    asks: (view, place) => setup.settingOf(view, place, ['MemoryMax', 'MemoryLimit', 'MemoryHigh']),
    fix: 'raise the limit, or find what grows',
    help: 'Either the unit has a memory limit that is too small or the machine ran out. It looks like a crash without any last words.',
  },
  '16': {
    name: 'watchdog',
    title: 'it stopped answering the watchdog',
    claim: 'ended with result watchdog',
    test: (unit) => unit.result === 'watchdog',
    asks: (view, place) => setup.settingOf(view, place, ['WatchdogSec']),
    fix: 'look for what blocked its event loop',
    help: 'The agent did not ping systemd within WatchdogSec, so systemd ended it: the loop was blocked.',
  },
  '19': {
    name: 'limit of tasks',
    title: 'it cannot start any more processes or threads',
    claim: 'says that it can start no further process or thread',
    test: () => false,
    line: noMoreProcesses,
    asks: (view, place) => setup.settingOf(view, place, ['TasksMax', 'LimitNPROC']),
    fix: 'raise TasksMax= or LimitNPROC= of the unit, or find what started so many',
    help: 'TasksMax (of the unit) or LimitNPROC (of the user) is used up: starting a process or a thread fails with EAGAIN, "Resource temporarily unavailable". The program itself is there and is not at fault.',
  },
  '25': {
    name: 'systemd cannot set it up',
    title: 'systemd cannot set up what the unit asks for, so the program never runs',
    claim: 'ended with a status of systemd itself, before the program ran',
    test: (unit) => unit.mainStatus in settingUp && exited(unit.mainStatus)(unit),
    asks: (view, place) => {
      const status = view.value('unit.state', place.seat, place.part)?.mainStatus ?? 0;
      return setup.settingOf(view, place, settingUp[status] ?? []);
    },
    fix: 'create what the line names, or correct it',
    commands: (value, { name, file, line }) => {
      if (name === 'User') return [`id ${value} || useradd --system ${value}`];
      if (name === 'Group' || name === 'SupplementaryGroups')
        return value.split(/\s+/).map((group) => `getent group ${group} || groupadd --system ${group}`);
      return [`sed -n '${line}p' ${file}`];
    },
    help: 'Exit statuses from 200 up come from systemd itself, and their names say which setting could not be applied: 217/USER is a user that does not exist, 216/GROUP a group, 243/CREDENTIALS a credential that cannot be read, 228/SECCOMP a filter of system calls. The agent itself never ran.',
  },
};

export const unitResultCauses: readonly CauseRule[] = forEveryUnit((home) =>
  Object.fromEntries(Object.entries(rows).map(([number, row]) => [number, ruleOf(row, home)])),
);
