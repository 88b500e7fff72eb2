// Faults of the gateway's unit, process and configuration, and of its launcher.
import { programSource } from '../old-system.ts';
import { configOf, gatewayUnit, launcherUnit, oldGatewayCommand, oldUnit, program, restartGateway } from '../places.ts';
import { gatewayConnected, journal, unit } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';

const unitDir = '/etc/systemd/system';
const idle = async (bench: Workbench) => !(await gatewayConnected(bench));

/** Changes the configuration that the gateway's unit names, and restarts it as an operator would. */
async function changeConfig(bench: Workbench, edit: (text: string) => string): Promise<void> {
  const file = await configOf(bench, 'gw1', gatewayUnit);
  const before = await bench.read('gw1', file);
  const after = edit(before);
  if (after === before) throw new Error(`the edit changed nothing in ${file}`);
  await bench.write('gw1', file, after);
  await restartGateway(bench);
}

const urlLine = /^(\s*(?:backend_)?url\s*=\s*)"(.*)"/m;

function configBreak(id: string, what: string, edit: (text: string) => string): Break {
  return {
    id,
    what,
    form: 'systemd',
    inject: (bench) => changeConfig(bench, edit),
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', gatewayUnit);
      return (await idle(bench))
        ? `the gateway has no connection, its unit is ${state.ActiveState} (${state.SubState})`
        : undefined;
    },
    mend: restartGateway,
  };
}

const notInstalled: Break['witness'] = async (bench) => {
  const state = await unit(bench, 'gw1', gatewayUnit);
  return state.LoadState === 'not-found' && (await idle(bench))
    ? 'systemd knows no such unit, and there is no connection'
    : undefined;
};

export const gatewayBreaks: readonly Break[] = [
  {
    id: 'SYS-01',
    what: 'the gateway agent is not installed as a service',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('gw1', `systemctl stop ${gatewayUnit}`);
      const links = await bench.run(
        'gw1',
        `find ${unitDir} /lib/systemd/system -name 'viworks-gateway-agent.service*' -o -name viworks-agent.service`,
      );
      for (const file of links.split('\n').filter(Boolean)) await bench.remove('gw1', file);
      await bench.run('gw1', 'systemctl daemon-reload; systemctl reset-failed');
    },
    witness: notInstalled,
    mend: restartGateway,
  },
  {
    id: 'SYS-02',
    what: 'the gateway agent is installed, disabled, and not running',
    form: 'systemd',
    inject: async (bench) => {
      for (const file of (
        await bench.run('gw1', `find ${unitDir} -path '*.wants/${gatewayUnit}' -o -name viworks-agent.service`)
      )
        .split('\n')
        .filter(Boolean)) {
        await bench.remove('gw1', file);
      }
      await bench.run('gw1', `systemctl daemon-reload; systemctl stop ${gatewayUnit}`);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', gatewayUnit);
      const enabled = state.UnitFileState === 'enabled' || state.UnitFileState === 'enabled-runtime';
      return !enabled && state.ActiveState === 'inactive'
        ? `UnitFileState=${state.UnitFileState}, inactive`
        : undefined;
    },
    mend: restartGateway,
  },
  {
    id: 'SYS-03',
    what: 'the unit is masked',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('gw1', `systemctl stop ${gatewayUnit}`);
      await bench.remove('gw1', `${unitDir}/${gatewayUnit}`);
      await bench.run('gw1', `ln -s /dev/null ${unitDir}/${gatewayUnit}; systemctl daemon-reload`);
    },
    witness: async (bench) =>
      (await unit(bench, 'gw1', gatewayUnit)).LoadState === 'masked' ? 'LoadState=masked' : undefined,
    mend: restartGateway,
  },
  {
    id: 'SYS-05',
    what: "the program that the unit's command line names is not there",
    form: 'systemd',
    inject: async (bench) => {
      const dropIn = `[Service]\nType=simple\nExecStart=\nExecStart=/opt/viworks/agent/viworks-gateway-agent\nRestartSec=1\n`;
      await bench.write('gw1', `${unitDir}/${gatewayUnit}.d/50-path.conf`, dropIn);
      await restartGateway(bench);
    },
    witness: async (bench) =>
      (await unit(bench, 'gw1', gatewayUnit)).ExecMainStatus === '203' ? 'ExecMainStatus=203' : undefined,
    mend: async (bench) => {
      await bench.attempt('gw1', `rmdir ${unitDir}/${gatewayUnit}.d`);
      await restartGateway(bench);
    },
  },
  configBreak('CFG-01', 'a placeholder was left in the URL', (text) => text.replace(urlLine, '$1"$${BACKEND_URL}"')),
  configBreak('CFG-02', 'a syntax error in the configuration', (text) => text.replace(urlLine, '$1"$2')),
  configBreak('CFG-03', 'a required key is missing, and the agent ends with the error', (text) =>
    text.replace(urlLine, ''),
  ),
  configBreak('CFG-04', 'the agent asks for another path', (text) =>
    text.replace(urlLine, (line) => line.replace('/ws/agent', '/agent')),
  ),
  configBreak('CFG-05', 'the URL has another scheme', (text) =>
    text.replace(urlLine, (line) => line.replace('wss://', 'ws://').replace(/(ws:\/\/[^/:"]+)/, '$1:443')),
  ),
  {
    id: 'CFG-06',
    what: 'the agent goes past nginx and TLS, straight to 8081 of the backend host',
    form: 'systemd',
    inject: (bench) =>
      changeConfig(bench, (text) => text.replace(urlLine, `$1"ws://${bench.addresses.be1}:8081/ws/agent"`)),
    witness: async (bench) => ((await idle(bench)) ? 'the gateway has no connection to 443' : undefined),
    mend: restartGateway,
  },
  {
    id: 'CFG-03-OLD',
    what: 'a required key is missing, and an agent of the old kind says so once and stays active and idle',
    form: 'systemd',
    inject: async (bench) => {
      const command = await oldGatewayCommand(bench, program('agent.toml'));
      await bench.run('gw1', `systemctl stop ${gatewayUnit}`);
      await bench.write('gw1', program('old-gateway.mjs'), await programSource('old-gateway.mjs'));
      await bench.write('gw1', program('agent.toml'), '[outbound]\nagent_id = "gw-lab"\n');
      await bench.remove('gw1', `${unitDir}/${gatewayUnit}`);
      await bench.write('gw1', `${unitDir}/${gatewayUnit}`, oldUnit('viworks gateway agent', command));
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', gatewayUnit);
      const said = (await journal(bench, 'gw1', gatewayUnit)).includes('missing field');
      return state.SubState === 'running' && said && (await idle(bench))
        ? 'active (running), the error is in its log once, no connection'
        : undefined;
    },
    mend: restartGateway,
  },
  {
    id: 'CMD-01',
    what: 'the launcher is not running, so no task can start',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('gw1', `systemctl stop viworks-launcher.socket 2>/dev/null; systemctl stop ${launcherUnit}`);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', launcherUnit);
      return state.ActiveState === 'inactive' && (await gatewayConnected(bench))
        ? 'the launcher is inactive while the gateway is connected'
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(
        'gw1',
        'systemctl cat viworks-launcher.socket >/dev/null 2>&1 && systemctl start viworks-launcher.socket',
      );
      await bench.run('gw1', `systemctl start ${launcherUnit}`);
    },
  },
  {
    id: 'TRAP-GATEWAY-RESTARTED',
    what: 'the gateway agent was killed once and systemd brought it back',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('gw1', `kill -KILL "$(systemctl show -P MainPID ${gatewayUnit})"`);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', gatewayUnit);
      return Number(state.NRestarts) > 0 && (await gatewayConnected(bench))
        ? `NRestarts=${state.NRestarts}, connected`
        : undefined;
    },
    mend: restartGateway,
  },
  {
    id: 'TRAP-JUST-RESTARTED',
    what: 'the gateway agent was restarted a moment ago',
    form: 'systemd',
    inject: restartGateway,
    witness: async (bench) => ((await gatewayConnected(bench)) ? 'connected again' : undefined),
  },
];
