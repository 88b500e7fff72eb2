// Faults that one look, one dial or one small message does not show: shared ports, workers that are stopped, two agents with one identity,
// a path for small packets only, a file system without inodes.
import {
  backendSockets,
  backendUnit,
  changeVhost,
  gatewayUnit,
  restartBackend,
  restartGateway,
  vhostBack,
} from '../places.ts';
import { gatewayConnected, listeners, upgradeDirect, upgradeThroughNginx } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';

const sharedDropIn = '/etc/systemd/system/viworks-backend-agents.socket.d/60-shared.conf';
const sharerFile = '/run/lab-sharer.pl';

/** Binds the port beside whoever has it, and accepts nothing. */
const sharer = `use strict; use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8081, Proto => 'tcp', Listen => 64, ReusePort => 1) or die "$!";
kill 'STOP', $$;
sleep 1 while 1;
`;

async function shareAgentsPort(bench: Workbench): Promise<void> {
  await bench.write('be1', sharedDropIn, '[Socket]\nReusePort=yes\n');
  await bench.write('be1', sharerFile, sharer);
  await bench.run(
    'be1',
    `systemctl stop ${backendSockets} ${backendUnit}; systemctl daemon-reload; systemctl start ${backendSockets} ${backendUnit}
     systemd-run -q --unit=lab-sharer /usr/bin/perl ${sharerFile}`,
  );
  await restartGateway(bench);
}

async function outcomes(dial: () => Promise<unknown>, times: number): Promise<readonly unknown[]> {
  return await Promise.all(Array.from({ length: times }, dial));
}

const DIALS = 10;

/** Workers by pid and state; the first one is the one that is stopped. */
const workerStates = async (bench: Workbench): Promise<readonly string[]> =>
  (
    await bench.run(
      'be1',
      `for p in $(pgrep -P "$(cat /run/nginx.pid)"); do sed -n 's/^State:[[:space:]]*\\(.\\).*/\\1/p' /proc/$p/status; done`,
    )
  )
    .split('\n')
    .filter(Boolean);

const stopWorker = 'kill -STOP $(pgrep -P "$(cat /run/nginx.pid)" | head -n 1)';
const freeWorkers = 'kill -CONT $(pgrep -P "$(cat /run/nginx.pid)") 2>/dev/null; true';

/** Only packets above the size are lost; what connects does so before. */
function largeLost(fault: {
  readonly id: string;
  readonly what: string;
  readonly rule: (bench: Workbench) => string;
}): Break {
  return {
    id: fault.id,
    what: fault.what,
    form: 'systemd',
    answer: { kind: 'cause', code: 'NET-18' },
    inject: async (bench) => {
      await bench.run('gw1', `iptables -I ${fault.rule(bench)}`);
    },
    witness: async (bench) => {
      const isThere = (await bench.attempt('gw1', `iptables -C ${fault.rule(bench)}`)).code === 0;
      return isThere && (await gatewayConnected(bench)) ? 'large packets are dropped, and the link stands' : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('gw1', `iptables -D ${fault.rule(bench)}`);
      await restartGateway(bench);
    },
  };
}

const secondState = '/run/lab-second';

export const rateBreaks: readonly Break[] = [
  {
    id: 'BE-21',
    what: 'a second process is bound to 8081 (SO_REUSEPORT), and is stopped',
    form: 'systemd',
    inject: shareAgentsPort,
    witness: async (bench) => {
      if ((await listeners(bench, 'be1', 8081)).length < 2) return undefined;
      const seen = await outcomes(() => upgradeDirect(bench), DIALS);
      const silent = seen.filter((end) => end === 'silent').length;
      return silent > 0 && silent < DIALS ? `${silent} of ${DIALS} dials of 8081 hang` : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(
        'be1',
        `systemctl kill -s KILL lab-sharer; systemctl stop lab-sharer; systemctl reset-failed lab-sharer
         rm -f ${sharerFile}; systemctl daemon-reload; systemctl stop ${backendSockets} ${backendUnit}`,
      );
      await restartBackend(bench);
      await restartGateway(bench);
    },
  },
  {
    id: 'NGR-12',
    what: 'a worker of nginx is stopped, and each has a socket of its own',
    form: 'systemd',
    inject: async (bench) => {
      await changeVhost(bench, (text) => text.replace(/listen ([^;]*443[^;]*);/, 'listen $1 reuseport;'));
      await bench.run('be1', stopWorker);
    },
    witness: async (bench) => {
      if (!(await workerStates(bench)).includes('T')) return undefined;
      const seen = await outcomes(() => upgradeThroughNginx(bench), DIALS);
      const bad = seen.filter((end) => end !== 101).length;
      return bad > 0 && bad < DIALS ? `${bad} of ${DIALS} dials of 443 hang` : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('be1', freeWorkers);
      await vhostBack(bench);
    },
  },
  {
    id: 'WS-08',
    what: 'a copy of the gateway runs beside it with the same identity',
    form: 'systemd',
    inject: async (bench) => {
      const config = await bench.read('gw1', '/opt/viworks/current/etc/gateway.toml');
      const state = /state_dir\s*=\s*"([^"]*)"/.exec(config)?.[1] ?? '/var/lib/viworks-gateway';
      const port = /\[local_api\][^[]*port\s*=\s*(\d+)/.exec(config)?.[1];
      const copy = config.replaceAll(state, secondState).replace(/(\[local_api\][^[]*port\s*=\s*)\d+/, '$118443');
      const apart = port === undefined ? `${copy}\n[local_api]\nport = 18443\n` : copy;
      await bench.run('gw1', `rm -rf ${secondState}; cp -a ${state} ${secondState}; rm -f ${secondState}/*.lock`);
      await bench.write('gw1', '/run/lab-second.toml', apart);
      await bench.run(
        'gw1',
        `line=$(systemctl show -P ExecStart ${gatewayUnit} | sed -n 's/.*argv\\[\\]=\\(.*\\) ; ignore_errors.*/\\1/p' | sed 's#/opt/viworks/current/etc/gateway.toml#/run/lab-second.toml#; s#.*notify.pl ##')
         chmod 644 /run/lab-second.toml
         systemd-run -q --unit=lab-second -p Restart=always -p User=$(systemctl show -P User ${gatewayUnit}) -p Group=$(systemctl show -P Group ${gatewayUnit}) -p SupplementaryGroups=$(systemctl show -P SupplementaryGroups ${gatewayUnit}) $line`,
      );
    },
    witness: async (bench) => {
      const closes = await bench.run('be1', `journalctl -q -o cat -n 40 -u ${backendUnit} | grep -c 4002 || true`);
      return Number(closes.trim()) >= 4 ? 'sessions supersede each other (4002), again and again' : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(
        'gw1',
        `systemctl stop lab-second; systemctl reset-failed lab-second; rm -rf ${secondState} /run/lab-second.toml`,
      );
      await restartGateway(bench);
    },
  },
  largeLost({
    id: 'NET-18',
    what: 'packets above 1000 bytes are lost on the way from the gateway',
    rule: () => 'OUTPUT -p tcp --dport 443 -m length --length 1000:65535 -j DROP',
  }),
  largeLost({
    id: 'NET-18-TO-GATEWAY',
    what: 'packets above 1000 bytes are lost on the way to the gateway',
    rule: () => 'INPUT -p tcp --sport 443 -m length --length 1000:65535 -j DROP',
  }),
  {
    id: 'BE-15-INODES',
    what: "the file system of the backend's state has room, and no inodes left",
    form: 'systemd',
    answer: { kind: 'cause', code: 'BE-15' },
    inject: async (bench) => {
      await bench.run(
        'be1',
        `systemctl stop ${backendSockets} ${backendUnit}
         cp -a /var/lib/viworks /run/lab-state && mount -t tmpfs -o size=64m,nr_inodes=200,mode=755 tmpfs /var/lib/viworks
         cp -a /run/lab-state/. /var/lib/viworks/ && rm -rf /run/lab-state; mkdir -p /var/lib/viworks/cache
         i=0; while touch /var/lib/viworks/cache/$i 2>/dev/null; do i=$((i + 1)); done`,
      );
      await restartBackend(bench);
    },
    witness: async (bench) => {
      const [free, room] = (await bench.run('be1', 'df --output=iavail,pcent /var/lib/viworks | tail -1'))
        .trim()
        .split(/\s+/);
      return free === '0' ? `no inode is free on /var/lib/viworks, ${room} of the room is used` : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(
        'be1',
        `systemctl stop ${backendSockets} ${backendUnit}; rm -rf /var/lib/viworks/cache
         cp -a /var/lib/viworks /run/lab-state; umount /var/lib/viworks; cp -a /run/lab-state/. /var/lib/viworks/; rm -rf /run/lab-state`,
      );
      await restartBackend(bench);
      await restartGateway(bench);
    },
  },
];
