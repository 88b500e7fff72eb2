// Faults in what may be opened and reached on a host: rights of files and sockets, addresses that are listened on, loopback.
import { changeVhost, gatewayUnit, launcherUnit, restartBackend, restartGateway, vhostBack } from '../places.ts';
import { gatewayConnected, listeners, unit, upgradeDirect } from '../witness.ts';
import type { Break } from './break.ts';

const socketDropIn = '/etc/systemd/system/viworks-backend-agents.socket.d';
const identity = '/var/lib/viworks/gateway/identity.json';

export const listeningBreaks: readonly Break[] = [
  {
    id: 'SYS-17',
    what: "the gateway's identity belongs to root",
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('gw1', `chown root: ${identity}`);
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'gw1', gatewayUnit);
      const mine = await bench.attempt('gw1', `runuser -u viworks-gateway -- cat ${identity} >/dev/null`);
      return mine.code !== 0 && state.ActiveState !== 'active' && !(await gatewayConnected(bench))
        ? `its user cannot read it; ${state.ActiveState} (${state.SubState})`
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('gw1', `chown viworks-gateway: ${identity}`);
      await restartGateway(bench);
    },
  },
  {
    id: 'CMD-07',
    what: "the launcher's socket is closed to the agent",
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('gw1', 'chown root:root /run/viworks/launcher.sock; chmod 600 /run/viworks/launcher.sock');
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const mode = (await bench.run('gw1', 'stat -c "%a %U:%G" /run/viworks/launcher.sock')).trim();
      return mode === '600 root:root' && !(await gatewayConnected(bench)) ? `the socket is ${mode}` : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('gw1', `systemctl restart ${launcherUnit}`);
      await restartGateway(bench);
    },
  },
  {
    id: 'BE-11',
    what: "the backend binds 8081 to the host's own address, and nginx dials loopback",
    form: 'systemd',
    inject: async (bench) => {
      await bench.write(
        'be1',
        `${socketDropIn}/60-local.conf`,
        `[Socket]\nListenStream=\nListenStream=${bench.addresses.be1}:8081\n`,
      );
      await restartBackend(bench);
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const rows = await listeners(bench, 'be1', 8081);
      return rows.length === 1 && rows[0]?.address.startsWith(bench.addresses.be1) && !(await gatewayConnected(bench))
        ? `8081 listens on ${rows[0].address}`
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('be1', `rmdir ${socketDropIn}`);
      await restartBackend(bench);
      await restartGateway(bench);
    },
  },
  {
    id: 'NET-22',
    what: 'loopback is down on the backend host',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('be1', 'ip link set lo down');
      await restartGateway(bench);
    },
    witness: async (bench) =>
      (await upgradeDirect(bench)) === 'silent' ? 'a dial of 127.0.0.1:8081 is never answered' : undefined,
    mend: async (bench) => {
      await bench.attempt('be1', 'ip link set lo up');
      await restartGateway(bench);
    },
  },
  {
    id: 'NET-23',
    what: 'nginx listens on loopback only',
    form: 'systemd',
    inject: async (bench) => {
      await changeVhost(bench, (text) =>
        text.replace(/listen\s+443/g, 'listen 127.0.0.1:443').replace(/^\s*listen\s+\[::\]:443.*$/gm, ''),
      );
      await bench.run('be1', 'systemctl restart nginx');
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const rows = await listeners(bench, 'be1', 443);
      return rows.length > 0 && rows.every((row) => row.address.startsWith('127.')) && !(await gatewayConnected(bench))
        ? `443 listens on ${rows[0]?.address}`
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('be1', 'systemctl restart nginx');
      await vhostBack(bench);
    },
  },
];
