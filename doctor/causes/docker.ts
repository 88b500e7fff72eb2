// Causes where the backend runs in a container: a published port with nothing behind it, a container that nobody restarts.
import { anyOf, type CauseRule, causesOf, judge, type Listener, not, sign, signs, type View } from '../engine/index.ts';
import { publishedByDocker } from './backend.ts';
import { backendCommand, nginxCommand, on, remedy } from './texts.ts';

const { backend, logs, nginx, parts } = signs;
const place = parts.backendPart;
const port = (view: View) => view.topology.backend.agentsPort;
const container = (view: View) => view.topology.backend.container ?? 'backend';

const proxyOwns = sign('on the host the port is held open by docker-proxy, not by the backend', (view) =>
  judge(view, ['tcp.listeners', 'be'], (rows) => {
    const own = rows.filter((row) => row.port === port(view));
    if (own.length === 0) return 'no';
    if (own.some((row) => row.process === 'docker-proxy')) return 'yes';
    return own.every((row) => row.process === null) ? 'unknown' : 'no';
  }),
);
const nothingInside = sign(
  [
    (view) => `inside container ${container(view)} nothing listens on port ${port(view)}`,
    (view) => `inside container ${container(view)} port ${port(view)} has a LISTEN row`,
  ],
  (view) => judge(view, ['tcp.listeners', 'be/ns:agent'], (rows) => rows.every((row) => row.port !== port(view))),
);

const loopbackOnly = sign(
  [
    (view) => `the backend listens on ${rows(view)[0]?.address ?? 'loopback'} only`,
    (view) =>
      `the backend listens on ${[...new Set(rows(view).map((row) => row.address))].join(' and ') || 'no address'}`,
  ],
  (view) =>
    judge(view, ['tcp.listeners', backend.backendSeat(view)], () => {
      const own = rows(view);
      return own.length > 0 && own.every((row) => /^(127\.|::1$)/.test(row.address));
    }),
);
const elsewhere = sign(
  ['nginx and the backend have network namespaces of their own', 'nginx and the backend share one network namespace'],
  (view) => {
    if (backend.backendSeat(view) !== 'be')
      return view.read('tcp.listeners', 'be/ns:agent').status === 'known' ? 'yes' : 'unknown';
    return judge(view, ['tcp.listeners', 'be/ns:nginx'], () => true);
  },
);

function rows(view: View): readonly Listener[] {
  return backend.rowsOn(view, port(view)) ?? [];
}

const byName = nginx.routeIs(
  (route) => `nginx names the backend by a name, and resolves it only when it starts: ${route.target?.text ?? ''}`,
  (route) =>
    route.target !== null &&
    !route.target.viaVariable &&
    route.target.addresses.some((item) => !/^[\d.]+$|:/.test(item.host)),
);
const upstreamSeen = (view: View): string | null => {
  for (const part of ['nginx-error', 'nginx'] as const) {
    const line = logs.lineOf(view, { seat: 'be', part }, /connect\(\) failed|upstream timed out|no live upstreams/);
    const address = line?.text.match(/upstream: "https?:\/\/([\d.]+)[:/]/)?.[1];
    if (address) return address;
  }
  return null;
};
const addressMoved = sign(
  [
    (view) =>
      `nginx dials ${upstreamSeen(view) ?? 'an old address'}, the container is at ${addresses(view).join(', ')}`,
    (view) => `nginx dials ${upstreamSeen(view) ?? 'an address'}, which is the container's`,
  ],
  (view) =>
    judge(view, ['docker.containers', 'be'], () => {
      const seen = upstreamSeen(view);
      if (seen === null) return 'unknown';
      return addresses(view).length > 0 && !addresses(view).includes(seen);
    }),
);
const youngerThanNginx = sign(
  ['the container was created after nginx started', 'nginx was started after the container was created'],
  (view) => {
    const started = parts.containerOf(view, place)?.startedAtMs ?? null;
    return judge(view, ['nginx.processes', 'be'], (seen) => {
      const starts = seen.workers.flatMap((worker) =>
        worker.startedAtMs === null || worker.shuttingDown ? [] : [worker.startedAtMs],
      );
      return started === null || starts.length === 0 ? 'unknown' : started > Math.max(...starts);
    });
  },
);

function addresses(view: View): readonly string[] {
  return (
    parts
      .containerOf(view, place)
      ?.networks.map((network) => network.address)
      .filter(Boolean) ?? []
  );
}

const networksOf = (view: View, part: typeof place) =>
  parts.containerOf(view, part)?.networks.map((network) => network.name) ?? [];
/** Both run in containers, and there is a network that has both; one on the host's own network reaches every container. */
const sharesNetwork = sign(
  [
    (view) =>
      `nginx and the backend share the network ${networksOf(view, place).find((name) => networksOf(view, parts.nginxPart).includes(name)) ?? ''}`,
    (view) =>
      `container ${container(view)} is on ${networksOf(view, place).join(', ') || 'no network'}, container ${view.topology.nginx.container ?? 'nginx'} on ${networksOf(view, parts.nginxPart).join(', ') || 'none'}`,
  ],
  (view) =>
    judge(view, ['docker.containers', 'be'], () => {
      const both = [parts.containerOf(view, place), parts.containerOf(view, parts.nginxPart)];
      if (both.some((item) => item === null)) return 'unknown';
      if (both.some((item) => item?.networkMode === 'host')) return 'yes';
      return networksOf(view, place).some((name) => networksOf(view, parts.nginxPart).includes(name));
    }),
);
/** It is dialled inside: by the container's name or alias, or at an address of a container's. */
const dialledInside = nginx.routeIs(
  [
    (route) => `nginx dials it as ${route.target?.text ?? ''} (${nginx.placeText(route.target?.place ?? null)})`,
    (route) => `nginx does not dial it by its container: ${route.target?.text ?? 'no target'}`,
  ],
  (route, view) => {
    const own = parts.containerOf(view, place);
    const names = [own?.name, ...(own?.networks.flatMap((network) => [network.address, ...network.aliases]) ?? [])];
    return route.target?.addresses.some((item) => names.includes(item.host)) ?? false;
  },
);
/** The files of nginx that its container has from before they were replaced on the host. */
const replacedFiles = (view: View) => {
  const pid = parts.containerOf(view, parts.nginxPart)?.pid ?? null;
  return (view.value('docker.replaced', 'be') ?? []).filter((file) => file.pid === pid);
};

export const dockerCauses: readonly CauseRule[] = causesOf(
  { layer: 'docker', hop: 'ws-port', host: 'be' },
  {
    'DOC-01': {
      name: 'port published, nothing inside',
      title: (view) => `port ${port(view)} is published, and nothing listens inside the container`,
      necessary: [parts.runs(place), publishedByDocker, nothingInside, backend.directFails],
      signature: [proxyOwns],
      supports: [backend.directClosed, backend.apiAnswers],
      lookalikes: {
        'BE-01': ['the backend never opened its port', publishedByDocker],
        'BE-02': nothingInside,
        'BE-05': parts.runs(place),
      },
      predicts: ['backend.agents.listens', 'backend.agents.upgrades'],
      remedy: (view) =>
        remedy(
          'make the service in the container open its port (look at its own log), then restart it',
          on(view, 'be', `docker logs --tail 50 ${container(view)}`, backendCommand(view, 'restart')),
        ),
      help: `Docker opens a published port on the host whatever happens inside: docker-proxy accepts the connection, finds nobody in the container, and cuts it off. "The port is open" says nothing here; only the listeners in the container's own network namespace do.
It is BE-01 inside a container.`,
    },
    'DOC-03': {
      name: 'container address moved',
      hop: 'route',
      title: 'the backend container has another address than the one nginx still holds',
      necessary: [
        parts.runs(place),
        nginx.publicStatus(502, 504),
        backend.directUpgrades,
        byName,
        anyOf(
          (view) => (addressMoved.holds(view) === 'yes' ? addressMoved : youngerThanNginx).claim(view),
          addressMoved,
          youngerThanNginx,
        ),
      ],
      signature: [addressMoved],
      lookalikes: { 'DOC-06': sharesNetwork, 'NGX-23': nginx.routeToAgents, 'BE-08': backend.directUpgrades },
      predicts: ['nginx.agents.upgrades', 'nginx.api.answers'],
      remedy: (view) => remedy('let nginx resolve the name again', on(view, 'be', nginxCommand(view, 'reload'))),
      help: `nginx resolves the names in its configuration when it loads it. A container that is recreated gets another address; nginx keeps dialling the old one, where nobody, or another program, answers. The backend is fine: dialled directly it gives 101.`,
    },
    'DOC-06': {
      name: 'containers without a common network',
      hop: 'route',
      title: (view) =>
        `containers ${container(view)} and ${view.topology.nginx.container ?? 'nginx'} have no network in common`,
      necessary: [
        parts.runs(place),
        not(sharesNetwork),
        dialledInside,
        anyOf(
          (view) => (nginx.nginxFailed.holds(view) === 'yes' ? nginx.nginxFailed : nginx.publicFails).claim(view),
          nginx.publicFails,
          nginx.nginxFailed,
        ),
      ],
      forbids: [nginx.publicUpgrades],
      lookalikes: { 'BE-08': not(sharesNetwork), 'NGX-21': not(sharesNetwork) },
      predicts: ['nginx.agents.upgrades', 'nginx.api.answers', 'nginx.process.running', 'network.public.connects'],
      remedy: (view) =>
        remedy('put the backend back on the network of nginx, and let nginx resolve its name again', [
          ...on(
            view,
            'be',
            `docker network connect ${networksOf(view, parts.nginxPart)[0] ?? 'NETWORK'} ${container(view)}`,
            nginxCommand(view, nginx.nginxFailed.holds(view) === 'yes' ? 'start' : 'reload'),
          ),
          'networks: [the same in both services of the compose file]',
        ]),
      help: `Containers find each other by name only on a network that both are on. A container that was recreated by hand, or from another compose file, lands on another one: its published port works from the host, and nginx gets no answer, or does not even start (host not found in upstream).`,
    },
    'DOC-07': {
      name: 'file in the container is not the file on the host',
      hop: 'vhost',
      scope: 'latent',
      title: (view) =>
        `the container of nginx still has ${replacedFiles(view)[0]?.destination ?? 'a file'} from before it was replaced on the host (${replacedFiles(view)[0]?.source ?? ''})`,
      necessary: [
        sign(
          [
            (view) =>
              `mounted into the container and replaced since: ${replacedFiles(view)
                .map((file) => `${file.source} → ${file.destination}`)
                .join(', ')}`,
            'every file that is mounted into the container of nginx is the one on the host',
          ],
          (view) => judge(view, ['docker.replaced', 'be'], () => replacedFiles(view).length > 0),
        ),
      ],
      remedy: (view) =>
        remedy('restart the container, and mount the directory instead of the single file', [
          ...on(view, 'be', `docker restart ${view.topology.nginx.container ?? 'nginx'}`),
        ]),
      help: `A single file that is mounted into a container is that very file, not its name. Editors and deployments replace a file by renaming a new one over it: the host has the new text, the container keeps the old one, and a reload of nginx changes nothing. Whatever is said about nginx's configuration speaks of the old file, which is the one that nginx runs with.`,
    },
    'DOC-05': {
      name: 'container not restarted',
      title: (view) => `container ${container(view)} has ended and its restart policy is "no"`,
      necessary: [
        parts.containerIs(
          place,
          'has ended, restart policy no',
          (item) => item.state === 'exited' && item.restartPolicy === 'no',
        ),
      ],
      signature: [not('the container does not run', parts.runs(place))],
      forbids: [backend.directUpgrades],
      predicts: ['backend.process.running', 'backend.api.answers', 'backend.agents.listens', 'backend.agents.upgrades'],
      remedy: (view) =>
        remedy(
          'start it, and give it a restart policy',
          on(
            view,
            'be',
            `docker update --restart unless-stopped ${container(view)}`,
            `docker start ${container(view)}`,
          ),
        ),
      help: `Without a restart policy a container stays down after a crash or a reboot of the host.`,
    },
    'BE-08': {
      name: 'bound to loopback only',
      layer: 'backend',
      title: (view) => `the backend listens on its own loopback only, where nginx cannot reach port ${port(view)}`,
      necessary: [loopbackOnly, elsewhere, nginx.publicFails],
      signature: [nginx.publicStatus(502, 504)],
      forbids: [nginx.publicUpgrades],
      lookalikes: { 'DOC-01': backend.agentsListens, 'NET-08': loopbackOnly },
      predicts: ['backend.agents.upgrades', 'nginx.agents.upgrades', 'backend.api.answers', 'nginx.api.answers'],
      remedy: (view) =>
        remedy(
          'bind it to the address that nginx dials (0.0.0.0 inside a container), and keep it off the public interfaces',
          ['[agents] bind = "0.0.0.0"', ...on(view, 'be', backendCommand(view, 'restart'))],
        ),
      help: `A container has a loopback of its own: what listens on 127.0.0.1 in it can only be reached from inside it, also through a published port. It looks like a firewall or like a dead service; the LISTEN row in the backend's own namespace shows the address.`,
    },
    'BE-09': {
      name: 'bound to another address family',
      layer: 'backend',
      title: (view) => `the backend listens on port ${port(view)} for IPv6 only, and nginx dials IPv4`,
      necessary: [
        sign(['the only LISTEN row is ::1', 'there are other LISTEN rows than ::1'], (view) =>
          judge(
            view,
            ['tcp.listeners', 'be'],
            () => rows(view).length > 0 && rows(view).every((row) => row.address === '::1'),
          ),
        ),
        backend.directRefused,
        nginx.publicFails,
      ],
      lookalikes: { 'NET-08': loopbackOnly, 'BE-01': backend.agentsListens },
      predicts: ['backend.agents.upgrades', 'nginx.agents.upgrades'],
      remedy: (view) =>
        remedy(
          'bind both families, or name the address in proxy_pass',
          on(view, 'be', backendCommand(view, 'restart')),
        ),
      help: `"localhost" is two addresses. A service on ::1 alone refuses 127.0.0.1; nginx tries what the name gives it.`,
    },
  },
);
