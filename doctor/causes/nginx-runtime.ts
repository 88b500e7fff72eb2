// Causes in nginx while it runs, or fails to: not reloaded, refuses to start, out of connections, stopped, its port taken by another.
import { type CauseRule, causesOf, judge, not, sign, signs, some, type Tri, tri, type View } from '../engine/index.ts';
import { deployAgain, nginxCommand, on, remedy } from './texts.ts';
import { keyNotLoaded } from './tls-keys.ts';
import { bringBack, downSign, downWord, unitDown } from './unit-words.ts';

const { backend, nginx, parts } = signs;
const down = ['nginx.process.running', 'nginx.agents.upgrades', 'nginx.api.answers', 'network.public.connects'];

const hostNotFound = /\[emerg\].*host not found in upstream/;
const addressTaken = /\[emerg\].*bind\(\) to .* failed \(98/;
const keyMismatch = /\[emerg\].*key values mismatch/;
const anyEmergency =
  /\[emerg\](?!.*(host not found in upstream|bind\(\) to .* failed \(98|key values mismatch|still could not bind))/;

const cutOff = sign(
  ['connections are cut off before any answer, or answered with 500', 'connections get an answer, or are refused'],
  (view) => {
    const seen = nginx.publicSeen(view);
    // The limit may also be reached on the way to the backend: then nginx says 500.
    return seen ? tri((seen.status === null && seen.ended !== 'refused') || seen.status === 500) : 'unknown';
  },
);

const workersText = (view: View) => {
  const seen = view.value('nginx.processes', 'be');
  return `nginx's master runs (pid ${seen?.masterPid ?? '?'}) and has ${seen?.workers.filter((worker) => !worker.shuttingDown).length || 'no'} worker`;
};
const noWorker = sign([workersText, workersText], (view) =>
  judge(
    view,
    ['nginx.processes', 'be'],
    (seen) => seen.masterPid !== null && seen.workers.every((worker) => worker.shuttingDown),
  ),
);
const workerFailed = /\[(emerg|alert)\].*failed \(/;
const workerDied = /\[(emerg|alert)\].*(cannot be respawned|Too many open files|failed \()/;

/** A limit of the whole process, with its line, as it is written or not. */
function limitText(view: View, name: string, unless: string): string {
  const found = nginx.routeOf(view)?.settings.findLast((item) => item.directive === name);
  return found ? `${name} ${found.value} (${nginx.placeText(found)})` : `${name} is ${unless}`;
}
const limited = (name: string, unless: string) =>
  sign(
    (view) => limitText(view, name, unless),
    (view): Tri => (nginx.routeOf(view) ? 'yes' : 'unknown'),
  );

const stopped = downSign(
  parts.nginxPart,
  unitDown(parts.nginxPart, (view) => !view.topology.inferred.includes('nginx.unit')),
  (view) =>
    parts
      .containerIs(parts.nginxPart, '', (item) => item.state === 'exited' && [0, 137, 143].includes(item.exitCode))
      .holds(view),
);

const publicOwner = (view: View) => {
  const row = view.value('tcp.listeners', 'be')?.find((item) => item.port === view.topology.publicPort);
  if (!row) return `port ${view.topology.publicPort} belongs to nobody`;
  return `port ${view.topology.publicPort} belongs to ${row.process ?? 'another program'}${row.unit ? ` (${row.unit})` : ''}`;
};
const foreignOwner = sign([publicOwner, publicOwner], (view: View) =>
  judge(view, ['tcp.listeners', 'be'], (rows): Tri => {
    const own = rows.filter((row) => row.port === view.topology.publicPort);
    if (own.length === 0) return 'no';
    return some(
      own.map((row): Tri => {
        if (row.process === null || row.ownership !== 'observed') return 'unknown';
        return ['nginx', 'docker-proxy', 'systemd'].includes(row.process) ? 'no' : 'yes';
      }),
    );
  }),
);

function shorten(line: string | null): string {
  return (line ?? '[emerg] …').replace(/^.*\[(emerg|alert)\]\s*(\d+#\d+:\s*)?/, '').slice(0, 160);
}

function upstreamName(view: View): string {
  return (
    nginx.emergency(view, hostNotFound)?.match(/host not found in upstream "([^"]+)"/)?.[1] ?? 'in its configuration'
  );
}

export const nginxRuntimeCauses: readonly CauseRule[] = causesOf(
  { layer: 'nginx', hop: 'vhost', host: 'be', predicts: down },
  {
    'NGR-01': {
      name: 'nginx not reloaded',
      hop: 'route',
      about: 'nginx',
      title: "nginx's configuration was corrected and never loaded",
      necessary: [
        nginx.publicFails,
        nginx.nginxRuns,
        nginx.configNewerThanWorkers,
        nginx.routeGood,
        backend.directUpgrades,
      ],
      signature: [nginx.publicStatus(301, 302, 400, 403, 404, 405, 426, 502, 503, 504)],
      lookalikes: { 'NGX-01': nginx.routeGood, 'NGX-02': nginx.routeGood },
      predicts: ['nginx.agents.upgrades', 'nginx.api.answers'],
      remedy: (view) => remedy('reload nginx', on(view, 'be', nginxCommand(view, 'reload'))),
      help: `The files on disk are right, but the workers are older than the files and still run the previous configuration. nginx -T prints the files, not what runs; only the live probe shows the difference.`,
    },
    'NGR-02': {
      name: 'broken file on disk',
      hop: 'route',
      about: 'nginx',
      scope: 'latent',
      title: "nginx's configuration on disk is broken; its next start will fail",
      necessary: [
        nginx.nginxRuns,
        sign(
          [(view) => `nginx -t fails: ${nginx.emergency(view, /\[emerg\]/) ?? ''}`, 'nginx -t reports no [emerg]'],
          (view) => judge(view, ['nginx.test', 'be'], (seen) => !seen.ok && /\[emerg\]/.test(seen.output)),
        ),
      ],
      forbids: [keyNotLoaded],
      predicts: [],
      remedy: (view) => remedy('fix the file before anything restarts nginx', on(view, 'be', 'nginx -t')),
      help: `A reload with a broken file is refused and the old configuration keeps running, so nothing is down yet. A restart or a reboot takes everything down.`,
    },
    'NGR-03': {
      name: 'nginx refuses its configuration',
      title: (view) => `nginx refuses its configuration: ${shorten(nginx.emergency(view, anyEmergency))}`,
      necessary: [nginx.nginxFailed, nginx.saysEmergency(anyEmergency)],
      signature: [nginx.publicPortClosed],
      forbids: [nginx.publicUpgrades],
      lookalikes: { 'NGR-05': nginx.saysEmergency(anyEmergency), 'NET-14': nginx.nginxFailed },
      remedy: (view) =>
        remedy('correct the line that it names, test, start', on(view, 'be', 'nginx -t', nginxCommand(view, 'start'))),
      help: `nginx ended with [emerg] while reading its configuration. The message names the file and the line. From outside it looks like a certificate or firewall problem, because nothing listens any more.`,
    },
    'NGR-04': {
      name: 'key does not match the certificate',
      title: 'nginx cannot start: the key does not belong to the certificate',
      necessary: [nginx.nginxFailed, nginx.saysEmergency(keyMismatch)],
      signature: [nginx.publicPortClosed],
      forbids: [nginx.publicUpgrades],
      remedy: (view) =>
        remedy(
          'put the matching key and certificate in place',
          on(view, 'be', 'nginx -t', nginxCommand(view, 'start')),
        ),
      help: `The certificate file was changed without its key file, or the other way round.`,
    },
    'NGR-05': {
      name: 'upstream name unresolvable at start',
      title: (view) => `nginx cannot start: the upstream name ${upstreamName(view)} does not resolve`,
      necessary: [nginx.nginxFailed, nginx.saysEmergency(hostNotFound)],
      signature: [nginx.publicPortClosed],
      forbids: [nginx.publicUpgrades],
      followsFrom: ['DOC-06'],
      lookalikes: {
        'NET-14': nginx.nginxFailed,
        'NGR-03': nginx.saysEmergency(hostNotFound),
        'NET-05': nginx.publicPortClosed,
      },
      remedy: (view) =>
        remedy(
          'make the name resolve again (start the container, join it to the network) or use an address; do not point the vhost at another program',
          [...on(view, 'be', `getent hosts ${upstreamName(view)}`, nginxCommand(view, 'start'))],
        ),
      help: `nginx resolves the names in its configuration once, when it starts, and refuses to start if one is unknown, e.g. the name of a container that was removed by a redeploy. The rest of the configuration is fine. Distinguished from a stopped nginx (NET-14) by the failed start and its [emerg] line.`,
    },
    'NGR-07': {
      name: 'nginx port in use',
      title: 'nginx cannot start: its port is taken',
      necessary: [nginx.nginxFailed, nginx.saysEmergency(addressTaken)],
      forbids: [nginx.publicUpgrades],
      followsFrom: ['NET-15'],
      remedy: (view) =>
        remedy(
          'stop the other program, then start nginx',
          on(view, 'be', `ss -ltnp | grep :${view.topology.publicPort}`, nginxCommand(view, 'start')),
        ),
      help: `bind() failed with 98: another program has the port. nginx -t does not detect this; only a start does.`,
    },
    'NGR-10': {
      name: 'worker connections exhausted',
      hop: 'tls',
      about: 'nginx',
      title: (view) =>
        `nginx is out of worker connections: ${limitText(view, 'worker_connections', '512 (the default)')}`,
      necessary: [nginx.publicFails, cutOff, signs.logs.dialSays(/\[alert\].*worker_connections are not enough/)],
      signature: [nginx.nginxRuns],
      supports: [limited('worker_connections', '512 (the default)')],
      lookalikes: { 'NGR-11': signs.logs.dialSays(/\[alert\].*worker_connections are not enough/) },
      predicts: [...down, 'network.tls.verifies'],
      remedy: (view) =>
        remedy(
          'raise worker_connections (two for each tunnel) and worker_rlimit_nofile with it',
          on(view, 'be', nginxCommand(view, 'reload')),
        ),
      help: `Each tunnel takes two connections of a worker. When they are used up, new connections are reset before TLS, and the access log shows nothing.`,
    },
    'NGR-11': {
      name: 'nginx out of file descriptors',
      hop: 'tls',
      about: 'nginx',
      title: (view) =>
        `nginx is out of file descriptors: ${limitText(view, 'worker_rlimit_nofile', "that of nginx's unit")}`,
      necessary: [nginx.publicFails, cutOff, signs.logs.dialSays(/\(24: Too many open files\)/)],
      signature: [nginx.nginxRuns],
      supports: [limited('worker_rlimit_nofile', "that of nginx's unit")],
      forbids: [noWorker],
      lookalikes: { 'NET-05': nginx.publicPortListens, 'NGR-10': signs.logs.dialSays(/\(24: Too many open files\)/) },
      predicts: [...down, 'network.tls.verifies'],
      remedy: (view) =>
        remedy('raise worker_rlimit_nofile above twice the number of tunnels', [
          'worker_rlimit_nofile 65536;',
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `Every connection of a worker is a file descriptor, two for each tunnel. When they are used up, accept() fails: the kernel still completes the TCP handshake, and the client then hears nothing, as behind a packet filter that drops. nginx says "accept4() failed (24: Too many open files)".`,
    },
    'NGR-13': {
      name: 'nginx without a worker',
      hop: 'tls',
      about: 'nginx',
      title: (view) => {
        const words = nginx.emergency(view, workerFailed) ?? nginx.emergency(view, workerDied);
        return `nginx has no worker that takes connections${words ? `: ${shorten(words)}` : ''}`;
      },
      necessary: [nginx.publicFails, nginx.nginxRuns, noWorker],
      signature: [nginx.saysEmergency(workerDied)],
      lookalikes: { 'NET-05': noWorker, 'NGR-11': noWorker },
      predicts: [...down, 'network.tls.verifies'],
      remedy: (view) =>
        remedy(
          'correct what its last words name, then restart it: a master does not start a worker again that ended in that way',
          on(view, 'be', 'nginx -t', `systemctl restart ${view.topology.nginx.unit ?? 'nginx'}`),
        ),
      help: `The master holds the port and does nothing else; without a worker connections wait in the kernel's queue for ever. Workers end like this when what they are allowed (descriptors, memory) is too little to begin with. "active (running)" speaks of the master.`,
    },
    'NET-14': {
      name: 'nginx stopped',
      title: (view) =>
        ({
          stopped: 'nginx is stopped',
          'not enabled': 'nginx is stopped, and its unit is not enabled',
          masked: 'nginx is stopped, and its unit is masked',
          'not installed': `nginx is not installed on ${parts.hostOf(view, 'be')}: no unit ${parts.nameOf(view, parts.nginxPart)}`,
        })[downWord(view, parts.nginxPart)],
      necessary: [stopped, nginx.publicPortClosed],
      forbids: [nginx.publicUpgrades],
      lookalikes: { 'NGR-03': stopped, 'NET-05': nginx.publicPortClosed, 'NET-15': nginx.publicPortClosed },
      remedy: (view) => {
        const word = downWord(view, parts.nginxPart);
        if (word === 'not installed') return remedy('install it', deployAgain(view, 'be'));
        const fix = { stopped: 'start it', 'not enabled': 'enable and start it', masked: 'unmask and start it' }[word];
        return remedy(fix, bringBack(view, parts.nginxPart, nginxCommand(view, 'start')));
      },
      help: `Nothing listens on the public port because nginx was stopped, disabled, masked or removed; it last exited cleanly. Distinguished from a failed start (NGR-03, NGR-05) by the unit's result, from a firewall by the missing LISTEN row.`,
    },
    'NET-15': {
      name: 'another server on the public port',
      title: (view) => `another program than nginx holds port ${view.topology.publicPort}`,
      necessary: [foreignOwner, not('nginx itself is not up', nginx.nginxRuns)],
      forbids: [nginx.publicUpgrades],
      lookalikes: { 'TLS-03': foreignOwner },
      predicts: [...down, 'network.tls.verifies'],
      remedy: (view) =>
        remedy(
          'stop it, then start nginx',
          on(view, 'be', `ss -ltnp | grep :${view.topology.publicPort}`, nginxCommand(view, 'start')),
        ),
      help: `The port is open and TLS may even answer, with another certificate and another Server header: it is not nginx.`,
    },
  },
);
