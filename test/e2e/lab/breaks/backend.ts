// Faults of the backend's process and ports. Our own backend cannot get into most of them, so a small backend of the old kind
// takes its unit's place: the same name, the same ports, another program.
import { programSource } from '../old-system.ts';
import {
  backendSockets,
  backendUnit,
  configOf,
  isManaged,
  oldUnit,
  program,
  restartBackend,
  restartGateway,
  stopBackend,
} from '../places.ts';
import { gatewayConnected, journal, listeners, unit, upgradeDirect, upgradeThroughNginx } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';

const unitFile = `/etc/systemd/system/${backendUnit}`;
const openSocket = '/etc/systemd/system/viworks-backend-agents.socket.d/50-open.conf';
/** Every byte that a stranger on the backend's ports was sent. */
export const strangerRecord = '/tmp/stranger.record';
const startedLine = 'WebSocket server started';

/** Puts the old backend in the unit's place. Socket units would hold the ports for it, so they go. */
async function oldBackend(bench: Workbench, options: string): Promise<void> {
  await bench.run(
    'be1',
    `systemctl stop ${backendUnit} ${backendSockets} 2>/dev/null || systemctl stop ${backendUnit} || true`,
  );
  await bench.write('be1', program('old-backend.pl'), await programSource('old-backend.pl'));
  for (const socket of backendSockets.split(' ')) {
    const file = `/etc/systemd/system/${socket}`;
    if ((await bench.attempt('be1', `test -e ${file}`)).code === 0) await bench.remove('be1', file);
  }
  await bench.remove('be1', unitFile);
  await bench.write(
    'be1',
    unitFile,
    oldUnit('viworks backend agent', `/usr/bin/perl ${program('old-backend.pl')} ${options}`),
  );
  await bench.run('be1', `systemctl daemon-reload; systemctl reset-failed; systemctl start --no-block ${backendUnit}`);
}

/** Healthy on 8080, whatever 8081 does: the half of the picture that misled everybody. */
async function looksAlive(bench: Workbench): Promise<boolean> {
  const state = await unit(bench, 'be1', backendUnit);
  return state.ActiveState === 'active' && (await upgradeDirect(bench, '/health', 8080)) === 200;
}

const back = async (bench: Workbench): Promise<void> => {
  await restartBackend(bench);
  await restartGateway(bench);
};

const stateOf = async (bench: Workbench): Promise<string> => {
  const { MainPID } = await unit(bench, 'be1', backendUnit);
  return (await bench.run('be1', `sed -n 's/^State:\\s*\\(.\\).*/\\1/p' /proc/${MainPID}/status`)).trim();
};

/** A fault that the stand-in shows by itself. */
function standIn(id: string, what: string, options: string, witness: Break['witness']): Break {
  return { id, what, form: 'systemd', inject: (bench) => oldBackend(bench, options), witness, mend: back };
}

export const backendBreaks: readonly Break[] = [
  standIn(
    'BE-01',
    'the backend never opens its WebSocket port, and its log says that it did',
    '--mode no-listener',
    async (bench) => {
      const none = (await listeners(bench, 'be1', 8081)).length === 0;
      const claims = (await journal(bench, 'be1', backendUnit)).includes(startedLine);
      return none && claims && (await looksAlive(bench))
        ? 'no socket listens on 8081, 8080 answers, the log claims a start'
        : undefined;
    },
  ),
  standIn('BE-02', 'the backend listens on 8081 and never accepts', '--mode bind-only', async (bench) => {
    if (!(await looksAlive(bench)) || (await upgradeDirect(bench)) !== 'silent') return undefined;
    const [listener] = await listeners(bench, 'be1', 8081);
    return listener && listener.queued > 0
      ? `8081 listens with ${listener.queued} connections that nobody accepts`
      : undefined;
  }),
  {
    id: 'BE-03',
    what: 'the backend process is stopped by a signal',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('be1', `kill -STOP "$(systemctl show -P MainPID ${backendUnit})"`);
    },
    witness: async (bench) => ((await stateOf(bench)) === 'T' ? 'the main process is in state T' : undefined),
    mend: async (bench) => {
      await bench.attempt('be1', `kill -CONT "$(systemctl show -P MainPID ${backendUnit})"`);
      await back(bench);
    },
  },
  standIn('BE-04', "the backend's one loop spins and serves neither port", '--mode blocked', async (bench) =>
    (await stateOf(bench)) === 'R' && (await upgradeDirect(bench, '/health', 8080)) === 'silent'
      ? 'the main process is in state R and 8080 is silent'
      : undefined,
  ),
  {
    id: 'BE-05',
    what: 'the backend is stopped by an operator',
    form: 'systemd',
    inject: stopBackend,
    witness: async (bench) => {
      const state = await unit(bench, 'be1', backendUnit);
      const none = (await listeners(bench, 'be1', 8080)).length + (await listeners(bench, 'be1', 8081)).length === 0;
      return state.ActiveState === 'inactive' && none ? 'the unit is inactive and nothing listens' : undefined;
    },
    mend: back,
  },
  {
    id: 'BE-06',
    what: 'the backend ends with a configuration error at every start',
    form: 'systemd',
    inject: async (bench) => {
      if (!(await isManaged(bench))) return oldBackend(bench, '--max-agents 100');
      const config = await configOf(bench, 'be1', backendUnit);
      await bench.write('be1', config, `max_agents = 100\n${await bench.read('be1', config)}`);
      await restartBackend(bench);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'be1', backendUnit);
      return state.SubState === 'auto-restart' && Number(state.NRestarts) > 0
        ? `auto-restart, ${state.NRestarts} restarts`
        : undefined;
    },
    mend: back,
  },
  {
    id: 'BE-07',
    what: 'a foreign process holds 8081',
    form: 'systemd',
    inject: async (bench) => {
      const listen =
        "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 8081, Listen => 9, ReuseAddr => 1) or die; while (my $c = $s->accept) { close $c }";
      await stopBackend(bench);
      await bench.run('be1', `systemd-run -q --unit=metrics-exporter /usr/bin/perl -e "$(cat)"`, listen);
      // It has to be there first: systemd would else take the port for the socket unit.
      await bench.run(
        'be1',
        "for i in $(seq 50); do ss -Hltn 'sport = :8081' | grep -q . && exit 0; sleep 0.1; done; exit 1",
      );
      await bench.attempt(
        'be1',
        `systemctl start --no-block ${backendSockets} 2>/dev/null; systemctl start --no-block ${backendUnit}`,
      );
    },
    witness: async (bench) => {
      const pid = (await bench.run('be1', 'systemctl show -P MainPID metrics-exporter')).trim();
      const [listener] = await listeners(bench, 'be1', 8081);
      return listener?.owner.includes(`pid=${pid},`) ? `8081 belongs to metrics-exporter, process ${pid}` : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('be1', 'systemctl stop metrics-exporter; systemctl reset-failed metrics-exporter');
      await back(bench);
    },
  },
  {
    id: 'BE-07-STRANGER',
    what: 'nobody holds both ports of a stopped backend, and answers 101 and a CHALLENGE',
    form: 'systemd',
    answer: { kind: 'cause', code: 'BE-07' },
    inject: async (bench) => {
      await stopBackend(bench);
      await bench.write('be1', program('stranger.cjs'), await programSource('stranger.cjs'));
      await bench.run(
        'be1',
        `rm -f ${strangerRecord}; chmod 644 ${program('stranger.cjs')}
        systemd-run -q --unit=stranger --uid=nobody /opt/viworks/current/runtime/node ${program('stranger.cjs')} ${strangerRecord} 8080 8081`,
      );
    },
    witness: async (bench) => {
      const pid = (await bench.run('be1', 'systemctl show -P MainPID stranger')).trim();
      const owners = [...(await listeners(bench, 'be1', 8080)), ...(await listeners(bench, 'be1', 8081))];
      return owners.length === 2 && owners.every(({ owner }) => owner.includes(`pid=${pid},`))
        ? `8080 and 8081 belong to nobody's process ${pid}`
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('be1', `systemctl stop stranger; systemctl reset-failed stranger; rm -f ${strangerRecord}`);
      await back(bench);
    },
  },
  standIn('BE-10', 'the backend listens on 8082 instead of 8081', '--ws 8082', async (bench) =>
    (await listeners(bench, 'be1', 8081)).length === 0 && (await upgradeDirect(bench, '/ws/agent', 8082)) === 101
      ? '8082 upgrades, nothing listens on 8081'
      : undefined,
  ),
  {
    id: 'EXP-01',
    what: '8081 is open to other hosts (latent)',
    form: 'systemd',
    inject: async (bench) => {
      if (!(await isManaged(bench))) return oldBackend(bench, '--bind 0.0.0.0');
      await bench.write('be1', openSocket, '[Socket]\nListenStream=\nListenStream=0.0.0.0:8081\n');
      await restartBackend(bench);
    },
    witness: async (bench) => {
      const [listener] = await listeners(bench, 'be1', 8081);
      return listener?.address === '0.0.0.0:8081' && (await upgradeThroughNginx(bench)) === 101
        ? 'listens on 0.0.0.0:8081'
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('be1', `rmdir ${openSocket.replace(/[/][^/]*$/, '')}`);
      await back(bench);
    },
  },
  {
    id: 'BE-19',
    what: 'the backend runs by hand, outside its unit (latent)',
    form: 'systemd',
    inject: async (bench) => {
      if (await isManaged(bench))
        throw new Error('our gateway does not speak with a backend of the old kind; BE-19 needs `install-old`');
      await stopBackend(bench);
      await bench.write('be1', program('old-backend.pl'), await programSource('old-backend.pl'));
      await bench.run(
        'be1',
        `systemd-run -q --scope --unit=session-7 /usr/bin/perl ${program('old-backend.pl')} --mode normal >/dev/null 2>&1 &`,
      );
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'be1', backendUnit);
      const connected = (await upgradeThroughNginx(bench)) === 101 && (await gatewayConnected(bench));
      return state.ActiveState === 'inactive' && connected
        ? 'the unit is inactive, and an upgrade gives 101'
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('be1', 'systemctl stop session-7.scope');
      await back(bench);
    },
  },
  standIn('NGX-24', 'the backend serves its WebSocket at "/" only', '--mode root-only', async (bench) =>
    (await upgradeDirect(bench)) === 404 && (await upgradeDirect(bench, '/')) === 101
      ? '8081 answers 404 on /ws/agent and 101 on /, without nginx'
      : undefined,
  ),
  standIn('OTHER-SILENT', 'the backend accepts on 8081 and never says a word', '--mode silent', async (bench) => {
    if (!(await looksAlive(bench)) || (await upgradeDirect(bench)) !== 'silent') return undefined;
    return (await listeners(bench, 'be1', 8081))[0]?.queued === 0 ? '8081 accepts and is silent' : undefined;
  }),
  standIn(
    'OTHER-WRONG-ACCEPT',
    'what answers on 8081 is no WebSocket server of ours: its accept key is wrong',
    '--mode wrong-key',
    async (bench) =>
      (await upgradeDirect(bench)) === 'wrong-accept' ? 'an upgrade with a wrong accept key' : undefined,
  ),
  {
    id: 'BE-15',
    what: "the file system of the backend's state is full",
    form: 'systemd',
    inject: async (bench) => {
      await bench.run(
        'be1',
        `systemctl stop ${backendSockets} ${backendUnit} 2>/dev/null || systemctl stop ${backendUnit}
         mkdir -p /var/lib/viworks && cp -a /var/lib/viworks /run/lab-state && mount -t tmpfs -o size=64m,mode=755 tmpfs /var/lib/viworks
         cp -a /run/lab-state/. /var/lib/viworks/ && rm -rf /run/lab-state
         dd if=/dev/zero of=/var/lib/viworks/core.dump bs=1M 2>/dev/null || true`,
      );
      await restartBackend(bench);
    },
    witness: async (bench) => {
      const free = (await bench.run('be1', 'df --output=avail /var/lib/viworks | tail -1')).trim();
      const through = await upgradeThroughNginx(bench);
      return free === '0' ? `no byte is free on /var/lib/viworks (an upgrade gives ${through})` : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(
        'be1',
        `systemctl stop ${backendSockets} 2>/dev/null; systemctl stop ${backendUnit}
         rm -f /var/lib/viworks/core.dump; cp -a /var/lib/viworks /run/lab-state; umount /var/lib/viworks
         cp -a /run/lab-state/. /var/lib/viworks/; rm -rf /run/lab-state`,
      );
      await back(bench);
    },
  },
  {
    id: 'BE-20',
    what: "the backend's store is no database any more, and the backend says so and ends",
    form: 'systemd',
    inject: async (bench) => {
      if (!(await isManaged(bench))) throw new Error('a backend of the old kind has no store');
      await stopBackend(bench);
      const store = (await bench.run('be1', 'ls /var/lib/viworks/backend/*.db | head -1')).trim();
      await bench.write('be1', store, 'no database at all\n'.repeat(400));
      await bench.run('be1', `rm -f ${store}-wal ${store}-shm; systemctl start --no-block ${backendUnit}`);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'be1', backendUnit);
      const said = (await journal(bench, 'be1', backendUnit)).includes('VW_BACKEND_STORE_OPEN');
      return state.SubState === 'auto-restart' && said
        ? 'it ends with VW_BACKEND_STORE_OPEN, again and again'
        : undefined;
    },
    mend: back,
  },
  {
    id: 'TRAP-BACKEND-RESTARTED',
    what: 'the backend was killed once and systemd brought it back',
    form: 'systemd',
    inject: async (bench) => {
      await bench.run('be1', `kill -KILL "$(systemctl show -P MainPID ${backendUnit})"`);
    },
    witness: async (bench) => {
      const state = await unit(bench, 'be1', backendUnit);
      const serves = (await upgradeThroughNginx(bench)) === 101 && (await gatewayConnected(bench));
      return Number(state.NRestarts) > 0 && state.ActiveState === 'active' && serves
        ? `NRestarts=${state.NRestarts}, and all is well`
        : undefined;
    },
    mend: back,
  },
];
