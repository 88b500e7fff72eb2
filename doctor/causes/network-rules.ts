// Causes in rules that tell packets apart: a filter for one user's or one unit's packets, and redirects that send a connection elsewhere.
import {
  allOf,
  anyOf,
  type CauseRule,
  causesOf,
  type FirewallRule,
  judge,
  not,
  sign,
  signs,
  type Tri,
  type UpgradeObservation,
  type View,
} from '../engine/index.ts';
import { filterText, redirectedBy, removal, stoppedBy } from './packet-filter.ts';
import { gatewayUnit, on, remedy } from './texts.ts';

const { backend, gateway, nginx, parts } = signs;
const publicPort = (view: View) => view.topology.publicPort;
const linkGone = ['agents.link.up', 'agents.registry.online'];

/** Whose packets the agent's are, in the words of a filter: its user by number and by name, and its control group. */
function agentOwners(view: View): readonly string[] {
  const unit = gatewayUnit(view);
  const rows = [...(view.value('tcp.listeners', 'gw') ?? []), ...(view.value('tcp.connections', 'gw') ?? [])];
  const uids = rows.flatMap((row) => (row.unit === unit && row.uid !== null ? [`uid ${row.uid}`] : []));
  const name = view.value('unit.state', 'gw', 'gateway')?.user || 'root';
  return [...new Set(uids), `uid ${name}`, `cgroup system.slice/${unit}`];
}

const outbound = (view: View) => ({
  directions: ['out'] as const,
  port: publicPort(view),
  loopback: false,
  from: view.value('host.addresses', 'gw') ?? [],
  to: view.value('dns.answer', 'gw')?.addresses ?? [],
});
const gatewayRules = (view: View) => view.value('firewall.rules', 'gw') ?? [];

/** A rule that fits the agent's packets for certain, and fits others' only perhaps. */
function agentsOwnStop(view: View): FirewallRule | null {
  const rule = stoppedBy(gatewayRules(view), { ...outbound(view), owners: agentOwners(view) }, 'drop', 'reject');
  return rule?.owner === undefined ? null : rule;
}
const agentStopped = sign(
  [
    (view) =>
      `a rule of ${parts.hostOf(view, 'gw')} stops the packets of the agent's user or unit: ${filterText(agentsOwnStop(view))}`,
    (view) => `no rule of ${parts.hostOf(view, 'gw')} is for the agent's packets alone`,
  ],
  (view) => judge(view, ['firewall.rules', 'gw'], () => agentsOwnStop(view) !== null),
);

interface Redirect {
  readonly rule: FirewallRule;
  readonly seat: 'be' | 'gw';
}

/** A redirect of the way from this gateway to the public port: on its own host, or on the backend's. */
function wayRedirected(view: View): Redirect | null {
  const own = redirectedBy(gatewayRules(view), { ...outbound(view), owners: agentOwners(view) });
  if (own) return { rule: own, seat: 'gw' };
  const there = redirectedBy(view.value('firewall.rules', 'be') ?? [], {
    directions: ['in'],
    port: publicPort(view),
    loopback: false,
    from: view.value('host.addresses', 'gw') ?? [],
    to: view.value('host.addresses', 'be') ?? [],
  });
  return there && { rule: there, seat: 'be' };
}

/** A redirect on the backend host of what nginx dials there, of the port whose own dial fails. */
function innerRedirect(view: View): { readonly rule: FirewallRule; readonly port: number } | null {
  const { agentsPort, apiPort } = view.topology.backend;
  const failing = [
    ...(backend.directFails.holds(view) === 'yes' ? [agentsPort] : []),
    ...(backend.apiAnswers.holds(view) === 'no' ? [apiPort] : []),
  ];
  for (const port of failing) {
    const rule = redirectedBy(view.value('firewall.rules', 'be') ?? [], {
      directions: ['out'],
      port,
      loopback: true,
      from: ['127.0.0.1'],
      to: ['127.0.0.1'],
    });
    if (rule) return { rule, port };
  }
  return null;
}

const redirectText = (rule: FirewallRule | undefined) => `${filterText(rule)}${rule?.to ? ` → ${rule.to}` : ''}`;

const redirected = sign(
  [
    (view) => {
      const found = wayRedirected(view);
      return `a rule of ${parts.hostOf(view, found?.seat ?? 'gw')} sends them elsewhere: ${redirectText(found?.rule)}`;
    },
    'no rule of either host sends such packets elsewhere',
  ],
  (view): Tri => {
    if (wayRedirected(view)) return 'yes';
    const known = (['gw', 'be'] as const).every((seat) => view.read('firewall.rules', seat).status === 'known');
    return known ? 'no' : 'unknown';
  },
);
const innerRedirected = sign(
  [
    (view) => `a rule sends them elsewhere: ${redirectText(innerRedirect(view)?.rule)}`,
    'no rule of the backend host sends them elsewhere',
  ],
  (view) => judge(view, ['firewall.rules', 'be'], () => innerRedirect(view) !== null),
);

/** What an access list or a limit of nginx says to one client says nothing about the gateway. */
const getsThrough = (seen: UpgradeObservation): boolean =>
  backend.upgraded(seen) || [403, 429, 503].includes(seen.status ?? 0);

/** The way of others is right: what fails is not behind it. */
const othersGetThrough = anyOf(
  'from elsewhere an upgrade is answered',
  sign(['an upgrade on the backend host is answered', 'an upgrade on the backend host gets no 101'], (view) =>
    judge(view, ['ws.upgrade', 'be', 'public'], getsThrough),
  ),
  sign(['an upgrade from here is answered', 'an upgrade from here gets no 101'], (view) =>
    judge(view, ['ws.upgrade', 'op', 'public'], getsThrough),
  ),
);

const gatewayLost = anyOf(
  (view) =>
    gateway.gatewayUpgrades.holds(view) === 'no' ? gateway.gatewayUpgrades.denial(view) : gateway.linkDown.claim(view),
  not(gateway.gatewayUpgrades),
  // A redirect of the agent's own packets leaves our dial alone.
  allOf(
    'only the agent is sent elsewhere',
    gateway.linkDown,
    sign(['the rule is for one user or unit', 'the rule is for everybody'], (view) =>
      wayRedirected(view)?.rule.owner === undefined ? 'no' : 'yes',
    ),
  ),
);

export const networkRuleCauses: readonly CauseRule[] = causesOf(
  { layer: 'network', hop: 'tcp', host: 'gw' },
  {
    'NET-19': {
      name: "egress rule for the agent's user",
      hop: 'gateway',
      title: (view) =>
        `a rule on ${parts.hostOf(view, 'gw')} stops the agent's own connections to port ${publicPort(view)}, and nobody else's`,
      necessary: [parts.runs(parts.gatewayPart), gateway.linkDown, agentStopped],
      signature: [gateway.gatewayUpgrades],
      forbids: [gateway.linkUp],
      lookalikes: { 'NET-06': gateway.gatewayUpgrades, 'SYS-21': agentStopped, 'SYS-31': agentStopped },
      predicts: linkGone,
      remedy: (view) =>
        remedy(
          'remove the rule, or accept the agent before it',
          on(
            view,
            'gw',
            ...removal(agentsOwnStop(view), `iptables -I OUTPUT -p tcp --dport ${publicPort(view)} -j ACCEPT`),
          ),
        ),
      help: `A packet filter can tell packets by the user or the control group that sends them (-m owner --uid-owner, meta skuid, socket cgroupv2). Everything you try on the host works, because you try it as another user; only the agent is cut off.`,
    },
    'NET-20': {
      name: 'connection redirected',
      leadsAway: true,
      title: (view) => {
        const found = wayRedirected(view);
        return `connections from ${parts.hostOf(view, 'gw')} to port ${publicPort(view)} are sent to ${found?.rule.to || 'another place'} by a rule of ${parts.hostOf(view, found?.seat ?? 'gw')}`;
      },
      necessary: [gatewayLost, redirected, othersGetThrough],
      lookalikes: { 'NET-14': othersGetThrough, 'NET-05': redirected, 'NET-06': redirected, 'SYS-21': redirected },
      predicts: [
        ...linkGone,
        'network.public.connects',
        'network.tls.verifies',
        'network.agents.upgrades',
        'agents.canary.returns',
      ],
      remedy: (view) => {
        const found = wayRedirected(view);
        const port = publicPort(view);
        return remedy(
          'remove the rule, or exempt the backend',
          on(view, found?.seat ?? 'gw', ...removal(found?.rule ?? null, `iptables -t nat -S | grep ${port}`)),
        );
      },
      help: `A rule of the nat table (DNAT, REDIRECT) changes where a connection goes before it leaves the gateway's host, or when it reaches the backend's. The name and the address look right everywhere, and what answers, or refuses, is another program. Whatever is seen behind it (another certificate, another status) comes from that program.`,
    },
    'NET-21': {
      name: 'connection redirected on the backend host',
      host: 'be',
      hop: 'ws-port',
      leadsAway: true,
      title: (view) => {
        const found = innerRedirect(view);
        return `connections to port ${found?.port ?? view.topology.backend.agentsPort} of the backend are sent to ${found?.rule.to || 'another place'} by a rule of ${parts.hostOf(view, 'be')}`;
      },
      necessary: [
        parts.runs(parts.backendPart),
        innerRedirected,
        sign(
          [
            (view) => `port ${innerRedirect(view)?.port ?? ''} itself has a LISTEN row`,
            (view) => `port ${innerRedirect(view)?.port ?? ''} itself has no LISTEN row`,
          ],
          (view) =>
            judge(view, ['tcp.listeners', backend.backendSeat(view)], (rows): Tri => {
              const port = innerRedirect(view)?.port;
              if (port === undefined) return 'unknown';
              return rows.some((row) => row.port === port) ? 'yes' : 'no';
            }),
        ),
      ],
      forbids: [nginx.publicUpgrades],
      lookalikes: { 'NET-08': innerRedirected, 'BE-01': innerRedirected },
      predicts: [
        'backend.agents.upgrades',
        'backend.health.good',
        'backend.api.answers',
        'nginx.agents.upgrades',
        'nginx.api.answers',
      ],
      remedy: (view) =>
        remedy(
          'remove the rule, or exempt loopback',
          on(view, 'be', ...removal(innerRedirect(view)?.rule ?? null, 'iptables -t nat -S OUTPUT')),
        ),
      help: `A rule of the nat table (DNAT, REDIRECT in OUTPUT) changes where the backend host's own connections go: the port that nginx dials is open, with the backend behind it, and another one is reached.`,
    },
  },
);
