// Causes where nobody runs the gateway's unit: not enabled, masked, stopped by hand, suspended. The program itself has nothing to do with it.
import { type CauseRule, causesOf, judge, not, type Sign, sign, signs, type UnitState } from '../engine/index.ts';
import { gatewayUnit, on, remedy } from './texts.ts';
import { endedWell, isDisabled, isMasked, notMasked, stopWord } from './unit-words.ts';

const { gateway, logs, parts, setup } = signs;
const place = parts.gatewayPart;
const predicts = ['gateway.process.running', 'agents.link.up'];

const unitIs = (claim: string, test: (unit: UnitState) => boolean): Sign => parts.unitIs(place, claim, test);
const installed = unitIs('is installed', (unit) => unit.loadState === 'loaded');
const cleanEnd = endedWell(place);

const masked = unitIs('is masked (linked to /dev/null)', isMasked);

const nothingRequired = not('nothing that it requires is down', setup.dependencyDown(place));

/** Only T: a process that is merely traced (t) goes on. */
const suspended = parts.processIn(place, 'T', 'is stopped (state T)');
/** The registry and the kernel keep showing a suspended agent's link for a while; its own page answers only if it runs. */
const answersItself = sign('its own health page answers', (view) => judge(view, ['gateway.health', 'gw'], () => true));

export const gatewayDownCauses: readonly CauseRule[] = causesOf(
  { layer: 'gateway', hop: 'gateway', host: 'gw', predicts },
  {
    'SYS-02': {
      name: 'unit disabled',
      title: (view) => `${gatewayUnit(view)} is not enabled and not running`,
      necessary: [
        unitIs(
          'is installed, not enabled and inactive',
          (unit) => unit.loadState === 'loaded' && isDisabled(unit) && unit.activeState === 'inactive',
        ),
        cleanEnd,
      ],
      forbids: [gateway.linkUp, gateway.gatewayProcess],
      lookalikes: { 'SYS-01': installed, 'SYS-03': notMasked(place), 'SYS-23': unitIs('is not enabled', isDisabled) },
      remedy: (view) => remedy('enable and start it', on(view, 'gw', `systemctl enable --now ${gatewayUnit(view)}`)),
      help: `The unit exists but is not enabled at boot, so it stays down after a reboot (or a stop). A unit that is a link into a release says "linked" instead of "disabled"; it means the same.`,
    },
    'SYS-03': {
      name: 'unit masked',
      title: (view) => `${gatewayUnit(view)} is masked`,
      necessary: [masked, unitIs('is not running', (unit) => unit.activeState !== 'active')],
      forbids: [gateway.linkUp],
      lookalikes: {
        'SYS-01': unitIs('is masked, not missing', (unit) => unit.loadState !== 'not-found'),
        'SYS-02': unitIs('is masked, not merely disabled', isMasked),
      },
      remedy: (view) =>
        remedy(
          'unmask and start it',
          on(view, 'gw', `systemctl unmask ${gatewayUnit(view)}`, `systemctl enable --now ${gatewayUnit(view)}`),
        ),
      help: `A masked unit is one that systemd must not start. Starting it fails at once with "Unit is masked".`,
    },
    'SYS-23': {
      name: 'unit stopped',
      title: (view) => `${gatewayUnit(view)} is enabled and ${stopWord(view, place)}`,
      necessary: [
        unitIs(
          'is installed, enabled and inactive',
          (unit) =>
            unit.loadState === 'loaded' && unit.activeState === 'inactive' && !isDisabled(unit) && !isMasked(unit),
        ),
        cleanEnd,
      ],
      supports: [logs.logSays(place, /^Stopped |Deactivated successfully/, 'the journal says')],
      forbids: [gateway.linkUp, gateway.gatewayProcess],
      lookalikes: {
        'SYS-02': unitIs('is enabled', (unit) => !isDisabled(unit)),
        'SYS-05': unitIs('ended without an error', (unit) => unit.result === 'success'),
        'SYS-11': nothingRequired,
        'SYS-21': unitIs('is not running at all', (unit) => unit.activeState === 'inactive'),
      },
      remedy: (view) =>
        remedy(
          'check the journal first (it may have been stopped for a reason), then start it',
          on(view, 'gw', `journalctl -u ${gatewayUnit(view)} -n 20`, `systemctl start ${gatewayUnit(view)}`),
        ),
      help: `The unit is enabled, it last exited cleanly, and it is not running: it was stopped (systemctl stop), or it exited without an error and nothing restarts it.
Distinguished from a crash by the result, from a disabled unit (SYS-02) by UnitFileState, from an agent that gave up (SYS-21) by the process, which is not there.`,
    },
    'SYS-26': {
      name: 'agent suspended',
      title: 'the gateway agent is suspended',
      necessary: [suspended, parts.runs(place)],
      forbids: [answersItself],
      lookalikes: { 'SYS-21': suspended, 'SYS-16': suspended },
      predicts: ['agents.link.up', 'agents.registry.online', 'agents.canary.returns'],
      remedy: (view) =>
        remedy('resume it, or restart it', on(view, 'gw', `systemctl kill --signal=CONT ${gatewayUnit(view)}`)),
      help: `The process was stopped (SIGSTOP). systemd still says "active" and the kernel keeps its sockets open, so the backend considers it connected until the next missed heartbeat; nothing picks up commands.`,
    },
  },
);
