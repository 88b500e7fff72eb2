// Causes between hosts: routes and packet filters. Each is told from a dead service by the LISTEN row and by a second vantage.
import {
  allOf,
  anyOf,
  type CauseRule,
  causesOf,
  type FirewallRule,
  judge,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { someLost } from './loss.ts';
import { filterText, removal, stoppedBy } from './packet-filter.ts';
import { on, remedy } from './texts.ts';

const { backend, gateway, nginx, parts } = signs;
const agentsPort = (view: View) => view.topology.backend.agentsPort;
const way = ['network.public.connects', 'network.agents.upgrades', 'agents.link.up'];

/** A rule on the backend host that stops this gateway's packets to the public port. */
const publicStop = (view: View, ...actions: readonly ('drop' | 'reject')[]): FirewallRule | null =>
  stoppedBy(
    view.value('firewall.rules', 'be') ?? [],
    {
      directions: ['in'],
      port: view.topology.publicPort,
      loopback: false,
      from: view.value('host.addresses', 'gw') ?? [],
      to: view.value('host.addresses', 'be') ?? [],
    },
    ...actions,
  );
const publicRule = (...actions: readonly ('drop' | 'reject')[]) =>
  sign(
    [
      (view) => `a rule of ${parts.hostOf(view, 'be')} does it: ${filterText(publicStop(view, ...actions))}`,
      (view) => `no rule of ${parts.hostOf(view, 'be')} stops such packets`,
    ],
    (view) => judge(view, ['firewall.rules', 'be'], () => publicStop(view, ...actions) !== null),
  );
const turnedAway = allOf(
  (view) => `a dial of port ${view.topology.publicPort} from ${parts.hostOf(view, 'gw')} is refused, by a rule`,
  gateway.publicDial('gw', 'refused'),
  publicRule('reject'),
);

const reachedElsewhere = anyOf(
  'from elsewhere the port can be reached',
  gateway.publicDial('op', 'connected'),
  gateway.publicDial('be', 'connected'),
);

/** A rule for everybody stops the dials of the backend host as well: then the rule itself, in front of an open port, is the evidence. */
const stoppedBefore = anyOf(
  (view) => (reachedElsewhere.holds(view) === 'yes' ? reachedElsewhere : publicRule('drop', 'reject')).claim(view),
  reachedElsewhere,
  allOf('a rule stands before an open port', publicRule('drop', 'reject'), nginx.publicPortListens),
);

/** A rule of the gateway's own host that keeps it from the public port; one that only drops does not refuse. */
function egressStop(view: View): FirewallRule | null {
  const refused = gateway.publicDial('gw', 'refused').holds(view) === 'yes';
  return stoppedBy(
    view.value('firewall.rules', 'gw') ?? [],
    {
      directions: ['out'],
      port: view.topology.publicPort,
      loopback: false,
      from: view.value('host.addresses', 'gw') ?? [],
      to: view.value('dns.answer', 'gw')?.addresses ?? [],
    },
    ...(refused ? (['reject'] as const) : (['drop', 'reject'] as const)),
  );
}
const egressRule = sign(
  [
    (view) => `a rule of ${parts.hostOf(view, 'gw')} itself does it: ${filterText(egressStop(view))}`,
    (view) => `no rule of ${parts.hostOf(view, 'gw')} stops such packets`,
  ],
  (view) => judge(view, ['firewall.rules', 'gw'], () => egressStop(view) !== null),
);
/** The gateway's own rule is the nearer explanation; what cannot be read of it forbids nothing. */
const egressRuleSeen = sign(
  (view) => `${parts.hostOf(view, 'gw')} stops its own packets`,
  (view) => egressRule.holds(view),
);

const proxyLine = (view: View) =>
  signs.setup.settingWhere(view, parts.gatewayPart, {
    names: ['Environment'],
    test: (value) => /\b(https?|all)_proxy=/i.test(value),
  });
/** Who set it expects the agent to take another way than it does. */
const proxyUnused = sign(
  (view) => {
    const line = proxyLine(view);
    return `${line ? signs.setup.worded(line) : 'a proxy'} is set for the agent, which dials by itself and uses no proxy`;
  },
  (view) => judge(view, ['unit.setup', 'gw', 'gateway'], () => proxyLine(view) !== null),
);

/** A LISTEN row that would take a dial of the loopback or any address. */
const covered = sign(
  [
    (view) => `port ${agentsPort(view)} listens on the very address that is dialled`,
    (view) => `port ${agentsPort(view)} does not listen on the address that is dialled`,
  ],
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
/** A rule that stops a dial of a port of the own host, as nginx and this tool make it. */
const ownDialStop = (view: View, port: number, ...actions: readonly ('drop' | 'reject')[]): FirewallRule | null =>
  stoppedBy(
    view.value('firewall.rules', 'be') ?? [],
    { directions: ['in', 'out'], port, loopback: true, from: ['127.0.0.1'], to: ['127.0.0.1'] },
    ...actions,
  );
const filtered = (action: 'drop' | 'reject') =>
  sign(
    (view) => `a rule does it: ${filterText(ownDialStop(view, agentsPort(view), action))}`,
    (view) => judge(view, ['firewall.rules', 'be'], () => ownDialStop(view, agentsPort(view), action) !== null),
  );

/** The API port of the backend host, past nginx. */
const apiPort = (view: View) => view.topology.backend.apiPort;
const apiDial = (view: View) => view.value('http.response', 'be', 'api-health');
/** Silence is the work of a rule that drops, a refusal that of one that rejects. */
const apiStop = (view: View): FirewallRule | null =>
  ownDialStop(view, apiPort(view), apiDial(view)?.outcome === 'timeout' ? 'drop' : 'reject');
const apiRule = sign(
  [(view) => `a rule does it: ${filterText(apiStop(view))}`, 'no rule of the packet filter stops such packets'],
  (view) => judge(view, ['firewall.rules', 'be'], () => apiStop(view) !== null),
);
/** A port that takes a connection and then keeps silent is no filter's work. */
const apiNotReached = sign(
  [
    (view) => `a dial of the API port does not get through (${apiDial(view)?.outcome ?? 'no answer'})`,
    (view) => `a dial of the API port gets through (${apiDial(view)?.outcome ?? ''})`,
  ],
  (view) =>
    judge(view, ['http.response', 'be', 'api-health'], (seen): Tri => {
      if (seen.outcome === 'refused' || seen.outcome === 'unreachable') return 'yes';
      if (seen.outcome !== 'timeout' || seen.connected === true) return 'no';
      return seen.connected === false ? 'yes' : 'unknown';
    }),
);
const apiListens = sign(
  [
    (view) => `port ${apiPort(view)} has a LISTEN row`,
    (view) => `the kernel has no LISTEN row for port ${apiPort(view)}`,
  ],
  (view) =>
    judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows) =>
      rows.some((row) => row.port === apiPort(view) && !backend.isProxy(row)),
    ),
);

export const networkCauses: readonly CauseRule[] = causesOf(
  { layer: 'network', hop: 'tcp', host: 'gw', predicts: way },
  {
    'NET-05': {
      name: 'packets to the public port dropped',
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
        stoppedBefore,
      ],
      predicts: [...way, 'nginx.agents.upgrades', 'nginx.api.answers'],
      signature: [nginx.publicPortListens],
      supports: [publicRule('drop', 'reject'), proxyUnused],
      forbids: [egressRuleSeen, someLost],
      lookalikes: {
        'NET-14': anyOf('the port is open for others', nginx.publicPortListens, gateway.publicDial('op', 'connected')),
        'NET-01': gateway.nameRight,
        'NGR-11': ['nginx is out of file descriptors', stoppedBefore],
      },
      remedy: (view) =>
        remedy(
          'allow the gateway through every filter on the path',
          on(view, 'be', `nft list ruleset | grep -n ${view.topology.publicPort}`),
        ),
      help: `A connection attempt times out (or a rule rejects it), while the port is open and answers others, at least the backend host itself: a packet filter in between. nginx, TLS and the backend are fine.`,
    },
    'NET-06': {
      name: 'egress rule on the gateway',
      title: (view) =>
        `a rule on ${parts.hostOf(view, 'gw')} itself stops connections to port ${view.topology.publicPort}`,
      necessary: [
        anyOf(
          (view) =>
            gateway.publicDial('gw', 'timeout').holds(view) === 'yes'
              ? gateway.publicDial('gw', 'timeout').claim(view)
              : gateway.publicDial('gw', 'refused').claim(view),
          gateway.publicDial('gw', 'refused'),
          gateway.publicDial('gw', 'timeout'),
        ),
        gateway.nameRight,
        reachedElsewhere,
        egressRule,
      ],
      supports: [proxyUnused],
      lookalikes: { 'NET-14': reachedElsewhere, 'NET-05': egressRule },
      remedy: (view) =>
        remedy(
          'remove the rule',
          on(
            view,
            'gw',
            ...removal(egressStop(view), `iptables -I OUTPUT -p tcp --dport ${view.topology.publicPort} -j ACCEPT`),
          ),
        ),
      help: `An immediate refusal, or silence, from this host only: its own egress rule. Other filters on the path do not matter until it is gone.`,
    },
    'NET-07': {
      name: 'packet filter drops',
      hop: 'ws-port',
      host: 'be',
      title: (view) => `a packet filter on the backend host drops connections to port ${agentsPort(view)}`,
      necessary: [covered, backend.directConnectTimeout, backend.queueEmpty],
      signature: [filtered('drop')],
      lookalikes: { 'BE-02': backend.queueEmpty, 'BE-01': backend.agentsListens },
      predicts: ['backend.agents.upgrades', 'backend.health.good'],
      remedy: (view) => remedy('let loopback through', on(view, 'be', 'iptables -I INPUT -i lo -j ACCEPT')),
      help: `nginx gets 504 after its connect timeout. A full accept queue looks the same from outside; the queue (Recv-Q 0) and the rule's counter tell them apart.`,
    },
    'NET-08': {
      name: 'packet filter rejects',
      hop: 'ws-port',
      host: 'be',
      title: (view) => `a packet filter on the backend host rejects connections to port ${agentsPort(view)}`,
      necessary: [covered, backend.directRefused],
      signature: [filtered('reject')],
      // Without the rules a redirect to a closed port looks the same.
      lookalikes: {
        'NET-21': filtered('reject'),
        'BE-01': backend.agentsListens,
        'BE-09': ['it listens on another address family', covered],
      },
      predicts: ['backend.agents.upgrades', 'backend.health.good'],
      remedy: (view) => remedy('let loopback through', on(view, 'be', 'iptables -I INPUT -i lo -j ACCEPT')),
      help: `"Connection refused" does not mean that nobody listens: the kernel has a LISTEN row for this very address, and a rule answers in its place.`,
    },
    'NET-09': {
      name: 'no route',
      title: (view) => `${parts.hostOf(view, 'gw')} has no route to the backend`,
      necessary: [gateway.publicDial('gw', 'unreachable'), gateway.nameRight],
      signature: [gateway.publicDial('op', 'connected')],
      supports: [proxyUnused],
      remedy: (view) => remedy('restore the route', on(view, 'gw', 'ip route')),
      help: `The kernel itself reports that there is no route (ENETUNREACH); nothing was sent.`,
    },
    'NET-16': {
      name: 'packet filter before the API port',
      hop: 'api',
      host: 'be',
      title: (view) => `a packet filter on the backend host stops connections to the API port ${apiPort(view)}`,
      necessary: [parts.runs(parts.backendPart), apiNotReached, apiListens, apiRule],
      lookalikes: { 'BE-04': apiRule, 'BE-05': apiListens },
      predicts: ['backend.api.answers', 'nginx.api.answers'],
      remedy: (view) => remedy('let loopback through', on(view, 'be', 'iptables -I INPUT -i lo -j ACCEPT')),
      help: `The backend listens on its API port and a rule of the packet filter answers or drops in its place. Gateways keep their links; the API, and with it every command, is unavailable.`,
    },
  },
);
