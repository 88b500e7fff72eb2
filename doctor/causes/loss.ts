// Causes in a way that loses packets: some, not all.
import { type CauseRow, type CauseRule, causesOf, judge, not, sign, signs, some, type View } from '../engine/index.ts';
import { on, remedy } from './texts.ts';

const { gateway, parts } = signs;
const port = (view: View) => view.topology.publicPort;

const rateText = (view: View) => {
  const seen = view.value('tcp.dials', 'gw', 'public');
  if (!seen) return `of several dials of port ${port(view)} all end alike`;
  const { attempts, late, lost } = seen;
  return `of ${attempts} dials of port ${port(view)} from ${parts.hostOf(view, 'gw')} ${attempts - late - lost} connect at once, ${late} late, ${lost} not at all`;
};

/** A dial that gets through at once shows that nothing is closed; several that do not are no accident. */
export const someLost = sign([rateText, rateText], (view) =>
  judge(
    view,
    ['tcp.dials', 'gw', 'public'],
    ({ attempts, late, lost }) => late + lost >= 2 && lost < attempts && late + lost < attempts,
  ),
);

/** Then the kernel of the backend host drops what does not fit into the queue, and the way is not at fault. */
const queueFull = sign(
  (view) => `connections wait in the accept queue of port ${port(view)}`,
  (view) =>
    judge(view, ['tcp.listeners', 'be'], (rows) => rows.some((row) => row.port === port(view) && row.recvQ > 0)),
);

const suffers = sign(['the gateway suffers from it now', 'nothing fails of it now'], (view) =>
  some([
    gateway.linkDown.holds(view),
    not(gateway.gatewayUpgrades).holds(view),
    view.gateway ? judge(view, ['canary', 'op', view.gateway.id], (seen) => seen.outcome !== 'ok') : 'no',
  ]),
);

const lossy = (
  more: Pick<CauseRow, 'scope' | 'necessary' | 'forbids'> & { readonly predicts: readonly string[] },
): CauseRow => ({
  name: 'packets lost on the way',
  title: (view) => `packets between ${parts.hostOf(view, 'gw')} and the backend are lost: ${rateText(view)}`,
  lookalikes: { 'NET-05': someLost },
  remedy: (view) =>
    remedy(
      'find the hop that loses them: a bad cable or radio link, a full line, a rule that drops at random or by rate',
      [
        ...on(
          view,
          'gw',
          `ping -c 50 -i 0.2 -q ${view.topology.backend.host.address}`,
          `mtr -rwc 50 -T -P ${port(view)} ${view.topology.serverName}`,
          "{ nft list ruleset || iptables-save; } | grep -nE 'statistic|random|limit'",
        ),
        ...on(view, 'be', "{ nft list ruleset || iptables-save; } | grep -nE 'statistic|random|limit'"),
      ],
    ),
  help: `Some packets get through and some do not: a dial that loses its first packet connects a second late, one that loses two does not connect in time. Links hold for a while and break, commands take seconds, and a single try may see anything. One dial that is lost is no filter (NET-05): of several, some connect at once.`,
  ...more,
});

/** One that the gateway cannot even try (no IPv6 on it) costs it nothing. */
const deadOf = (view: View) =>
  (view.value('tcp.addresses', 'gw', 'public') ?? []).filter(
    (one) => one.outcome === 'timeout' || one.outcome === 'refused',
  );
const goodOf = (view: View) =>
  (view.value('tcp.addresses', 'gw', 'public') ?? []).filter((one) => one.outcome === 'connected');
const deadText = (view: View) =>
  deadOf(view)
    .map((one) => `${one.address} (${one.outcome})`)
    .join(' and ');
const oneDead = sign(
  [
    (view) =>
      `${view.topology.serverName} has the addresses ${[...goodOf(view), ...deadOf(view)].map((one) => one.address).join(', ')}; ${deadText(view)} does not answer on port ${port(view)}, ${goodOf(view)[0]?.address ?? 'another'} does`,
    'every address of the name answers',
  ],
  (view) => judge(view, ['tcp.addresses', 'gw', 'public'], () => deadOf(view).length > 0 && goodOf(view).length > 0),
);

export const lossCauses: readonly CauseRule[] = causesOf(
  { layer: 'network', hop: 'tcp', host: 'gw' },
  {
    'NET-04': {
      name: 'one address of the name is dead',
      hop: 'dns',
      scope: 'latent',
      title: (view) => `an address of ${view.topology.serverName} leads nowhere: ${deadText(view)}`,
      necessary: [oneDead],
      // A way that loses packets makes any dial end like that.
      forbids: [someLost],
      remedy: (view) =>
        remedy('take the address out of the record (or of /etc/hosts), or let nginx listen on it', [
          ...on(
            view,
            'gw',
            `getent ahosts ${view.topology.serverName}`,
            `grep -n ${view.topology.serverName} /etc/hosts`,
          ),
          ...on(view, 'be', `ss -ltn | grep :${port(view)}`),
        ]),
      help: `A name with several addresses (A and AAAA, or several A) is dialled one after the other: as long as one of them answers, all works, only later by as long as the dead one is waited for. Programs that try the first address only fail. An AAAA record of a host on which nginx does not listen on [::] is the usual one.`,
    },
    'NET-11': [
      lossy({
        necessary: [someLost, suffers],
        forbids: [queueFull],
        predicts: [
          'network.public.connects',
          'network.tls.verifies',
          'network.agents.upgrades',
          'agents.link.up',
          'agents.link.steady',
          'agents.registry.online',
          'agents.canary.returns',
          'nginx.agents.upgrades',
          'nginx.api.answers',
        ],
      }),
      lossy({ scope: 'latent', necessary: [someLost], forbids: [queueFull, suffers], predicts: [] }),
    ],
  },
);
