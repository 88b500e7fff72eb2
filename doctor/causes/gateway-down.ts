// Causes where nobody runs the gateway's unit: not enabled, masked, stopped by hand, suspended. The program itself has nothing to do with it.
import {
  anyOf,
  type CauseRule,
  defineCause,
  judge,
  not,
  type Sign,
  sign,
  signs,
  type UnitState,
} from '../engine/index.ts';
import { gatewayUnit, on, remedy } from './texts.ts';
import { isDisabled, isMasked, notMasked } from './unit-words.ts';

const { gateway, logs, parts } = signs;
const place = parts.gatewayPart;
const predicts = ['gateway.process.running', 'agents.link.up'];

const unitIs = (claim: string, test: (unit: UnitState) => boolean): Sign => parts.unitIs(place, claim, test);
const installed = unitIs('is installed', (unit) => unit.loadState === 'loaded');
const endedWell = unitIs('ended without an error, or never ran', (unit) => unit.result === 'success');

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
      'is installed, not enabled and inactive',
      (unit) => unit.loadState === 'loaded' && isDisabled(unit) && unit.activeState === 'inactive',
    ),
    endedWell,
  ],
  forbids: [gateway.linkUp, gateway.gatewayProcess],
  lookalikes: [
    { code: 'SYS-01', separator: installed },
    { code: 'SYS-03', separator: notMasked(place) },
    { code: 'SYS-23', separator: unitIs('is not enabled', isDisabled) },
  ],
  predicts,
  remedy: (view) => remedy('enable and start it', on(view, 'gw', `systemctl enable --now ${gatewayUnit(view)}`)),
  help: `The unit is there but systemd was never told to start it at boot, so after a reboot (or a stop) it stays down. A unit that is a link into a release says "linked" instead of "disabled"; it means the same.`,
});

const masked = unitIs('is masked (linked to /dev/null)', isMasked);
const sys03 = defineCause({
  code: 'SYS-03',
  name: 'unit masked',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: (view) => `${gatewayUnit(view)} is masked`,
  necessary: [masked, unitIs('is not running', (unit) => unit.activeState !== 'active')],
  forbids: [gateway.linkUp],
  lookalikes: [
    { code: 'SYS-01', separator: unitIs('is masked, not missing', (unit) => unit.loadState !== 'not-found') },
    { code: 'SYS-02', separator: unitIs('is masked, not merely disabled', isMasked) },
  ],
  predicts,
  remedy: (view) =>
    remedy(
      'unmask and start it',
      on(view, 'gw', `systemctl unmask ${gatewayUnit(view)}`, `systemctl enable --now ${gatewayUnit(view)}`),
    ),
  help: `Somebody forbade systemd to start the unit. Starting it fails at once with "Unit is masked".`,
});

const dependency = logs.logSays(place, /dependency failed/i, 'the journal says');
const nothingRequired = anyOf(
  'nothing that it could require is down',
  not('the journal knows of no failed dependency', dependency),
  sign('docker.service is not installed, or runs', (view) =>
    judge(
      view,
      ['unit.state', 'gw', 'docker'],
      (unit) => unit.loadState === 'not-found' || unit.activeState === 'active',
    ),
  ),
);
const sys23 = defineCause({
  code: 'SYS-23',
  name: 'unit stopped',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: (view) => `${gatewayUnit(view)} is enabled and was stopped`,
  necessary: [
    unitIs(
      'is installed, enabled and inactive',
      (unit) => unit.loadState === 'loaded' && unit.activeState === 'inactive' && !isDisabled(unit) && !isMasked(unit),
    ),
    endedWell,
  ],
  supports: [logs.logSays(place, /^Stopped |Deactivated successfully/, 'the journal says')],
  forbids: [gateway.linkUp, gateway.gatewayProcess, dependency],
  lookalikes: [
    { code: 'SYS-02', separator: unitIs('is enabled', (unit) => !isDisabled(unit)) },
    { code: 'SYS-05', separator: unitIs('ended without an error', (unit) => unit.result === 'success') },
    { code: 'SYS-11', separator: nothingRequired },
    { code: 'SYS-21', separator: unitIs('is not running at all', (unit) => unit.activeState === 'inactive') },
  ],
  predicts,
  remedy: (view) =>
    remedy(
      'start it; whoever stopped it may have had a reason, so look at the journal first',
      on(view, 'gw', `journalctl -u ${gatewayUnit(view)} -n 20`, `systemctl start ${gatewayUnit(view)}`),
    ),
  help: `The unit is enabled, its last end was a clean one, and it is not running: somebody stopped it (systemctl stop), or it ended by itself without an error and nothing starts it again.
Told from a crash by the result, from a disabled unit (SYS-02) by UnitFileState, from an agent that gave up (SYS-21) by the process, which is not there.`,
});

/** Only T: a process that is merely traced (t) goes on. */
const suspended = parts.processIn(place, 'T', 'is stopped (state T)');
/** The registry and the kernel keep showing a suspended agent's link for a while; its own page answers only if it runs. */
const answersItself = sign('its own health page answers', (view) => judge(view, ['gateway.health', 'gw'], () => true));
const sys26 = defineCause({
  code: 'SYS-26',
  name: 'agent suspended',
  layer: 'gateway',
  hop: 'gateway',
  per: 'gateway',
  host: 'gw',
  title: 'the gateway agent is suspended',
  necessary: [suspended, parts.runs(place)],
  forbids: [answersItself],
  lookalikes: [
    { code: 'SYS-21', separator: suspended },
    { code: 'SYS-16', separator: suspended },
  ],
  predicts: ['agents.link.up', 'agents.registry.online', 'agents.canary.returns'],
  remedy: (view) =>
    remedy('let it go on, or restart it', on(view, 'gw', `systemctl kill --signal=CONT ${gatewayUnit(view)}`)),
  help: `Somebody or something stopped the process (SIGSTOP). systemd still says "active" and the kernel keeps its sockets open, so that the backend takes it for connected until the next missed heartbeat; commands are taken by nobody.`,
});

export const gatewayDownCauses: readonly CauseRule[] = [sys02, sys03, sys23, sys26];
