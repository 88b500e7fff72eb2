// Faults of the gateway's process and configuration, and of its launcher.
import { programSource } from '../old-system.ts';
import { configOf, gatewayUnit, launcherUnit, oldGatewayCommand, oldUnit, program, restartGateway } from '../places.ts';
import { serverName } from '../seed.ts';
import { gatewayConnected, journal, unit } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';
import { onlyGatewayCut } from './network.ts';

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
      // While systemd is still stopping the old process or starting the new one, the fault has not shown yet.
      const settled = ['active', 'failed'].includes(state.ActiveState ?? '') || state.SubState === 'auto-restart';
      return settled && (await idle(bench))
        ? `the gateway has no connection, its unit is ${state.ActiveState} (${state.SubState})`
        : undefined;
    },
    mend: restartGateway,
  };
}

/** Puts the old gateway agent in the unit's place, with these lines beside its id in its configuration. */
async function oldGateway(bench: Workbench, lines: string): Promise<void> {
  const command = await oldGatewayCommand(bench, program('agent.toml'));
  // What it trusts stays as it was: an unknown authority would be a second fault.
  const config = await configOf(bench, 'gw1', gatewayUnit);
  const trust = (await bench.run('gw1', `sed -n 's/^trust_file *= *"\\(.*\\)"/\\1/p' ${config}`)).trim();
  await bench.run('gw1', `systemctl stop ${gatewayUnit}`);
  await bench.write('gw1', program('old-gateway.mjs'), await programSource('old-gateway.mjs'));
  await bench.write('gw1', program('agent.toml'), `[outbound]\nagent_id = "gw-lab"\ntrust_file = "${trust}"\n${lines}`);
  await bench.remove('gw1', `/etc/systemd/system/${gatewayUnit}`);
  await bench.write(
    'gw1',
    `/etc/systemd/system/${gatewayUnit}`,
    oldUnit('viworks gateway agent', command, `Environment=NODE_EXTRA_CA_CERTS=${trust}\n`),
  );
  await restartGateway(bench);
}

export const gatewayBreaks: readonly Break[] = [
  configBreak('CFG-01', 'a placeholder was left in the URL', (text) => text.replace(urlLine, '$1"$${BACKEND_URL}"')),
  configBreak('CFG-02', 'a syntax error in the configuration', (text) => text.replace(urlLine, '$1"$2')),
  configBreak('CFG-03', 'a required key is missing, and the agent ends with the error', (text) =>
    text.replace(urlLine, ''),
  ),
  configBreak('CFG-04', 'the agent asks for another path', (text) =>
    text.replace(urlLine, (line) => line.replace('/ws/agent', '/agent')),
  ),
  configBreak('CFG-11', 'the URL names another port', (text) =>
    text.replace(urlLine, (line) => line.replace(/(wss:\/\/[^/:"]+)/, '$1:9443')),
  ),
  configBreak('CFG-09', 'the configuration names another gateway than its identity', (text) =>
    text.replace(/^gateway_id\s*=.*/m, 'gateway_id = "gw-berlin"'),
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
    inject: (bench) => oldGateway(bench, ''),
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
    id: 'SYS-21',
    what: 'an agent of the old kind gave up while 443 was closed; 443 is open again',
    form: 'systemd',
    inject: async (bench) => {
      const rule = `INPUT -p tcp -s ${bench.addresses.gw1} --dport 443 -j REJECT --reject-with tcp-reset`;
      await bench.run('be1', `iptables -I ${rule}`);
      try {
        await oldGateway(bench, `backend_url = "wss://${serverName}/ws/agent"\nmax_reconnect_attempts = "2"\n`);
        await bench.run(
          'gw1',
          `for i in $(seq 100); do journalctl -q -u ${gatewayUnit} _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID ${gatewayUnit})" | grep -q 'Giving up' && exit 0; sleep 0.1; done; exit 1`,
        );
      } finally {
        await bench.run('be1', `iptables -D ${rule}`);
      }
    },
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', gatewayUnit);
      const gaveUp = (await journal(bench, 'gw1', gatewayUnit)).includes('Giving up');
      return state.SubState === 'running' && gaveUp && (await onlyGatewayCut(bench))
        ? 'active (running), it gave up, and 443 answers again'
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
