// Causes in the gateway's unit and process: not installed, masked, program missing, gave up, and what systemd's result words mean.
import {
  allOf,
  anyOf,
  type CauseRule,
  defineCause,
  judge,
  negate,
  not,
  type Sign,
  sign,
  signs,
  type UnitState,
} from '../engine/index.ts';
import { gatewayUnit, ifVisible, on, remedy } from './texts.ts';

const { gateway, logs, parts } = signs;
const place = parts.gatewayPart;
const predicts = ['gateway.process.running', 'agents.link.up'];

const unitIs = (claim: string, test: (unit: UnitState) => boolean): Sign => parts.unitIs(place, claim, test);
const loaded = unitIs('is installed', (unit) => unit.loadState === 'loaded');
const notFound = unitIs('does not exist (LoadState not-found)', (unit) => unit.loadState === 'not-found');
const notMasked = unitIs('is not masked', (unit) => unit.loadState !== 'masked' && unit.unitFileState !== 'masked');
const disconnected = anyOf(
  (view) => `nothing on ${parts.hostOf(view, 'gw')} holds a link: no agent process, no socket to the backend`,
  gateway.noGatewayProcess,
  gateway.linkDown,
);

const sys01 = defineCause({
  code: 'SYS-01',
  name: 'unit not installed',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: (view) => `the gateway agent is not installed on ${parts.hostOf(view, 'gw')}: no unit ${gatewayUnit(view)}`,
  necessary: [notFound, disconnected],
  signature: [gateway.noGatewayProcess],
  forbids: [gateway.linkUp, gateway.gatewayProcess],
  lookalikes: [
    { code: 'SYS-02', separator: notFound },
    { code: 'SYS-03', separator: notMasked },
    { code: 'SYS-04', title: 'the agent runs under another unit name', separator: gateway.noGatewayProcess },
  ],
  predicts: [...predicts, 'gateway.launcher.running'],
  remedy: (view) =>
    remedy('install it', ['viworks deploy apply', ...on(view, 'gw', `systemctl status ${gatewayUnit(view)}`)]),
  help: `systemd knows no such unit and no agent process runs: the program was never made a service on this host, or its unit file was removed. Nothing in the network or on the backend can mend that.
Told from disabled (SYS-02) and masked (SYS-03) by LoadState; from another unit name (SYS-04) by the missing process.`,
});

const sys02 = defineCause({
  code: 'SYS-02',
  name: 'unit disabled',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: (view) => `${gatewayUnit(view)} is not enabled and not running`,
  necessary: [
    unitIs(
      'is installed, disabled and inactive',
      (unit) => unit.loadState === 'loaded' && unit.unitFileState === 'disabled' && unit.activeState === 'inactive',
    ),
    unitIs('ended without an error, or never ran', (unit) => unit.result === 'success'),
  ],
  forbids: [gateway.linkUp, gateway.gatewayProcess],
  lookalikes: [
    { code: 'SYS-01', separator: loaded },
    { code: 'SYS-03', separator: notMasked },
  ],
  predicts,
  remedy: (view) => remedy('enable and start it', on(view, 'gw', `systemctl enable --now ${gatewayUnit(view)}`)),
  help: `The unit is there but systemd was never told to start it at boot, so after a reboot (or a stop) it stays down.`,
});

const sys03 = defineCause({
  code: 'SYS-03',
  name: 'unit masked',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: (view) => `${gatewayUnit(view)} is masked`,
  necessary: [
    unitIs('is masked (linked to /dev/null)', (unit) => unit.loadState === 'masked' || unit.unitFileState === 'masked'),
    unitIs('is not running', (unit) => unit.activeState !== 'active'),
  ],
  forbids: [gateway.linkUp],
  lookalikes: [
    { code: 'SYS-01', separator: unitIs('is masked, not missing', (unit) => unit.loadState !== 'not-found') },
    {
      code: 'SYS-02',
      separator: unitIs(
        'is masked, not merely disabled',
        (unit) => unit.loadState === 'masked' || unit.unitFileState === 'masked',
      ),
    },
  ],
  predicts,
  remedy: (view) =>
    remedy(
      'unmask and start it',
      on(view, 'gw', `systemctl unmask ${gatewayUnit(view)}`, `systemctl enable --now ${gatewayUnit(view)}`),
    ),
  help: `Somebody forbade systemd to start the unit. Starting it fails at once with "Unit is masked".`,
});

/** Rows that systemd's own words decide: an exit status of its executor, or a result. */
function fromResult(of: {
  readonly code: string;
  readonly name: string;
  readonly title: string;
  readonly claim: string;
  readonly test: (unit: UnitState) => boolean;
  readonly signature?: readonly Sign[];
  readonly fix: string;
  readonly help: string;
}): CauseRule {
  return defineCause({
    code: of.code,
    name: of.name,
    layer: 'gateway',
    hop: 'gateway',
    per: 'gateway',
    host: 'gw',
    title: (view) => `${gatewayUnit(view)}: ${of.title}`,
    necessary: [
      unitIs(of.claim, (unit) => unit.loadState === 'loaded' && unit.activeState !== 'active' && of.test(unit)),
    ],
    signature: of.signature ?? [],
    forbids: [gateway.linkUp],
    lookalikes: [
      { code: 'SYS-01', separator: loaded },
      { code: 'CFG-03', separator: unitIs(of.claim, of.test) },
    ],
    predicts,
    remedy: (view) =>
      remedy(of.fix, on(view, 'gw', `systemctl status ${gatewayUnit(view)}`, `systemctl restart ${gatewayUnit(view)}`)),
    help: of.help,
  });
}

const exited = (status: number) => (unit: UnitState) =>
  unit.mainStatus === status && unit.mainCode !== 'killed' && unit.result !== 'success';

const resultRows: readonly CauseRule[] = [
  fromResult({
    code: 'SYS-05',
    name: 'program missing',
    title: 'the program that ExecStart names cannot be run',
    claim: 'ended with status 203: systemd could not execute the program',
    test: exited(203),
    fix: 'install the program, or correct the path in ExecStart',
    help: '203/EXEC means that systemd found the unit and not the program: a wrong path, a missing file, no execute bit, or the wrong architecture. The agent itself never ran.',
  }),
  fromResult({
    code: 'SYS-06',
    name: 'working directory missing',
    title: 'its working directory is missing',
    claim: 'ended with status 200: systemd could not change to WorkingDirectory',
    test: exited(200),
    fix: 'create the directory, or correct WorkingDirectory',
    help: '200/CHDIR: the directory that the unit names does not exist or may not be entered.',
  }),
  fromResult({
    code: 'SYS-08',
    name: 'sandbox path missing',
    title: 'a path in its sandbox list is missing',
    claim: 'ended with status 226: systemd could not set up the mount namespace',
    test: exited(226),
    fix: 'create the directory named in the journal, or put "-" before it in ReadWritePaths',
    help: '226/NAMESPACE: with ProtectSystem=strict every path in ReadWritePaths must exist.',
  }),
  fromResult({
    code: 'SYS-09',
    name: 'environment file missing',
    title: 'its environment file is missing',
    claim: 'failed with result resources',
    test: (unit) => unit.result === 'resources',
    signature: [logs.logSays(place, /Failed to load environment files/, 'the journal says')],
    fix: 'restore the file, or put "-" before it in EnvironmentFile if it is optional',
    help: 'systemd reads EnvironmentFile before it starts the program; a missing file ends the start with result "resources".',
  }),
  fromResult({
    code: 'SYS-14',
    name: 'never ready',
    title: 'it never says that it is ready',
    claim: 'was ended because it did not report readiness in time',
    test: (unit) => unit.result === 'timeout' && unit.type === 'notify',
    fix: 'look at what it waits for; Type=notify needs READY=1 from the main process',
    help: 'With Type=notify systemd waits for READY=1 and ends the service when it does not come.',
  }),
  fromResult({
    code: 'SYS-15',
    name: 'out of memory',
    title: 'the kernel killed it for lack of memory',
    claim: 'ended with result oom-kill',
    test: (unit) => unit.result === 'oom-kill',
    fix: 'raise MemoryMax, or find what grows',
    help: 'Either the unit has a memory limit that is too small or the machine ran out. It looks like a crash without any last words.',
  }),
  fromResult({
    code: 'SYS-16',
    name: 'watchdog',
    title: 'it stopped answering the watchdog',
    claim: 'ended with result watchdog',
    test: (unit) => unit.result === 'watchdog',
    fix: 'look for what blocked its event loop',
    help: 'The agent did not ping systemd within WatchdogSec, so systemd ended it: the loop was blocked.',
  }),
];

const configRepaired = sign('its configuration was changed after the last failure', (view) => {
  const unit = view.value('unit.state', 'gw', 'gateway');
  return judge(view, ['agent.config', 'gw', 'gateway'], (config) => {
    if (!config.parsed || config.error !== null) return 'no';
    if (config.mtimeMs === null || !unit?.changedAtMs) return 'unknown';
    return config.mtimeMs > unit.changedAtMs;
  });
});
/** Result keeps saying how the last run ended on some versions of systemd; then only its log tells of the limit. */
const latched = anyOf(
  (view) => `systemd refuses to start ${gatewayUnit(view)} again: the start limit was hit`,
  unitIs('has hit its start limit', (unit) => unit.result === 'start-limit-hit' && unit.activeState === 'failed'),
  allOf(
    '',
    unitIs('has failed', (unit) => unit.activeState === 'failed'),
    logs.logSays(place, /start request repeated too quickly/i, 'systemd says'),
  ),
);
/** Nothing that is there now would make the program end again, as far as can be seen. */
const reasonGone = anyOf(
  (view) =>
    configRepaired.holds(view) === 'yes'
      ? configRepaired.claim(view)
      : 'the program itself has not failed, and says nothing against its configuration',
  configRepaired,
  allOf(
    '',
    unitIs('did not fail itself', (unit) => unit.mainStatus === 0),
    not('', logs.logSays(place, logs.configErrorPattern, '')),
  ),
);
export const startLimitLatched = allOf(
  (view) => `${latched.claim(view)}; ${reasonGone.claim(view)}`,
  latched,
  reasonGone,
);
/** For rules about what made it fail: the latch is not on, or what made it fail is still there. */
export const notMerelyLatched = sign('the start limit is not what keeps it down', (view) =>
  latched.holds(view) === 'no' ? 'yes' : negate(startLimitLatched.holds(view)),
);

const sys10 = defineCause({
  code: 'SYS-10',
  name: 'start limit latched',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: (view) => `systemd no longer starts ${gatewayUnit(view)}: the start limit is latched`,
  necessary: [latched, reasonGone],
  signature: [ifVisible(configRepaired)],
  forbids: [gateway.linkUp],
  lookalikes: [{ code: 'CFG-03', separator: reasonGone }],
  predicts,
  remedy: (view) =>
    remedy(
      'clear the latch and start it; StartLimitIntervalSec=0 keeps it from happening again',
      on(view, 'gw', `systemctl reset-failed ${gatewayUnit(view)}`, `systemctl start ${gatewayUnit(view)}`),
    ),
  help: `After too many quick failures systemd gives up for good. What made it fail has been corrected since; only the latch keeps it down.`,
});

const dockerStopped = sign('docker.service is not running', (view) =>
  judge(view, ['unit.state', 'gw', 'docker'], (unit) => unit.activeState !== 'active'),
);
const sys11 = defineCause({
  code: 'SYS-11',
  name: 'required unit down',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: (view) => `${gatewayUnit(view)} went down with a unit that it requires`,
  necessary: [
    unitIs('is inactive', (unit) => unit.loadState === 'loaded' && unit.activeState !== 'active'),
    dockerStopped,
    logs.logSays(place, /dependency/i, 'the journal says'),
  ],
  forbids: [gateway.linkUp],
  predicts,
  remedy: (view) =>
    remedy(
      'start what it requires, or drop Requires= if the agent can do without',
      on(view, 'gw', 'systemctl start docker.service', `systemctl start ${gatewayUnit(view)}`),
    ),
  help: `Requires=docker.service stops the agent together with Docker. Nobody stopped the agent itself.`,
});

const sys12 = defineCause({
  code: 'SYS-12',
  name: 'daemon-reload pending',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  scope: 'latent',
  title: (view) => `the file of ${gatewayUnit(view)} was changed and systemd has not read it`,
  necessary: [unitIs('needs a daemon-reload', (unit) => unit.needDaemonReload)],
  predicts: [],
  remedy: (view) =>
    remedy('read it and restart', on(view, 'gw', 'systemctl daemon-reload', `systemctl restart ${gatewayUnit(view)}`)),
  help: `What runs is not what the file says; the next daemon-reload plus restart changes behaviour.`,
});

export const saysGaveUp = logs.logSays(place, logs.gaveUpPattern, 'its log ends with');
const sys21 = defineCause({
  code: 'SYS-21',
  name: 'agent gave up',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: 'the gateway agent has stopped trying to connect',
  necessary: [parts.runs(place), gateway.linkDown, gateway.noSockets, saysGaveUp],
  signature: [gateway.gatewayUpgrades],
  forbids: [parts.startedWithin(place, 10)],
  lookalikes: [
    { code: 'NET-05', separator: gateway.gatewayUpgrades },
    {
      code: 'CFG-03',
      separator: not('its log has no configuration error', logs.logSays(place, logs.configErrorPattern, '')),
    },
  ],
  predicts,
  remedy: (view) =>
    remedy('restart it, and let it retry without limit', on(view, 'gw', `systemctl restart ${gatewayUnit(view)}`)),
  help: `The unit is "active (running)" and the agent inside gave up after a number of attempts. The path is fine again, as the probe from this host shows, and it will never notice.`,
});

export const gatewayUnitCauses: readonly CauseRule[] = [sys01, sys02, sys03, ...resultRows, sys10, sys11, sys12, sys21];
