// Causes where several processes answer for one port and not all of them do. The kernel deals connections out among them, so that one dial
// says nothing: what counts is how many of several end well, and who holds the port.
import {
  allOf,
  type CauseRule,
  causesOf,
  judge,
  type Listener,
  not,
  sharers,
  sign,
  signs,
  some,
  type Tri,
  type View,
} from '../engine/index.ts';
import { backendCommand, nginxCommand, on, remedy } from './texts.ts';

const { backend, nginx, parts } = signs;
const ports = (view: View) => [view.topology.backend.agentsPort, view.topology.backend.apiPort];

const stateWords: Readonly<Record<string, string>> = {
  T: 'stopped by a signal',
  t: 'held by a debugger',
  D: 'waiting in the kernel',
  Z: 'dead',
};

function holderText(row: Listener): string {
  const { pid, process, unit, uid, state } = row;
  const who = [
    process,
    unit === 'init.scope' ? 'opened by systemd' : unit,
    unit === null && uid !== null ? `uid ${uid}` : null,
    stateWords[state ?? ''],
  ];
  const about = who.filter((part) => part != null).join(', ');
  return `${pid === null ? 'a process' : `pid ${pid}`}${about ? ` (${about})` : ''}`;
}

function holders(view: View, port: number): readonly Listener[] {
  return sharers(view.value('tcp.listeners', backend.backendSeat(view)) ?? [], port);
}

function sharedPort(view: View): number {
  return ports(view).find((port) => holders(view, port).length > 1) ?? view.topology.backend.agentsPort;
}

const heldText = (view: View) => {
  const port = sharedPort(view);
  return `port ${port} is held by ${holders(view, port).map(holderText).join(' and ')}`;
};

const isShared = sign([heldText, 'each port of the backend is held by one process'], (view) =>
  judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows) =>
    ports(view).some((port) => sharers(rows, port).length > 1),
  ),
);

/** `3 of 6 upgrades on 127.0.0.1:8081 got no answer`. */
function rateText(view: View): string {
  const port = sharedPort(view);
  const isApi = port === view.topology.backend.apiPort;
  const seen = isApi ? view.value('http.response', 'be', 'api-health') : view.value('ws.upgrade', 'be', 'direct');
  const what = isApi ? 'requests' : 'upgrades';
  if (!seen) return `${what} on port ${port} fail`;
  const { attempts = 1, failures = 1 } = seen;
  const end = 'ended' in seen ? seen.ended : seen.outcome;
  const got =
    seen.status !== null
      ? `were answered with ${seen.status}`
      : end === 'timeout'
        ? 'got no answer'
        : `ended with ${end}`;
  return `${failures} of ${attempts} ${what} on port ${port} ${got}`;
}

/** Of the port that is shared, not of the other one. */
const someFail = sign([rateText, 'all dials of the shared port were answered'], (view) => {
  const { agentsPort, apiPort } = view.topology.backend;
  const isHeld = (port: number): Tri => (holders(view, port).length > 1 ? 'yes' : 'no');
  const both = (held: Tri, failed: Tri): Tri => (held === 'yes' ? failed : 'no');
  return some([
    both(
      isHeld(agentsPort),
      judge(view, ['ws.upgrade', 'be', 'direct'], (seen) => seen.failures > 0 || seen.ended !== 'ok'),
    ),
    both(
      isHeld(apiPort),
      judge(
        view,
        ['http.response', 'be', 'api-health'],
        (seen) => (seen.failures ?? 0) > 0 || seen.outcome !== 'response',
      ),
    ),
  ]);
});

/** Where their pids are not visible, two units are two programs; one unit may be one process with several sockets. */
const ownersSeen = sign('the kernel shows that they are different programs', (view) => {
  const rows = holders(view, sharedPort(view));
  if (rows.every((row) => row.pid !== null)) return 'yes';
  return new Set(rows.map((row) => row.unit)).size > 1 ? 'yes' : 'unknown';
});

/** Ends whoever is not the backend's main process; one that is stopped hears nothing but SIGKILL. */
function endOthers(view: View): readonly string[] {
  const process = view.value('process.state', 'be', 'backend');
  const own = view.topology.backend.unit;
  const port = sharedPort(view);
  const others = holders(view, port).filter((row) => !(process?.running && row.pid === process.pid));
  const ends = others.flatMap((row) => {
    if (row.unit?.endsWith('.service') && row.unit !== own) return [`systemctl stop ${row.unit}`];
    return row.pid === null ? [] : [`kill ${row.state === 'T' ? '-KILL ' : ''}${row.pid}`];
  });
  return [`ss -ltnp 'sport = :${port}'`, ...ends];
}

const suspended = (view: View) =>
  view
    .value('nginx.processes', 'be')
    ?.workers.filter((worker) => !worker.shuttingDown && worker.state !== undefined && worker.state in stateWords) ??
  [];

const workerText = (view: View) => {
  const all = view.value('nginx.processes', 'be')?.workers.length ?? 0;
  const bad = suspended(view);
  const [first] = bad;
  const who = bad.map((worker) => `pid ${worker.pid}`).join(', ');
  return `${bad.length} of ${all} workers of nginx (${who}) ${bad.length === 1 ? 'is' : 'are'} ${stateWords[first?.state ?? ''] ?? 'suspended'}`;
};

const workerSuspended = sign([workerText, 'no worker of nginx is suspended'], (view) =>
  judge(view, ['nginx.processes', 'be'], (seen): Tri => {
    if (suspended(view).some((worker) => worker.state !== 'D')) return 'yes';
    return seen.workers.every((worker) => worker.state === undefined) ? 'unknown' : 'no';
  }),
);

const letGoOn = (view: View) =>
  remedy('let the worker go on, and find out who stopped it; a reload replaces it as well', [
    ...on(view, 'be', ...suspended(view).map((worker) => `kill -CONT ${worker.pid}`), nginxCommand(view, 'reload')),
  ]);

const backendStopped = parts.processIn(parts.backendPart, 'T', 'is stopped (state T)');

export const portSharerCauses: readonly CauseRule[] = causesOf(
  { layer: 'backend', hop: 'ws-port', host: 'be' },
  {
    'BE-21': [
      {
        name: 'port shared by several processes',
        title: (view) => `${rateText(view)}; ${heldText(view)}`,
        necessary: [isShared, someFail],
        signature: [ownersSeen],
        // Then that is what fails, and the other holder is a fault for later.
        forbids: [backendStopped],
        predicts: [
          'backend.api.answers',
          'backend.health.good',
          'backend.agents.upgrades',
          'nginx.agents.upgrades',
          'nginx.api.answers',
          'agents.hello.answered',
          'agents.link.up',
          'agents.canary.returns',
        ],
        remedy: (view) =>
          remedy(
            'end the process that is not the backend, so that one process holds the port',
            on(view, 'be', ...endOthers(view), backendCommand(view, 'restart')),
          ),
        help: `Two processes can bind one port with SO_REUSEPORT; the kernel then deals new connections out among them by address and port of the caller. When one of them is stopped, hangs or is another program, a part of all dials fails and the rest is fine, so that a single test proves nothing in either direction. Several upgrades are sent and counted, and every holder is named.
Distinguished from a backend that never accepts (BE-02) and from a suspended one (BE-03) by the second holder in the kernel's table.`,
      },
      {
        name: 'port shared by several processes',
        scope: 'latent',
        title: heldText,
        necessary: [isShared],
        signature: [ownersSeen],
        forbids: [
          allOf('some of its dials fail now', someFail, not('the backend itself is not stopped', backendStopped)),
        ],
        predicts: [],
        remedy: (view) => remedy('end the process that is not the backend', on(view, 'be', ...endOthers(view))),
        help: `Both answer now. Gateways that the kernel hands to the other process are not in this backend's registry.`,
      },
    ],
    'NGR-12': [
      {
        name: 'nginx worker suspended',
        layer: 'nginx',
        hop: 'tcp',
        title: (view) => {
          const { attempts = 1, failures = 1 } = nginx.publicSeen(view) ?? {};
          return `${workerText(view)}: ${failures} of ${attempts} upgrades through nginx got no answer`;
        },
        necessary: [
          workerSuspended,
          sign(['upgrades through nginx fail', 'all upgrades through nginx got 101'], (view) =>
            nginx.publicFails.holds(view),
          ),
        ],
        signature: [
          sign('they end without an answer', (view) => {
            const seen = nginx.publicSeen(view);
            return seen && seen.status === null && seen.ended === 'timeout' ? 'yes' : 'no';
          }),
        ],
        predicts: [
          'nginx.agents.upgrades',
          'nginx.api.answers',
          'network.public.connects',
          'network.tls.verifies',
          'agents.link.up',
          'agents.canary.returns',
        ],
        remedy: letGoOn,
        help: `A worker of nginx was stopped (SIGSTOP). The master and the other workers go on, systemd says "active", and the connections that the kernel gave to this worker hang: a part of new ones (all of them with one worker, its share with "reuseport"), and every tunnel that it holds already.`,
      },
      {
        name: 'nginx worker suspended',
        layer: 'nginx',
        hop: 'tcp',
        scope: 'latent',
        title: workerText,
        necessary: [workerSuspended],
        forbids: [nginx.publicFails],
        predicts: [],
        remedy: letGoOn,
        help: `New connections are taken by the other workers. The tunnels that this one holds hang until their gateways notice, and a reload waits for it.`,
      },
    ],
  },
);
