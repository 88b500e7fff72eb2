// Causes in where something listens, and whether that can be reached at all: another address than the one that is dialled, and loopback itself.
import {
  anyOf,
  type CauseRule,
  causesOf,
  judge,
  type Listener,
  not,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { backendCommand, backendUnit, nginxCommand, on, remedy } from './texts.ts';

const { backend, gateway, identity, nginx, parts } = signs;
const agentsPort = (view: View) => view.topology.backend.agentsPort;
const takes = (row: Listener, address: string) =>
  row.address === address ||
  row.address === '*' ||
  row.address === '::' ||
  (row.address === '0.0.0.0' && !address.includes(':'));
const listed = (rows: readonly Listener[]) => [...new Set(rows.map((row) => row.address))].join(' and ');

/** The literal addresses of nginx's target on the agents port. */
function dialled(view: View): readonly string[] {
  const all = nginx.routeOf(view)?.target?.addresses.filter((item) => item.port === agentsPort(view)) ?? [];
  return all.map((item) => (item.host === 'localhost' ? '127.0.0.1' : item.host));
}
const ownRows = (view: View) => backend.rowsOn(view, agentsPort(view)) ?? [];

/** Where systemd opens the port for the backend, the line that says the address. */
const streamLine = (view: View) =>
  signs.setup.settingWhere(
    view,
    { seat: 'be', part: 'backend-agents-socket' },
    { names: ['ListenStream'], test: (value) => value.endsWith(`:${agentsPort(view)}`) },
  );

/** Where the address is written: in the socket's unit, or in the backend's own file. */
function bindWords(view: View): string {
  const stream = streamLine(view);
  if (stream) return ` (${signs.setup.worded(stream)})`;
  const config = view.value('agent.config', 'be', 'backend');
  return config?.agentsBind ? ` (${config.path} says bind = "${config.agentsBind}")` : '';
}

const boundElsewhere = sign(
  [
    (view) =>
      `port ${agentsPort(view)} listens on ${listed(ownRows(view))} only${bindWords(view)}, and nginx dials ${dialled(view).join(' and ')}`,
    (view) => `port ${agentsPort(view)} listens where nginx dials it, or not at all`,
  ],
  (view) =>
    judge(view, ['tcp.listeners', 'be'], (): Tri => {
      const addresses = dialled(view);
      if (view.read('nginx.route', 'be', 'agents').status === 'unknown') return 'unknown';
      if (ownRows(view).length === 0 || addresses.length === 0) return 'no';
      // Where it is on loopback, nginx is the one that looks elsewhere: NGX-23.
      if (ownRows(view).some((row) => takes(row, '127.0.0.1'))) return 'no';
      if (!addresses.every((address) => /^[\d.]+$|:/.test(address))) return 'unknown';
      return addresses.some((address) => ownRows(view).some((row) => takes(row, address))) ? 'no' : 'yes';
    }),
);

/** Rows of the public port, and the addresses at which the gateways know the backend. */
const publicRows = (view: View) =>
  (view.value('tcp.listeners', 'be') ?? []).filter((row) => row.port === view.topology.publicPort);
const publicAddresses = (view: View) =>
  (view.value('dns.answer', 'gw')?.addresses ?? []).filter((address) =>
    (view.value('host.addresses', 'be') ?? []).includes(address),
  );
const publicElsewhere = sign(
  [
    (view) =>
      `port ${view.topology.publicPort} listens on ${listed(publicRows(view))} only, and the gateway dials ${publicAddresses(view).join(' and ')}`,
    (view) => `port ${view.topology.publicPort} listens on the addresses that the gateway dials, or not at all`,
  ],
  (view) =>
    judge(view, ['tcp.listeners', 'be'], (): Tri => {
      if (publicRows(view).length === 0) return 'no';
      const addresses = publicAddresses(view);
      if (addresses.length === 0) return 'unknown';
      return addresses.some((address) => publicRows(view).some((row) => takes(row, address))) ? 'no' : 'yes';
    }),
);
const listenLine = (view: View) => {
  const line = nginx.routeOf(view)?.listens[0];
  return line ? ` (${nginx.placeText(line)}: ${line.text})` : '';
};

const loopbackWords = (view: View, seat: 'be' | 'gw') => {
  const seen = view.value('host.loopback', seat);
  return seen?.up ? `has no address 127.0.0.1 (${seen.addresses.join(', ') || 'none'})` : 'is down';
};
const loopbackDown = (seat: 'be' | 'gw') =>
  sign(
    [
      (view) => `the loopback interface of ${parts.hostOf(view, seat)} ${loopbackWords(view, seat)}`,
      (view) => `the loopback interface of ${parts.hostOf(view, seat)} is up`,
    ],
    (view) =>
      judge(
        view,
        ['host.loopback', seat],
        (seen) => !seen.up || !seen.addresses.some((address) => /^127\./.test(address)),
      ),
  );
const loopbackFix = (view: View, seat: 'be' | 'gw') =>
  remedy(
    'bring it up, and see what took it down',
    on(view, seat, 'ip link set lo up', 'ip addr show dev lo | grep -q 127.0.0.1 || ip addr add 127.0.0.1/8 dev lo'),
  );
const loopbackHelp = `Everything that talks to itself on a host goes over the interface lo: nginx to the backend, health pages, a local resolver. A network script or a hardening tool that takes it down, or takes its address away, makes each of them time out, with every process running and every socket open. No rule of a packet filter has anything to do with it.`;

function rebind(view: View): readonly string[] {
  const address = dialled(view)[0] ?? '127.0.0.1';
  const port = agentsPort(view);
  const stream = streamLine(view);
  const [api, agents] = view.topology.backend.sockets;
  if (!stream || !agents)
    return [
      `[agents] bind = "${address}"`,
      ...on(view, 'be', backendCommand(view, 'restart'), `ss -ltn | grep :${port}`),
    ];
  return on(
    view,
    'be',
    `sed -i '${stream.line}s/=.*/=${address}:${port}/' ${stream.file}`,
    'systemctl daemon-reload',
    `systemctl stop ${backendUnit(view)} ${api} ${agents}`,
    `systemctl start ${api} ${agents} ${backendUnit(view)}`,
  );
}

export const listeningCauses: readonly CauseRule[] = causesOf(
  { layer: 'network', hop: 'tcp', host: 'be' },
  {
    'BE-11': {
      about: 'backend',
      name: 'bound to another address than nginx dials',
      layer: 'backend',
      hop: 'ws-port',
      title: (view) =>
        `the backend listens on ${listed(ownRows(view)) || 'another address'}, and nginx dials it on ${dialled(view).join(' and ') || 'another one'}`,
      necessary: [boundElsewhere, nginx.publicStatus(502, 504)],
      signature: [backend.directUpgrades],
      forbids: [
        sign('the ports are published by containers', (view) =>
          view.topology.backend.supervision === 'docker' ? 'yes' : 'no',
        ),
        sign('another program holds the port', identity.portForeign),
      ],
      lookalikes: { 'BE-08': backend.directUpgrades, 'NET-08': boundElsewhere, 'NGX-23': boundElsewhere },
      predicts: ['backend.agents.upgrades', 'nginx.agents.upgrades', 'nginx.api.answers', 'network.agents.upgrades'],
      remedy: (view) =>
        remedy(
          `bind it where nginx dials it, or name its address in proxy_pass (${nginx.placeText(nginx.routeOf(view)?.target?.place ?? null)})`,
          rebind(view),
        ),
      help: `The port is open and answers, only on another address of the host than the one in proxy_pass; nginx is refused. "Something listens on the port" is not enough: the address of the LISTEN row counts.`,
    },
    'NET-22': [
      {
        name: 'loopback down',
        hop: 'host',
        title: (view) => `the loopback interface of ${parts.hostOf(view, 'be')} ${loopbackWords(view, 'be')}`,
        necessary: [
          loopbackDown('be'),
          anyOf(
            (view) =>
              backend.directFails.holds(view) === 'yes'
                ? backend.directFails.claim(view)
                : nginx.publicFails.claim(view),
            backend.directFails,
            nginx.publicFails,
          ),
        ],
        forbids: [nginx.publicUpgrades],
        lookalikes: { 'NET-07': loopbackDown('be'), 'BE-02': loopbackDown('be'), 'BE-04': loopbackDown('be') },
        leadsAway: true,
        predicts: [
          'backend.api.answers',
          'backend.agents.upgrades',
          'backend.health.good',
          'nginx.agents.upgrades',
          'nginx.api.answers',
        ],
        remedy: (view) => loopbackFix(view, 'be'),
        help: loopbackHelp,
      },
      {
        name: 'loopback down on the gateway',
        hop: 'dns',
        host: 'gw',
        title: (view) => `the loopback interface of ${parts.hostOf(view, 'gw')} ${loopbackWords(view, 'gw')}`,
        necessary: [loopbackDown('gw'), gateway.linkDown],
        forbids: [gateway.linkUp],
        lookalikes: { 'NET-02': loopbackDown('gw') },
        predicts: ['network.name.resolves', 'gateway.process.running', 'agents.link.up'],
        remedy: (view) => loopbackFix(view, 'gw'),
        help: loopbackHelp,
      },
      {
        name: 'loopback down on the gateway, for later',
        scope: 'latent',
        host: 'gw',
        hop: 'host',
        title: (view) => `the loopback interface of ${parts.hostOf(view, 'gw')} ${loopbackWords(view, 'gw')}`,
        necessary: [loopbackDown('gw'), not(gateway.linkDown)],
        remedy: (view) => loopbackFix(view, 'gw'),
        help: loopbackHelp,
      },
    ],
    'NET-23': {
      about: 'nginx',
      name: 'nginx listens on another address',
      hop: 'tcp',
      title: (view) =>
        `nginx listens for port ${view.topology.publicPort} on ${listed(publicRows(view))} only, where ${parts.hostOf(view, 'gw')} cannot reach it`,
      necessary: [gateway.publicDial('gw', 'refused'), nginx.nginxRuns, gateway.nameRight, publicElsewhere],
      forbids: [gateway.gatewayUpgrades],
      lookalikes: {
        'NET-14': publicElsewhere,
        'NET-05': publicElsewhere,
        'NGX-25': publicElsewhere,
        'NET-06': publicElsewhere,
      },
      predicts: ['network.public.connects', 'nginx.agents.upgrades', 'nginx.api.answers', 'network.agents.upgrades'],
      remedy: (view) =>
        remedy(`correct its listen line${listenLine(view)}`, [
          `listen ${view.topology.publicPort} ssl;`,
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `nginx is up, and its socket is bound to one address: on the host itself an upgrade works, from elsewhere the connection is refused. It looks like a filter; the address of the LISTEN row tells. A change of an address in "listen" needs a restart where the old socket is in the way.`,
    },
  },
);
