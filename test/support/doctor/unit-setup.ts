// Cases of how systemd holds a part's unit: conditions, refused files, dependencies, rivals, environment, sandbox. The same for every part.
import type { UnitSetup, UnitState } from '../../../doctor/engine/index.ts';
import { agentGone, backendDown, type Case, offline, publicGets } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

interface Home {
  readonly prefix: 'SYS' | 'NGU' | 'LAU';
  readonly name: string;
  readonly unit: string;
  readonly seat: 'be' | typeof w.gw;
  readonly part: 'backend' | 'gateway' | 'nginx' | 'launcher';
  readonly down: () => w.World;
}

const homes: readonly Home[] = [
  {
    prefix: 'SYS',
    name: 'gateway',
    unit: 'viworks-gateway-agent.service',
    seat: w.gw,
    part: 'gateway',
    down: () => agentGone(healthy()),
  },
  {
    prefix: 'SYS',
    name: 'backend',
    unit: w.backendUnit,
    seat: 'be',
    part: 'backend',
    down: () => backendDown(healthy()),
  },
  { prefix: 'NGU', name: 'nginx', unit: 'nginx.service', seat: 'be', part: 'nginx', down: () => nginxGone() },
  {
    prefix: 'LAU',
    name: 'launcher',
    unit: 'viworks-launcher.service',
    seat: w.gw,
    part: 'launcher',
    down: () => noTasks(),
  },
];

function nginxGone(): w.World {
  const world = publicGets(offline(healthy()), w.refused);
  world.put('tcp.listeners', 'be', '', [w.sshd, w.listener(8080, w.backendUnit), w.listener(8081, w.backendUnit)]);
  world.put('nginx.processes', 'be', '', { version: '1.22.1', masterPid: null, masterStartedAtMs: null, workers: [] });
  for (const seat of ['op', 'be', w.gw] as const) {
    world.put('tcp.connect', seat, 'public', { address: '192.0.2.10', port: 443, outcome: 'refused', milliseconds: 1 });
    world.put('tls.certificate', seat, 'public', {
      ...w.certificate(),
      handshake: 'failed',
      chain: [],
      verification: '',
    });
  }
  for (const seat of ['be', w.gw] as const)
    world.put('http.response', seat, 'public-api', {
      url: '',
      outcome: 'refused',
      status: null,
      headers: {},
      body: '',
      milliseconds: 1,
    });
  return world;
}

function noTasks(): w.World {
  return healthy().put('canary', 'op', w.gatewayId, {
    outcome: 'refused',
    code: 'start_failed',
    message: 'the launcher does not answer',
    exitCode: null,
    milliseconds: 3,
  });
}

const dropIn = '/etc/systemd/system/x.service.d/50-local.conf';
const set = (name: string, value: string, line = 2, section = 'Service') => ({
  file: dropIn,
  line,
  section,
  name,
  value,
});

interface Fault {
  readonly number: string;
  readonly what: string;
  readonly unit: Partial<UnitState>;
  readonly setup: Partial<UnitSetup>;
  readonly lines?: readonly string[];
  readonly proven?: boolean;
  readonly title: RegExp;
  /** Only where it differs by the part. */
  readonly only?: readonly string[];
}

const looping: Partial<UnitState> = { ...w.failed, activeState: 'activating', subState: 'auto-restart', restarts: 9 };
const other = (relation: string, name: string, change: Partial<UnitSetup['related'][number]> = {}) => ({
  relation,
  name,
  loadState: 'loaded',
  activeState: 'active',
  subState: 'running',
  result: 'success',
  activeSinceMs: 1000,
  inactiveSinceMs: null,
  ...change,
});
const stoppedAt: Partial<UnitState> = { ...w.stopped, inactiveSinceMs: 50_000 };

const faults: readonly Fault[] = [
  {
    number: '27',
    what: 'unmet condition',
    unit: w.stopped,
    setup: {
      unmet: ['ConditionPathExists=/etc/x/on'],
      conditionsMet: false,
      settings: [set('ConditionPathExists', '/etc/x/on', 2, 'Unit')],
    },
    proven: true,
    title: /skips the start.*ConditionPathExists=\/etc\/x\/on is not met, .*50-local\.conf:2/,
  },
  {
    number: '27',
    what: 'unmet assertion, an inverted one',
    unit: w.stopped,
    setup: { unmet: ['AssertPathExists=!/etc/x/off'], settings: [set('AssertPathExists', '!/etc/x/off', 3, 'Unit')] },
    proven: true,
    title: /AssertPathExists=!\/etc\/x\/off is not met/,
  },
  {
    number: '28',
    what: 'two ExecStart=',
    unit: { ...w.stopped, loadState: 'bad-setting' },
    setup: {
      loadError: 'Unit has a bad unit file setting.',
      settings: [set('ExecStart', '/usr/bin/a', 4), set('ExecStart', '/usr/bin/b', 9)],
    },
    proven: true,
    title: /more than one ExecStart=: .*:4 and .*:9/,
  },
  {
    number: '11',
    what: 'a required unit that is not there',
    unit: w.stopped,
    setup: {
      related: [other('Requires', 'nope.service', { loadState: 'not-found', activeState: 'inactive' })],
      settings: [set('Requires', 'nope.service', 2, 'Unit')],
    },
    proven: true,
    title: /does not run without nope\.service, which does not exist \(Requires=nope\.service/,
  },
  {
    number: '11',
    what: 'a mount that failed',
    unit: stoppedAt,
    setup: {
      related: [
        other('Requires', 'srv-data.mount', { activeState: 'failed', result: 'exit-code', inactiveSinceMs: 49_000 }),
      ],
      settings: [set('RequiresMountsFor', '/srv/data/x', 2, 'Unit')],
    },
    proven: true,
    title: /srv-data\.mount, which has failed \(exit-code\) \(RequiresMountsFor=\/srv\/data\/x/,
  },
  {
    number: '11',
    what: 'a unit that took it along',
    unit: stoppedAt,
    setup: { related: [other('BindsTo', 'vpn.service', { activeState: 'inactive', inactiveSinceMs: 51_000 })] },
    proven: true,
    title: /vpn\.service, which is not running/,
  },
  {
    number: '33',
    what: 'a rival',
    unit: stoppedAt,
    setup: { related: [other('ConflictedBy', 'legacy.service', { activeSinceMs: 50_500 })] },
    proven: true,
    title: /because legacy\.service, which conflicts with it, was started/,
  },
  {
    number: '34',
    what: 'another target',
    unit: stoppedAt,
    setup: { related: [other('WantedBy', 'multi-user.target', { activeState: 'inactive' })] },
    proven: true,
    title: /is not in multi-user\.target/,
  },
  {
    number: '36',
    what: 'a queued start',
    unit: w.stopped,
    setup: { job: 1234 },
    proven: true,
    title: /waits to be started/,
  },
  {
    number: '29',
    what: 'NODE_OPTIONS that the runtime refuses',
    unit: { ...looping, mainStatus: 9 },
    setup: { variables: [{ name: 'NODE_OPTIONS', value: '--max-old-space=512', file: dropIn, line: 2 }] },
    lines: [
      '/opt/x/node: --max-old-space=512 is not allowed in NODE_OPTIONS',
      'x.service: Main process exited, code=exited, status=9/n/a',
    ],
    proven: true,
    title: /because of NODE_OPTIONS=--max-old-space=512 \(.*50-local\.conf:2\)/,
  },
  {
    number: '29',
    what: 'a module of PERL5OPT that is not there',
    unit: { ...looping, mainStatus: 2 },
    setup: { variables: [{ name: 'PERL5OPT', value: '-MNope', file: dropIn, line: 2 }] },
    lines: [
      "Can't locate Nope.pm in @INC (you may need to install the Nope module).",
      'BEGIN failed--compilation aborted.',
    ],
    proven: true,
    title: /because of PERL5OPT=/,
  },
  {
    number: '30',
    what: 'a command before the start',
    unit: looping,
    setup: {
      failedCommands: [{ setting: 'ExecStartPre', command: '/usr/bin/test -e /x', status: '1' }],
      settings: [set('ExecStartPre', '/usr/bin/test -e /x', 3)],
    },
    proven: true,
    title: /not started: ExecStartPre=\/usr\/bin\/test -e \/x ended with status 1 \(.*:3\)/,
  },
  {
    number: '35',
    what: 'memory that may not be executed',
    unit: { ...looping, mainCode: 'dumped', mainStatus: 5 },
    setup: { settings: [set('MemoryDenyWriteExecute', 'yes')] },
    proven: true,
    title: /killed at each start: .*MemoryDenyWriteExecute=yes/,
  },
  {
    number: '09',
    what: 'environment file that is not there',
    unit: { ...w.failed, result: 'resources', mainStatus: 0 },
    setup: {
      environmentFiles: [{ path: '/etc/x.env', optional: false, exists: false }],
      settings: [set('EnvironmentFile', '/etc/x.env', 5)],
    },
    lines: ['x.service: Failed to load environment files: No such file or directory'],
    proven: true,
    title: /EnvironmentFile=\/etc\/x\.env \(.*50-local\.conf:5\)/,
  },
  {
    number: '25',
    what: 'user that does not exist',
    unit: { ...looping, mainStatus: 217 },
    setup: { settings: [set('User', 'nobody2', 3)] },
    proven: true,
    title: /User=nobody2 \(.*:3\)/,
  },
  ...(['05', '06', '08', '14', '15', '16', '19'] as const).map(
    (number): Fault => ({
      number,
      what: 'a status of systemd',
      unit: {
        '05': { ...looping, mainStatus: 203 },
        '06': { ...looping, mainStatus: 200 },
        '08': { ...looping, mainStatus: 226 },
        '14': { ...w.failed, result: 'timeout' },
        '15': { ...w.failed, result: 'oom-kill' },
        '16': { ...w.failed, result: 'watchdog' },
        '19': looping,
      }[number],
      setup: {},
      lines: number === '19' ? ['notify.pl: cannot run it: Resource temporarily unavailable'] : [],
      proven: true,
      title: /./,
      only: ['nginx', 'launcher'],
    }),
  ),
];

/** Further tests than those of every case: what its title has to name. */
export const setupTitles: readonly { readonly name: string; readonly world: () => w.World; readonly title: RegExp }[] =
  homes.flatMap((home) =>
    faults
      .filter((fault) => fits(fault, home))
      .map((fault) => ({ name: nameOf(fault, home), world: () => worldOf(fault, home), title: fault.title })),
  );

function fits(fault: Fault, home: Home): boolean {
  return fault.only?.includes(home.part) ?? true;
}

function nameOf(fault: Fault, home: Home): string {
  return `${home.prefix}-${fault.number} ${fault.what} (${home.name})`;
}

function worldOf(fault: Fault, home: Home): w.World {
  const world = home.down();
  world.put('unit.state', home.seat, home.part, w.unit(home.unit, fault.unit));
  world.put('unit.setup', home.seat, home.part, w.setup(fault.setup));
  if (fault.lines) world.put('log.tail', home.seat, home.part, w.log(...fault.lines));
  return world;
}

/** Active to systemd, and nobody answers. */
function frozen(home: Home): w.World {
  const world = home.down();
  world.put('unit.state', home.seat, home.part, w.unit(home.unit));
  return world.put('unit.setup', home.seat, home.part, w.setup({ frozen: true }));
}

const networkCut = () =>
  offline(healthy()).put('unit.setup', w.gw, 'gateway', w.setup({ settings: [set('IPAddressDeny', 'any')] }));

export const unitSetupCases: readonly Case[] = [
  ...homes.flatMap((home) =>
    faults
      .filter((fault) => fits(fault, home))
      .map((fault): Case => {
        const code = `${home.prefix}-${fault.number}`;
        return {
          name: nameOf(fault, home),
          causes: [code],
          ...(fault.proven ? { proven: true } : {}),
          ...(home.part === 'launcher' ? { whenBlind: ['CMD-01'] } : {}),
          world: () => worldOf(fault, home),
        };
      }),
  ),
  ...homes.map(
    (home): Case => ({
      name: `${home.prefix}-32 frozen (${home.name})`,
      causes: [`${home.prefix}-32`],
      proven: true,
      world: () => frozen(home),
    }),
  ),
  {
    name: 'SYS-28 a file that is refused while the old process runs on (latent)',
    causes: [],
    latent: ['SYS-28'],
    world: () =>
      healthy()
        .put(
          'unit.state',
          w.gw,
          'gateway',
          w.unit('viworks-gateway-agent.service', { loadState: 'bad-setting', needDaemonReload: true }),
        )
        .put(
          'unit.setup',
          w.gw,
          'gateway',
          w.setup({ settings: [set('ExecStart', '/a', 1), set('ExecStart', '/b', 2)] }),
        ),
  },
  {
    name: 'SYS-11 a required unit that is not there, while it still runs (latent)',
    causes: [],
    latent: ['SYS-11'],
    world: () =>
      healthy().put(
        'unit.setup',
        w.gw,
        'gateway',
        w.setup({ related: [other('Requires', 'nope.service', { loadState: 'not-found' })] }),
      ),
  },
  { name: 'SYS-31 the unit keeps its agent off the network', causes: ['SYS-31'], proven: true, world: networkCut },
];
