// Cases of the gateway: unit, configuration, commands.
import type { UnitState } from '../../../doctor/engine/index.ts';
import type { Case } from './case.ts';
import { agentGone, offline } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

const gatewayUnit = 'viworks-gateway-agent.service';

export function unitCase(change: Partial<UnitState>, ...lines: readonly string[]): w.World {
  const world = agentGone(healthy()).put('unit.state', w.gw, 'gateway', w.unit(gatewayUnit, change));
  return world.put('log.tail', w.gw, 'gateway', w.log(...lines));
}

const restarting: Partial<UnitState> = {
  ...w.failed,
  activeState: 'activating',
  subState: 'auto-restart',
  restarts: 9,
};
const missingKey = '/opt/viworks/current/etc/gateway.toml:3:1  url: missing; expected string';

/** Running, connected to nothing, trying nothing. */
function idle(...lines: readonly string[]): w.World {
  return offline(healthy(), { trying: false }).put('log.tail', w.gw, 'gateway', w.log(...lines));
}

const configured = (url: string) => w.config({ url, gatewayId: w.gatewayId });

export const gatewayCases: readonly Case[] = [
  { name: 'SYS-01 not installed', causes: ['SYS-01'], proven: true, world: () => unitCase(w.missing) },
  {
    name: 'SYS-02 disabled',
    causes: ['SYS-02'],
    proven: true,
    world: () => unitCase({ ...w.stopped, unitFileState: 'disabled' }),
  },
  {
    name: 'SYS-03 masked',
    causes: ['SYS-03'],
    proven: true,
    world: () => unitCase({ ...w.stopped, loadState: 'masked', unitFileState: 'masked' }),
  },
  {
    name: 'SYS-05 program missing',
    causes: ['SYS-05'],
    proven: true,
    world: () =>
      unitCase(
        { ...restarting, mainStatus: 203 },
        'Failed to locate executable /usr/bin/perl: No such file or directory',
      ),
  },
  {
    name: 'SYS-06 working directory',
    causes: ['SYS-06'],
    proven: true,
    world: () => unitCase({ ...restarting, mainStatus: 200 }),
  },
  {
    name: 'SYS-08 namespace',
    causes: ['SYS-08'],
    proven: true,
    world: () => unitCase({ ...restarting, mainStatus: 226 }),
  },
  {
    name: 'SYS-09 environment file',
    causes: ['SYS-09'],
    proven: true,
    world: () =>
      unitCase(
        { ...w.failed, result: 'resources', mainStatus: 0 },
        'Failed to load environment files: No such file or directory',
      ),
  },
  {
    name: 'SYS-10 start limit, configuration repaired since',
    causes: ['SYS-10'],
    proven: true,
    world: () =>
      unitCase({ ...w.failed, result: 'start-limit-hit', mainStatus: 64, changedAtMs: 1000 }, missingKey).put(
        'agent.config',
        w.gw,
        'gateway',
        { ...configured(w.topology.url), mtimeMs: 9000 },
      ),
  },
  {
    name: 'SYS-10 start limit, told by the log of systemd only',
    causes: ['SYS-10'],
    world: () =>
      unitCase(
        { ...w.failed, mainStatus: 0, mainCode: '' },
        'Control process exited, code=exited, status=1/FAILURE',
        'Start request repeated too quickly.',
      ),
  },
  {
    name: 'CFG-03 with the start limit hit on top',
    causes: ['CFG-03'],
    world: () => unitCase({ ...w.failed, mainStatus: 64 }, missingKey, 'Start request repeated too quickly.'),
  },
  {
    name: 'SYS-12 daemon-reload pending (latent)',
    causes: [],
    latent: ['SYS-12'],
    world: () => healthy().put('unit.state', w.gw, 'gateway', w.unit(gatewayUnit, { needDaemonReload: true })),
  },
  {
    name: 'SYS-14 never ready',
    causes: ['SYS-14'],
    proven: true,
    world: () => unitCase({ ...w.failed, result: 'timeout' }),
  },
  { name: 'SYS-15 oom', causes: ['SYS-15'], proven: true, world: () => unitCase({ ...w.failed, result: 'oom-kill' }) },
  {
    name: 'SYS-16 watchdog',
    causes: ['SYS-16'],
    proven: true,
    world: () => unitCase({ ...w.failed, result: 'watchdog', mainCode: 'dumped', mainStatus: 6 }),
  },
  {
    name: 'SYS-21 gave up',
    causes: ['SYS-21'],
    proven: true,
    world: () => idle('connection failed', 'max_reconnect_attempts reached, giving up'),
  },
  {
    name: 'CFG-01 placeholder',
    causes: ['CFG-01'],
    proven: true,
    world: () =>
      offline(healthy())
        .put('agent.config', w.gw, 'gateway', configured('${BACKEND_URL}'))
        .put('log.tail', w.gw, 'gateway', w.log('invalid configuration: url is not a URL')),
  },
  {
    name: 'CFG-02 syntax',
    causes: ['CFG-02'],
    proven: true,
    world: () =>
      unitCase({ ...restarting, mainStatus: 64 }, 'gateway.toml:2:9  TOML parse error: expected value').put(
        'agent.config',
        w.gw,
        'gateway',
        w.config({ parsed: false, error: { line: 2, key: null, message: 'expected value' } }),
      ),
  },
  {
    name: 'CFG-03 missing key, our agent ends',
    causes: ['CFG-03'],
    proven: true,
    world: () => unitCase({ ...restarting, mainStatus: 64 }, missingKey),
  },
  {
    name: 'CFG-03 missing key, as JSON in the journal, unit failed',
    causes: ['CFG-03'],
    proven: true,
    world: () =>
      unitCase({ ...w.failed, mainStatus: 64 }, `{"level":60,"code":"VW_RUNTIME_CONFIG","msg":"${missingKey}"}`),
  },
  {
    name: 'CFG-03 the old kind stays active and idle',
    causes: ['CFG-03'],
    proven: true,
    world: () =>
      idle(
        'ERROR outbound configuration error: missing field `backend_url`',
        'Outbound-only mode - keeping process alive',
      ),
  },
  {
    name: 'CFG-04 wrong path',
    causes: ['CFG-04'],
    proven: true,
    world: () =>
      offline(healthy())
        .put('agent.config', w.gw, 'gateway', configured('wss://agents.example.test/agent'))
        .put('ws.upgrade', w.gw, 'public-agent-path', w.upgrade({ ...w.answered(404), path: '/agent' })),
  },
  {
    name: 'CFG-05 wrong scheme',
    causes: ['CFG-05'],
    proven: true,
    world: () =>
      offline(healthy()).put('agent.config', w.gw, 'gateway', configured('ws://agents.example.test:443/ws/agent')),
  },
  {
    name: 'CFG-06 bypass, out',
    causes: ['CFG-06'],
    proven: true,
    world: () => offline(healthy()).put('agent.config', w.gw, 'gateway', configured('ws://192.0.2.10:8081/ws/agent')),
  },
  {
    name: 'CFG-06 bypass, connected (latent)',
    causes: [],
    latent: ['CFG-06'],
    world: () => healthy().put('agent.config', w.gw, 'gateway', configured('ws://192.0.2.10:8081/ws/agent')),
  },
  {
    name: 'CMD-01 launcher down',
    causes: ['CMD-01'],
    proven: true,
    world: () =>
      healthy()
        .put('unit.state', w.gw, 'launcher', w.unit('viworks-launcher.service', w.stopped))
        .put('canary', 'op', w.gatewayId, {
          outcome: 'refused',
          code: 'start_failed',
          message: 'launcher socket: ECONNREFUSED',
          exitCode: null,
          milliseconds: 9,
        }),
  },
  ...(
    [
      ['CMD-02', 'refused', 'denied'],
      ['CMD-03', 'refused', 'storage_unavailable'],
      ['CMD-04', 'forbidden', 'forbidden'],
      ['CMD-06', 'refused', 'expired'],
    ] as const
  ).map(
    ([code, outcome, reason]): Case => ({
      name: `${code} canary ${reason}`,
      causes: [code],
      proven: true,
      world: () =>
        healthy().put('canary', 'op', w.gatewayId, {
          outcome,
          code: reason,
          message: '',
          exitCode: null,
          milliseconds: 9,
        }),
    }),
  ),
];
