// Faults of the gateway's unit as systemd sees it.
import { gatewayUnit, restartGateway } from '../places.ts';
import { gatewayConnected, unit } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';

const unitDir = '/etc/systemd/system';
const idle = async (bench: Workbench) => !(await gatewayConnected(bench));

const notInstalled: Break['witness'] = async (bench) => {
  const state = await unit(bench, 'gw1', gatewayUnit);
  return state.LoadState === 'not-found' && (await idle(bench))
    ? 'systemd knows no such unit, and there is no connection'
    : undefined;
};

/** What the operator put in order, too late: systemd had given up by then. */
const repaired = '/etc/gateway-is-ready';

/** A drop-in of somebody else's that keeps the unit from starting, and what systemd then says of it. */
function dropInBreak(id: string, what: string, lines: string, expected: Readonly<Record<string, string>>): Break {
  return {
    id,
    what,
    form: 'systemd',
    inject: async (bench) => {
      await bench.write('gw1', `${unitDir}/${gatewayUnit}.d/50-local.conf`, `[Service]\nRestartSec=1\n${lines}\n`);
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', gatewayUnit);
      const seen = Object.entries(expected).every(([key, value]) => state[key] === value);
      return seen && (await idle(bench))
        ? Object.entries(expected)
            .map(([key, value]) => `${key}=${value}`)
            .join(' ')
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('gw1', `rmdir ${unitDir}/${gatewayUnit}.d`);
      await restartGateway(bench);
    },
  };
}

export const unitBreaks: readonly Break[] = [
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
    id: 'SYS-23',
    what: 'the gateway agent is enabled, and somebody stopped it',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('gw1', `systemctl stop ${gatewayUnit}`);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', gatewayUnit);
      return state.UnitFileState === 'enabled' && state.ActiveState === 'inactive' ? 'enabled, inactive' : undefined;
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
  dropInBreak(
    'SYS-05',
    "the program that the unit's command line names is not there",
    'Type=simple\nExecStart=\nExecStart=/opt/viworks/agent/viworks-gateway-agent',
    {
      ExecMainStatus: '203',
    },
  ),
  dropInBreak('SYS-06', 'the working directory of the unit is not there', 'WorkingDirectory=/srv/viworks/gateway', {
    ExecMainStatus: '200',
  }),
  dropInBreak(
    'SYS-08',
    "a path in the unit's sandbox list is not there",
    'ProtectSystem=strict\nReadWritePaths=/var/log/viworks',
    { ExecMainStatus: '226' },
  ),
  dropInBreak('SYS-09', "the unit's environment file is not there", 'EnvironmentFile=/etc/viworks/gateway.env', {
    Result: 'resources',
  }),
  {
    id: 'SYS-10',
    what: 'the start limit is latched, though the configuration is repaired',
    form: 'systemd',
    inject: async (bench) => {
      const dropIn = `[Unit]\nStartLimitIntervalSec=600\nStartLimitBurst=3\n[Service]\nExecStartPre=/usr/bin/test -e ${repaired}\nRestartSec=100ms\n`;
      await bench.write('gw1', `${unitDir}/${gatewayUnit}.d/50-local.conf`, dropIn);
      await restartGateway(bench);
      await bench.run(
        'gw1',
        `for i in $(seq 100); do [ "$(systemctl show -P ActiveState ${gatewayUnit})" = failed ] && exit 0; sleep 0.1; done; exit 1`,
      );
      await bench.write('gw1', repaired, '');
      await bench.attempt('gw1', `systemctl start ${gatewayUnit}`);
    },
    witness: async (bench) => {
      // Result goes on saying how the last run ended; that the limit latched is in systemd's own log only.
      const state = await unit(bench, 'gw1', gatewayUnit);
      const log = await bench.run('gw1', `journalctl -q -o cat -n 3 -u ${gatewayUnit}`);
      return state.ActiveState === 'failed' && log.includes('repeated too quickly') && (await idle(bench))
        ? `failed (Result=${state.Result}): start request repeated too quickly`
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('gw1', `rmdir ${unitDir}/${gatewayUnit}.d`);
      await restartGateway(bench);
    },
  },
];
