// Causes between hosts: names, routes, packet filters. Each is told from a dead service by the LISTEN row and by a second vantage.
import {
  allOf,
  anyOf,
  type CauseRule,
  defineCause,
  type FirewallRule,
  judge,
  not,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { on, remedy } from './texts.ts';

const { backend, gateway, nginx, parts } = signs;
const agentsPort = (view: View) => view.topology.backend.agentsPort;
const way = ['network.public.connects', 'network.agents.upgrades', 'agents.link.up'];

const hostsLine = (view: View) => {
  const lines = view.value('host.hosts-file', 'gw') ?? [];
  return lines.find((line) => line.names.includes(view.topology.serverName)) ?? null;
};
const inHostsFile = sign(
  (view) =>
    `/etc/hosts:${hostsLine(view)?.line ?? '?'} on ${parts.hostOf(view, 'gw')} says: ${hostsLine(view)?.text ?? ''}`,
  (view) =>
    judge(view, ['host.hosts-file', 'gw'], () => {
      const line = hostsLine(view);
      const answer = view.value('dns.answer', 'gw');
      if (!line) return 'no';
      return answer ? answer.addresses.includes(line.address) : 'unknown';
    }),
);

const net01 = defineCause({
  code: 'NET-01',
  name: 'hosts override on the gateway',
  layer: 'network',
  hop: 'dns',
  per: 'gateway',
  host: 'gw',
  title: (view) => `a line in /etc/hosts of ${parts.hostOf(view, 'gw')} sends ${view.topology.serverName} elsewhere`,
  necessary: [gateway.nameLeadsElsewhere, inHostsFile],
  forbids: [gateway.gatewayUpgrades],
  lookalikes: [
    { code: 'TLS-03', separator: gateway.nameLeadsElsewhere },
    { code: 'NET-14', separator: gateway.nameLeadsElsewhere },
  ],
  predicts: ['network.name.resolves'],
  remedy: (view) =>
    remedy(
      'remove or correct the line',
      on(view, 'gw', `sed -n ${hostsLine(view)?.line ?? 1}p /etc/hosts`, `getent ahosts ${view.topology.serverName}`),
    ),
  help: `A forgotten override on the gateway: DNS is right for everybody else, this host goes to another machine, whose certificate or closed port then looks guilty.`,
});

const dnsError = (seat: 'gw' | 'op' | 'be', ...errors: readonly string[]) =>
  sign(
    (view) =>
      `${parts.hostOf(view, seat)} cannot resolve ${view.topology.serverName} (${view.value('dns.answer', seat)?.error ?? ''})`,
    (view) => judge(view, ['dns.answer', seat], (answer) => answer.error !== null && errors.includes(answer.error)),
  );
/** A line in somebody's /etc/hosts says nothing about DNS. */
const inDns = anyOf(
  'the name exists in DNS',
  ...(['op', 'be'] as const).map((seat) =>
    sign('', (view) =>
      judge(view, ['dns.answer', seat], (answer) => answer.addresses.length > 0 && answer.source !== 'hosts-file'),
    ),
  ),
);
const resolverElsewhere = anyOf(
  'a resolver elsewhere answers',
  ...(['op', 'be'] as const).map((seat) =>
    sign('', (view) =>
      judge(
        view,
        ['dns.answer', seat],
        (answer) => answer.source !== 'hosts-file' && (answer.addresses.length > 0 || answer.error === 'nxdomain'),
      ),
    ),
  ),
);

const net02 = defineCause({
  code: 'NET-02',
  name: 'resolver dead',
  layer: 'network',
  hop: 'dns',
  per: 'gateway',
  host: 'gw',
  title: (view) => `the resolver of ${parts.hostOf(view, 'gw')} does not answer`,
  necessary: [dnsError('gw', 'temporary', 'timeout')],
  signature: [resolverElsewhere],
  // No upgrade refutes it: where the name does not resolve, the rest of the way is probed by address.
  lookalikes: [{ code: 'NET-03', separator: dnsError('gw', 'temporary', 'timeout') }],
  predicts: ['network.name.resolves'],
  remedy: (view) =>
    remedy(
      'bring the resolver back',
      on(view, 'gw', 'cat /etc/resolv.conf', `getent ahosts ${view.topology.serverName}`),
    ),
  help: `Name resolution on the gateway fails as such (EAI_AGAIN); the name exists. By address the same host would connect: the network is fine.`,
});

const net03 = defineCause({
  code: 'NET-03',
  name: 'name does not exist',
  layer: 'network',
  hop: 'dns',
  host: 'be',
  title: (view) => `the name ${view.topology.serverName} does not exist`,
  necessary: [
    dnsError('gw', 'nxdomain'),
    anyOf('and it exists nowhere else', dnsError('op', 'nxdomain'), dnsError('be', 'nxdomain')),
    not('no resolver knows it', inDns),
  ],
  lookalikes: [{ code: 'NET-02', separator: dnsError('gw', 'nxdomain') }],
  predicts: ['network.name.resolves'],
  remedy: (view) => remedy(`add the record ${view.topology.serverName} → the backend's public address`),
  help: `The record is missing in DNS itself: every resolver says so, not only the gateway's.`,
});

/** A rule on the backend host that stops packets to the public port, from everywhere or from this gateway. */
const stopsPublic = (view: View, rule: FirewallRule): boolean => {
  const own = view.value('host.addresses', 'gw') ?? [];
  const from = rule.source?.replace(/\/32$/, '') ?? null;
  return (
    rule.direction === 'in' &&
    (rule.action === 'drop' || rule.action === 'reject') &&
    rule.port === view.topology.publicPort &&
    (from === null || own.includes(from))
  );
};
const publicRule = sign(
  (view) => {
    const rule = view.value('firewall.rules', 'be')?.find((item) => stopsPublic(view, item));
    return `a rule of ${parts.hostOf(view, 'be')} does it: ${rule?.text ?? ''}${rule?.packets ? ` (${rule.packets} packets)` : ''}`;
  },
  (view) => judge(view, ['firewall.rules', 'be'], (rules) => rules.some((rule) => stopsPublic(view, rule))),
);
const turnedAway = allOf(
  (view) => `a dial of port ${view.topology.publicPort} from ${parts.hostOf(view, 'gw')} is refused, by a rule`,
  gateway.publicDial('gw', 'refused'),
  publicRule,
);

const reachedElsewhere = anyOf(
  'from elsewhere the port can be reached',
  gateway.publicDial('op', 'connected'),
  gateway.publicDial('be', 'connected'),
);

const net05 = defineCause({
  code: 'NET-05',
  name: 'packets to the public port dropped',
  layer: 'network',
  hop: 'tcp',
  per: 'gateway',
  host: 'gw',
  title: (view) =>
    `packets from ${parts.hostOf(view, 'gw')} to port ${view.topology.publicPort} of the backend are ${turnedAway.holds(view) === 'yes' ? 'rejected by its packet filter' : 'dropped'}`,
  necessary: [
    anyOf(
      (view) =>
        gateway.publicDial('gw', 'timeout').holds(view) === 'yes'
          ? gateway.publicDial('gw', 'timeout').claim(view)
          : turnedAway.claim(view),
      gateway.publicDial('gw', 'timeout'),
      turnedAway,
    ),
    gateway.nameRight,
    reachedElsewhere,
  ],
  signature: [nginx.publicPortListens],
  supports: [publicRule],
  lookalikes: [
    {
      code: 'NET-14',
      separator: anyOf('the port is open for others', nginx.publicPortListens, gateway.publicDial('op', 'connected')),
    },
    { code: 'NET-01', separator: gateway.nameRight },
    { code: 'NGR-11', title: 'nginx is out of file descriptors', separator: reachedElsewhere },
  ],
  predicts: way,
  remedy: (view) =>
    remedy(
      'allow the gateway through every filter on the way',
      on(view, 'be', `nft list ruleset | grep -n ${view.topology.publicPort}`),
    ),
  help: `A dial that times out (or is turned away by a rule), while the port is open and answers others, the backend host itself at least: a packet filter between them. nginx, TLS and the backend are fine.`,
});

const rejectRule = sign(
  (view) => `a rule on ${parts.hostOf(view, 'gw')} rejects it`,
  (view) =>
    judge(view, ['firewall.rules', 'gw'], (rules) =>
      rules.some(
        (rule) =>
          rule.direction === 'out' &&
          rule.action === 'reject' &&
          (rule.port === view.topology.publicPort || rule.port === null),
      ),
    ),
);
const net06 = defineCause({
  code: 'NET-06',
  name: 'egress rule on the gateway',
  layer: 'network',
  hop: 'tcp',
  per: 'gateway',
  host: 'gw',
  title: (view) =>
    `a rule on ${parts.hostOf(view, 'gw')} itself rejects connections to port ${view.topology.publicPort}`,
  necessary: [
    gateway.publicDial('gw', 'refused'),
    gateway.nameRight,
    gateway.publicDial('op', 'connected'),
    rejectRule,
  ],
  lookalikes: [{ code: 'NET-14', separator: gateway.publicDial('op', 'connected') }],
  predicts: way,
  remedy: (view) => remedy('remove the rule', on(view, 'gw', 'iptables -S OUTPUT')),
  help: `The refusal comes at once and from this host only: its own egress rule.`,
});

const net09 = defineCause({
  code: 'NET-09',
  name: 'no route',
  layer: 'network',
  hop: 'tcp',
  per: 'gateway',
  host: 'gw',
  title: (view) => `${parts.hostOf(view, 'gw')} has no route to the backend`,
  necessary: [gateway.publicDial('gw', 'unreachable'), gateway.nameRight],
  signature: [gateway.publicDial('op', 'connected')],
  predicts: way,
  remedy: (view) => remedy('restore the route', on(view, 'gw', 'ip route')),
  help: `The kernel itself says that it knows no way (ENETUNREACH); nothing was sent.`,
});

/** A LISTEN row that would take a dial of the loopback or any address. */
const covered = sign(
  (view) => `port ${agentsPort(view)} listens on the very address that is dialled`,
  (view) =>
    judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows): Tri => {
      const own = rows.filter((row) => row.port === agentsPort(view) && !backend.isProxy(row));
      if (own.length === 0) return 'no';
      const seen = view.value('ws.upgrade', 'be', 'direct') ?? view.value('tcp.connect', 'be', 'agents');
      if (!seen) return 'unknown';
      // In a container's namespace loopback is another loopback than the one that is dialled.
      const reachable = backend.backendSeat(view) === 'be' ? [seen.address] : [];
      return own.some((row) => ['0.0.0.0', '::', '*', ...reachable].includes(row.address)) ? 'yes' : 'no';
    }),
);
const filtered = (action: 'drop' | 'reject') =>
  sign(
    (view) => {
      const rule = view
        .value('firewall.rules', 'be')
        ?.find((item) => item.action === action && item.port === agentsPort(view));
      return `a rule does it: ${rule?.text ?? ''}${rule?.packets ? ` (${rule.packets} packets)` : ''}`;
    },
    (view) =>
      judge(view, ['firewall.rules', 'be'], (rules) =>
        // A dial of the own host passes both of its directions.
        rules.some((rule) => rule.action === action && rule.port === agentsPort(view) && rule.direction !== 'forward'),
      ),
  );

const net07 = defineCause({
  code: 'NET-07',
  name: 'packet filter drops',
  layer: 'network',
  hop: 'ws-port',
  host: 'be',
  title: (view) => `a packet filter on the backend host drops connections to port ${agentsPort(view)}`,
  necessary: [covered, backend.directConnectTimeout, backend.queueEmpty],
  signature: [filtered('drop')],
  lookalikes: [
    { code: 'BE-02', separator: backend.queueEmpty },
    { code: 'BE-01', separator: backend.agentsListens },
  ],
  predicts: ['backend.agents.upgrades'],
  remedy: (view) => remedy('let loopback through', on(view, 'be', 'iptables -I INPUT -i lo -j ACCEPT')),
  help: `nginx gets 504 after its connect timeout. A full accept queue looks the same from outside; the queue (Recv-Q 0) and the rule's counter tell them apart.`,
});

const net08 = defineCause({
  code: 'NET-08',
  name: 'packet filter rejects',
  layer: 'network',
  hop: 'ws-port',
  host: 'be',
  title: (view) => `a packet filter on the backend host rejects connections to port ${agentsPort(view)}`,
  necessary: [covered, backend.directRefused],
  signature: [filtered('reject')],
  lookalikes: [
    { code: 'BE-01', separator: backend.agentsListens },
    { code: 'BE-09', title: 'it listens on another address family', separator: covered },
  ],
  predicts: ['backend.agents.upgrades'],
  remedy: (view) => remedy('let loopback through', on(view, 'be', 'iptables -I INPUT -i lo -j ACCEPT')),
  help: `"Connection refused" does not mean that nobody listens: the kernel has a LISTEN row for this very address, and a rule answers in its place.`,
});

/** The API port of the backend host, past nginx. */
const apiPort = (view: View) => view.topology.backend.apiPort;
const apiRule = sign(
  (view) => {
    const rule = view.value('firewall.rules', 'be')?.find((item) => stopsApi(view, item));
    return `a rule does it: ${rule?.text ?? ''}${rule?.packets ? ` (${rule.packets} packets)` : ''}`;
  },
  (view) => judge(view, ['firewall.rules', 'be'], (rules) => rules.some((rule) => stopsApi(view, rule))),
);
function stopsApi(view: View, rule: FirewallRule): boolean {
  const stops = rule.action === 'drop' || rule.action === 'reject';
  return stops && rule.port === apiPort(view) && rule.direction !== 'forward';
}
const apiListens = sign(
  (view) => `port ${apiPort(view)} has a LISTEN row`,
  (view) =>
    judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows) =>
      rows.some((row) => row.port === apiPort(view) && !backend.isProxy(row)),
    ),
);

const net16 = defineCause({
  code: 'NET-16',
  name: 'packet filter before the API port',
  layer: 'network',
  hop: 'api',
  host: 'be',
  title: (view) => `a packet filter on the backend host stops connections to the API port ${apiPort(view)}`,
  necessary: [not('the API port does not answer', backend.apiAnswers), apiListens, apiRule],
  lookalikes: [
    { code: 'BE-04', separator: apiRule },
    { code: 'BE-05', separator: apiListens },
  ],
  predicts: ['backend.api.answers', 'nginx.api.answers'],
  remedy: (view) => remedy('let loopback through', on(view, 'be', 'iptables -I INPUT -i lo -j ACCEPT')),
  help: `The backend listens on its API port and a rule of the packet filter answers, or keeps silent, in its place. Gateways keep their links; the API, and with it every command, is out.`,
});

export const networkCauses: readonly CauseRule[] = [net01, net02, net03, net05, net06, net07, net08, net09, net16];
