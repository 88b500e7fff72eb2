// Causes in what everything stands on: full or read-only file systems, limits, clocks; and the backend's latent faults.
import {
  allOf,
  anyOf,
  type CauseRow,
  type CauseRule,
  causesOf,
  judge,
  type Mount,
  negate,
  not,
  sign,
  signs,
  type View,
} from '../engine/index.ts';
import { backendCommand, backendUnit, gatewayUnit, on, remedy } from './texts.ts';

const { backend, gateway, logs, parts } = signs;
const place = parts.backendPart;
const down = ['backend.process.running', 'backend.api.answers', 'backend.agents.listens', 'backend.agents.upgrades'];

/** The mount that holds the backend's state. */
function stateMount(view: View): Mount | null {
  const directory = view.value('agent.config', 'be', 'backend')?.values.state_dir ?? '/var/lib/viworks/backend';
  const mounts = view.value('host.mounts', 'be') ?? [];
  const holding = mounts.filter(
    (mount) => mount.path === '/' || directory === mount.path || directory.startsWith(`${mount.path}/`),
  );
  return holding.sort((a, b) => b.path.length - a.path.length)[0] ?? null;
}

type MountText = (mount: Mount) => string;
const mountText = (text: MountText) => (view: View) => {
  const mount = stateMount(view);
  return mount ? text(mount) : "the file system of the backend's state";
};
const mountIs = (claim: MountText, denial: MountText, test: (mount: Mount) => boolean) =>
  sign([mountText(claim), mountText(denial)], (view) =>
    judge(view, ['host.mounts', 'be'], () => {
      const mount = stateMount(view);
      return mount ? test(mount) : 'unknown';
    }),
  );

const suffers = (pattern: RegExp) =>
  anyOf(
    ['and it affects the backend', 'the backend runs, is healthy, and its log reports nothing of the kind'],
    not('it is not running', parts.runs(place)),
    logs.logSays(place, pattern, 'its log says'),
    sign('its health page says 503', (view) =>
      judge(view, ['http.response', 'be', 'api-health'], (seen) => seen.status === 503),
    ),
  );
const noSpace = /ENOSPC|no space left|no room is left|disk (is )?full|database or disk is full/i;
const readOnly = /EROFS|read-only file system|readonly database/i;

/** The store says that it cannot be opened or written, and rarely why: SQLite has one sentence for a full, a read-only and a forbidden place. */
const storeFails = logs.logSays(place, /VW_BACKEND_STOR(E_OPEN|E_FULL|AGE_UNAVAILABLE)/, 'its log says');
const saysWhy = (pattern: RegExp) =>
  anyOf(
    (view) => {
      const line = logs.logSays(place, pattern, 'its log says');
      return line.holds(view) === 'yes' ? line.claim(view) : storeFails.claim(view);
    },
    logs.logSays(place, pattern, 'its log says'),
    storeFails,
  );

const outOfInodes = (view: View): boolean => stateMount(view)?.inodesUsedPercent === 100;

/** What shows who uses up the room, or the inodes, of that file system. */
function lookForSpace(view: View): readonly string[] {
  const path = stateMount(view)?.path ?? '/';
  if (!outOfInodes(view)) return [`df -h ${path}`, `du -xh ${path} --max-depth=3 | sort -h | tail -20`];
  return [`df -i ${path}`, `find ${path} -xdev -printf '%h\\n' | sort | uniq -c | sort -n | tail -20`];
}

const suffersFromSpace = suffers(noSpace);
const full: Omit<CauseRow, 'necessary'> = {
  name: 'disk full',
  layer: 'host',
  hop: 'host',
  title: (view) =>
    outOfInodes(view) ? 'the file system of the backend has no inodes left' : 'the disk of the backend is full',
  lookalikes: {
    'BE-17': mountIs(
      (mount) => `${mount.path} is writable, only full`,
      (mount) => `${mount.path} is mounted read-only`,
      (mount) => !mount.readOnly,
    ),
  },
  remedy: (view) =>
    remedy(
      outOfInodes(view)
        ? 'remove files (the inodes are used up, not the space), then start the backend'
        : 'free space, then start the backend',
      on(view, 'be', ...lookForSpace(view), backendCommand(view, 'restart')),
    ),
  help: `Nothing can be written where the backend keeps its state; crashes, truncated files and refused commands follow from that.`,
};
const bytesLeft = (mount: Mount) =>
  mount.inodesUsedPercent === 100
    ? `${mount.path} has no inodes left (inodes 100 % used, room ${mount.usedPercent} %)`
    : `${mount.path} has ${mount.availableBytes} bytes left (${mount.usedPercent} % used)`;
const nothingLeft = mountIs(
  bytesLeft,
  bytesLeft,
  (mount) => mount.availableBytes < 1024 * 1024 || mount.inodesUsedPercent === 100,
);

const outOfFiles = logs.logSays(place, /EMFILE|too many open files/i, 'its log says');
const atLimit = sign(
  (view) => {
    const process = view.value('process.state', 'be', 'backend');
    const figures = process?.running ? ` (${process.openFiles ?? '?'} of ${process.openFilesLimit ?? '?'})` : '';
    return `its descriptors are at the limit${figures}`;
  },
  (view) =>
    judge(view, ['process.state', 'be', 'backend'], (process) => {
      if (!process.running || process.openFiles === null || process.openFilesLimit === null) return 'unknown';
      return process.openFiles >= process.openFilesLimit - 4;
    }),
);

const oldBinary = (host: 'be' | 'gw'): CauseRow => ({
  name: 'program from before the upgrade',
  layer: host === 'be' ? 'backend' : 'gateway',
  hop: host === 'be' ? 'ws-port' : 'gateway',
  host,
  scope: 'latent',
  title: `the ${host === 'be' ? 'backend' : 'gateway agent'} still runs the program from before the upgrade`,
  necessary: [
    sign(
      ['the program file was replaced after the process started', 'the process runs the program that is on disk'],
      (view) =>
        judge(view, ['process.state', host, host === 'be' ? 'backend' : 'gateway'], (process) => {
          if (!process.running) return false;
          if (process.binaryDeleted === true) return true;
          if (process.binaryMtimeMs === null || process.startedAtMs === null) return 'unknown';
          return process.binaryMtimeMs > process.startedAtMs + 2000;
        }),
    ),
  ],
  remedy: (view) =>
    remedy(
      'restart it',
      on(view, host, host === 'be' ? backendCommand(view, 'restart') : `systemctl restart ${gatewayUnit(view)}`),
    ),
  help: `The file on disk is not what runs. Nothing may be wrong yet, but the next restart changes versions, perhaps at a bad moment.`,
});

const reached = sign('another host can connect to it', (view) =>
  judge(view, ['tcp.connect', 'gw', 'agents'], (seen) => seen.outcome === 'connected'),
);
const beyondLoopback = sign(
  [
    (view) => `port ${view.topology.backend.agentsPort} listens beyond loopback`,
    (view) => `port ${view.topology.backend.agentsPort} listens on loopback only, or not at all`,
  ],
  (view) =>
    judge(view, ['tcp.listeners', 'be'], (rows) =>
      rows.some((row) => row.port === view.topology.backend.agentsPort && !/^(127\.|::1$)/.test(row.address)),
    ),
);

export const hostCauses: readonly CauseRule[] = causesOf(
  { layer: 'host', hop: 'ws-port', host: 'be' },
  {
    'BE-15': [
      {
        ...full,
        necessary: [nothingLeft, suffersFromSpace],
        signature: [saysWhy(noSpace)],
        predicts: [...down, 'backend.health.good'],
      },
      { ...full, scope: 'latent', necessary: [nothingLeft], forbids: [suffersFromSpace] },
    ],
    'BE-17': {
      name: 'file system read-only',
      hop: 'host',
      title: "the backend's file system is mounted read-only",
      necessary: [
        mountIs(
          (mount) => `${mount.path} is mounted read-only`,
          (mount) => `${mount.path} is writable`,
          (mount) => mount.readOnly,
        ),
        suffers(readOnly),
      ],
      signature: [saysWhy(readOnly)],
      predicts: [...down, 'backend.health.good'],
      remedy: (view) =>
        remedy(
          'look for a disk error first, then remount',
          on(view, 'be', 'dmesg | tail -30', `mount -o remount,rw ${stateMount(view)?.path ?? '/'}`),
        ),
      help: `A file system that turns read-only on its own usually means a failing disk.`,
    },
    'BE-13': {
      name: 'backend out of file descriptors',
      layer: 'backend',
      title: 'the backend is out of file descriptors',
      necessary: [
        anyOf(
          [
            (view) => (atLimit.holds(view) === 'yes' ? atLimit.claim(view) : outOfFiles.claim(view)),
            'it has descriptors left, and its log mentions no shortage',
          ],
          outOfFiles,
          // A program that is out of descriptors may well say nothing: it takes the connection and drops it.
          allOf('at its limit it drops the connection', atLimit, backend.directClosed),
        ),
        parts.runs(place),
        backend.directFails,
      ],
      signature: [atLimit],
      predicts: ['backend.agents.upgrades', 'backend.api.answers', 'nginx.agents.upgrades', 'nginx.api.answers'],
      remedy: (view) =>
        remedy(
          'raise LimitNOFILE',
          on(view, 'be', `systemctl edit ${backendUnit(view)}`, backendCommand(view, 'restart')),
        ),
      help: `Connections are accepted by the kernel and cannot be taken over by the process; what is already open keeps working.`,
    },
    'BE-18': oldBinary('be'),
    'SYS-22': oldBinary('gw'),
    'BE-19': {
      name: 'backend started by hand',
      layer: 'backend',
      scope: 'latent',
      title: 'the backend was started by hand, outside of its unit',
      necessary: [
        backend.directUpgrades,
        sign(['its port belongs to a login session', 'its port belongs to no login session'], (view) =>
          judge(view, ['tcp.listeners', 'be'], (rows) =>
            rows.some(
              (row) =>
                row.port === view.topology.backend.agentsPort && /^(session-.*\.scope|user@?.*)/.test(row.unit ?? ''),
            ),
          ),
        ),
      ],
      signature: [sign('no other program holds the port', (view) => negate(signs.identity.portForeign(view)))],
      forbids: [sign('another program holds the port', signs.identity.portForeign)],
      remedy: (view) => remedy('stop it and start the unit', on(view, 'be', backendCommand(view, 'start'))),
      help: `It works, and nobody will start it again after a reboot or a crash.`,
    },
    'EXP-01': {
      name: 'WebSocket port exposed',
      layer: 'network',
      scope: 'latent',
      title: (view) => `port ${view.topology.backend.agentsPort} is open to other hosts, in plain text`,
      necessary: [beyondLoopback],
      signature: [reached],
      forbids: [
        sign('a filter keeps other hosts away from it', (view) =>
          judge(view, ['tcp.connect', 'gw', 'agents'], (seen) => seen.outcome !== 'connected'),
        ),
      ],
      remedy: (view) =>
        remedy('bind it to loopback, or close it in the firewall', [
          '[agents] bind = "127.0.0.1"',
          ...on(view, 'be', backendCommand(view, 'restart')),
        ]),
      help: `The WebSocket port is meant for nginx on the same host. Open to others, it can be used without TLS.`,
    },
    'CLK-01': {
      name: 'wrong clock on the gateway',
      hop: 'tls',
      host: 'gw',
      title: (view) => `the clock of ${parts.hostOf(view, 'gw')} is wrong`,
      necessary: [
        gateway.clockOff('gw', 300, 'either'),
        gateway.verification(
          'gw',
          'rejects the certificate',
          (code) => code === 'CERT_NOT_YET_VALID' || code === 'CERT_HAS_EXPIRED',
        ),
        gateway.verification(
          'op',
          'accepts the validity period of the same certificate',
          (code) => code !== 'CERT_NOT_YET_VALID' && code !== 'CERT_HAS_EXPIRED',
        ),
      ],
      signature: [not('the backend agrees with us', gateway.clockOff('be', 60, 'either'))],
      lookalikes: { 'TLS-01': gateway.clockOff('gw', 300, 'either') },
      predicts: ['network.tls.verifies'],
      remedy: (view) =>
        remedy('set the clock and keep it synchronised', on(view, 'gw', 'timedatectl', 'timedatectl set-ntp true')),
      help: `Certificates are checked against the local clock. Here the clock is wrong and the certificate is fine: the other hosts accept it.`,
    },
  },
);
