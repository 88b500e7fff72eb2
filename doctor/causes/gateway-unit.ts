// Causes in the gateway's unit and process: not installed, program missing, gave up, and what systemd's result words mean.
import {
  allOf,
  anyOf,
  type CauseRule,
  causesOf,
  judge,
  negate,
  not,
  type Sign,
  sign,
  signs,
  type UnitState,
} from '../engine/index.ts';
import { deployAgain, gatewayUnit, ifVisible, on, remedy } from './texts.ts';
import { notMasked } from './unit-words.ts';

const { gateway, logs, parts } = signs;
const place = parts.gatewayPart;
const predicts = ['gateway.process.running', 'agents.link.up'];

const unitIs = (claim: string, test: (unit: UnitState) => boolean): Sign => parts.unitIs(place, claim, test);
const notFound = unitIs('does not exist (LoadState not-found)', (unit) => unit.loadState === 'not-found');
const disconnected = anyOf(
  (view) => `nothing on ${parts.hostOf(view, 'gw')} holds a link: no agent process, no socket to the backend`,
  gateway.noGatewayProcess,
  gateway.linkDown,
);

const configRepaired = sign(
  [
    'its configuration was changed after the last failure',
    'its configuration was not corrected since the last failure',
  ],
  (view) => {
    const unit = view.value('unit.state', 'gw', 'gateway');
    return judge(view, ['agent.config', 'gw', 'gateway'], (config) => {
      if (!config.parsed || config.error !== null) return 'no';
      if (config.mtimeMs === null || !unit?.changedAtMs) return 'unknown';
      return config.mtimeMs > unit.changedAtMs;
    });
  },
);
/** Result keeps saying how the last run ended on some versions of systemd; then only its log tells of the limit. */
const latched = anyOf(
  [
    (view) => `systemd refuses to start ${gatewayUnit(view)} again: the start limit was hit`,
    'the start limit was not hit',
  ],
  unitIs('has hit its start limit', (unit) => unit.result === 'start-limit-hit' && unit.activeState === 'failed'),
  allOf(
    'has failed after too many starts',
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
    'the program itself has not failed',
    unitIs('did not fail itself', (unit) => unit.mainStatus === 0),
    not('its log has no configuration error', logs.logSays(place, logs.configErrorPattern, 'its log says')),
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

export const saysGaveUp = logs.logSays(place, logs.gaveUpPattern, 'its log ends with');

export const gatewayUnitCauses: readonly CauseRule[] = causesOf(
  { layer: 'gateway', hop: 'gateway', host: 'gw', predicts },
  {
    'SYS-01': {
      name: 'unit not installed',
      title: (view) =>
        `the gateway agent is not installed on ${parts.hostOf(view, 'gw')}: no unit ${gatewayUnit(view)}`,
      necessary: [notFound, disconnected],
      signature: [gateway.noGatewayProcess],
      forbids: [gateway.linkUp, gateway.gatewayProcess],
      lookalikes: {
        'SYS-02': notFound,
        'SYS-03': notMasked(place),
        'SYS-04': ['the agent runs under another unit name', gateway.noGatewayProcess],
      },
      predicts: [...predicts, 'gateway.launcher.running'],
      remedy: (view) => remedy('install it', deployAgain(view, 'gw', `systemctl status ${gatewayUnit(view)}`)),
      help: `systemd knows no such unit and no agent process runs: the program was never installed as a service on this host, or its unit file was removed. Nothing in the network or on the backend can fix that.
Distinguished from disabled (SYS-02) and masked (SYS-03) by LoadState; from another unit name (SYS-04) by the missing process.`,
    },
    'SYS-10': {
      name: 'start limit latched',
      title: (view) => `systemd no longer starts ${gatewayUnit(view)}: the start limit is latched`,
      necessary: [latched, reasonGone],
      signature: [ifVisible(configRepaired)],
      forbids: [gateway.linkUp],
      lookalikes: { 'CFG-03': reasonGone },
      remedy: (view) =>
        remedy(
          'reset the failed state and start it; StartLimitIntervalSec=0 keeps it from happening again',
          on(view, 'gw', `systemctl reset-failed ${gatewayUnit(view)}`, `systemctl start ${gatewayUnit(view)}`),
        ),
      help: `After too many quick failures systemd stops trying. What made it fail has been fixed since; only the start limit keeps it down.`,
    },
    'SYS-12': {
      name: 'daemon-reload pending',
      scope: 'latent',
      title: (view) => `the file of ${gatewayUnit(view)} was changed and systemd has not read it`,
      necessary: [unitIs('needs a daemon-reload', (unit) => unit.needDaemonReload && unit.loadState === 'loaded')],
      predicts: [],
      remedy: (view) =>
        remedy(
          'reload systemd and restart the unit',
          on(view, 'gw', 'systemctl daemon-reload', `systemctl restart ${gatewayUnit(view)}`),
        ),
      help: `What runs is not what the file says; the next daemon-reload plus restart changes behaviour.`,
    },
    'SYS-21': {
      name: 'agent gave up',
      title: 'the gateway agent has stopped trying to connect',
      necessary: [parts.runs(place), gateway.linkDown, gateway.noSockets, saysGaveUp],
      signature: [gateway.gatewayUpgrades],
      forbids: [parts.startedWithin(place, 10)],
      lookalikes: {
        'NET-05': gateway.gatewayUpgrades,
        'CFG-03': not('its log has no configuration error', logs.logSays(place, logs.configErrorPattern, '')),
      },
      remedy: (view) =>
        remedy('restart it, and let it retry without limit', on(view, 'gw', `systemctl restart ${gatewayUnit(view)}`)),
      help: `The unit is "active (running)" but the agent inside gave up after a number of attempts. The path works again, as the probe from this host shows, but the agent will never notice.`,
    },
  },
);
