// Causes in the one URL that a gateway dials: another path, another scheme, past nginx, or another place altogether.
import {
  allOf,
  anyOf,
  type CauseRow,
  type CauseRule,
  type Connection,
  causesOf,
  judge,
  not,
  type Sign,
  sign,
  signs,
  some,
  type Tri,
  tri,
  type View,
} from '../engine/index.ts';
import { gatewayUnit, on, remedy } from './texts.ts';

const { backend, gateway, logs, nginx, parts } = signs;
const predicts = ['gateway.process.running', 'agents.link.up'];

const config = (view: View) => view.value('agent.config', 'gw', 'gateway');
const configuredUrl = (view: View) => config(view)?.url ?? 'another URL';
const writeCanonical = (view: View) => {
  const place = config(view)?.urlPlace;
  const where = place ? ` (${config(view)?.path ?? ''}:${place.line})` : '';
  return remedy(`write the canonical URL${where}, and restart the agent`, [
    `${place?.key ?? 'url'} = "${view.topology.url}"`,
    ...on(view, 'gw', `systemctl restart ${gatewayUnit(view)}`),
  ]);
};
/** Who says what the URL ought to be: nobody wrote an inventory for an installation that was only typed. */
const meant = (view: View) =>
  view.topology.inferred.includes('kind') ? `meant is ${view.topology.url}` : `the inventory says ${view.topology.url}`;

const canonicalUpgrades = (claim: (path: string) => string): Sign =>
  anyOf((view) => claim(view.topology.path), gateway.gatewayUpgrades, nginx.publicUpgrades);

const scheme = sign(
  [
    (view) => `the configured URL is ${configuredUrl(view)}; ${meant(view)}`,
    (view) => `the configured URL is ${configuredUrl(view)}`,
  ],
  (view) =>
    judge(view, ['agent.config', 'gw', 'gateway'], (seen) => {
      if (!seen.url || !view.topology.url.startsWith('wss:') || seen.url.includes('${')) return 'no';
      return !seen.url.startsWith('wss:') && !bypasses(view, seen.url);
    }),
);

function bypasses(view: View, url: string): boolean {
  return url.startsWith('ws:') && new RegExp(`:${view.topology.backend.agentsPort}(/|$)`).test(url);
}

const bypass = sign(
  [
    (view) => `the gateway dials the backend's port directly: ${configuredUrl(view)}`,
    (view) => `the gateway dials ${configuredUrl(view)}, not the backend's own port`,
  ],
  (view) => judge(view, ['agent.config', 'gw', 'gateway'], (seen) => seen.url !== null && bypasses(view, seen.url)),
);
const bypassed = (scope: 'active' | 'latent'): CauseRow => ({
  name: 'nginx bypassed',
  scope,
  title: 'the gateway bypasses nginx and TLS',
  necessary: [bypass, scope === 'active' ? gateway.linkDown : not('and it is connected', gateway.linkDown)],
  predicts,
  remedy: writeCanonical,
  help: `The agent talks to the WebSocket port in plain text. It works only as long as that port is open; once the port is closed, as it should be, the agent is cut off. nginx and certificates play no part.`,
});

/** A complaint of the agent that is about nothing but its URL: then the URL's own cause says it, and says more. */
export const complainsOfUrlOnly: Sign = allOf(
  'the agent complains only about its URL',
  anyOf(
    ['the URL has the wrong scheme or bypasses nginx', 'the URL has the right scheme and goes through nginx'],
    scheme,
    bypass,
  ),
  sign(['it complains about no other key', 'it also complains about another key'], (view) =>
    judge(view, ['agent.config', 'gw', 'gateway'], (seen): Tri => {
      if (seen.error !== null) return 'no';
      const lines = view.value('log.tail', 'gw', 'gateway')?.lines ?? [];
      const keys = lines.flatMap(
        (line) => /\.(?:toml|ya?ml|json|conf):\d+:\d+\s+([\w.-]+):/.exec(line.text)?.[1] ?? [],
      );
      return keys.every((key) => key === (seen.urlPlace?.key ?? 'url')) && !spokeOfMissing(view) ? 'yes' : 'no';
    }),
  ),
);

function spokeOfMissing(view: View): boolean {
  return logs.lineOf(view, parts.gatewayPart, /missing (required )?(configuration |config )?(field|key)/i) !== null;
}

/** What a dial of the configured URL came to, from the gateway's own host. */
const configuredDial =
  (test: Parameters<typeof judgeAgentUrl>[1]): ((view: View) => Tri) =>
  (view) =>
    judgeAgentUrl(view, test);
function judgeAgentUrl(view: View, test: (seen: { reached: string; upgraded: boolean }) => boolean): Tri {
  return judge(view, ['ws.upgrade', 'gw', 'agent-url'], (seen) =>
    test({ reached: seen.reached, upgraded: backend.upgraded(seen) }),
  );
}
const dialText = (view: View): string => {
  const seen = view.value('ws.upgrade', 'gw', 'agent-url');
  if (!seen) return 'gets no 101';
  const name = view.value('ws.upgrade', 'gw', 'agent-url')?.tlsError;
  return `gets ${seen.status ?? name ?? (seen.ended === 'unreachable' ? 'nowhere (no such name, or no route)' : seen.ended)}`;
};
const configuredFails = sign(
  [
    (view) => `dialled from ${parts.hostOf(view, 'gw')}, that URL ${dialText(view)}`,
    (view) => `dialled from ${parts.hostOf(view, 'gw')}, that URL gets 101`,
  ],
  configuredDial((seen) => !seen.upgraded),
);
/** Live sockets to the configured port that certainly do not end at our public port: another name may well lead to the same nginx. */
function foreignLinks(view: View): readonly Connection[] {
  const own = gateway.configuredUrl(view);
  const known = [
    ...(view.value('host.addresses', 'be') ?? []),
    ...(view.value('dns.answer', 'gw')?.addresses ?? []),
    view.topology.backend.host.address,
  ];
  const isOurs = ({ remoteAddress, remotePort }: Connection): boolean =>
    known.includes(remoteAddress) && remotePort === view.topology.publicPort;
  const rows = view.value('tcp.connections', 'gw') ?? [];
  return rows.filter((row) => row.state === 'ESTABLISHED' && row.remotePort === own?.port && !isOurs(row));
}
const isAgents = (view: View, row: Connection): Tri => {
  const unit = view.gateway?.unit ?? null;
  return row.unit === null || unit === null ? 'unknown' : tri(row.unit === unit);
};
/** As long as our own addresses are not known, no socket is certainly another's. */
const heldElsewhere = (view: View): Tri =>
  judge(view, ['tcp.connections', 'gw'], (): Tri => {
    const held = some(foreignLinks(view).map((row) => isAgents(view, row)));
    const ours = [view.read('host.addresses', 'be'), view.read('dns.answer', 'gw')];
    return held === 'yes' && ours.some((reading) => reading.status !== 'known') ? 'unknown' : held;
  });
const foreignPlace = (view: View): string => {
  const row = foreignLinks(view).find((item) => isAgents(view, item) === 'yes');
  return row ? `${row.remoteAddress}:${row.remotePort}` : 'another place';
};
/** Another backend takes it in: the agent holds its link to another place than ours, and ours does not know of it. */
const connectedElsewhere = allOf(
  [
    (view) => `some backend answers at ${foreignPlace(view)}, and ours lists the gateway as absent`,
    'no other backend has accepted it',
  ],
  parts.runs(parts.gatewayPart),
  heldElsewhere,
  configuredDial((seen) => seen.upgraded),
  gateway.registryOffline,
);
/** The canonical place works from this very host, or at least gives an HTTP answer where the configured one gives none. */
const canonicalBetter = anyOf(
  [
    (view) => `${view.topology.url} can be reached from ${parts.hostOf(view, 'gw')}`,
    (view) => `${view.topology.url} cannot be reached from ${parts.hostOf(view, 'gw')} either`,
  ],
  gateway.gatewayUpgrades,
  allOf(
    'only the canonical place gives an HTTP answer',
    (view) => judge(view, ['ws.upgrade', 'gw', 'public'], (seen) => seen.status !== null),
    configuredDial((seen) => ['none', 'tcp', 'tls'].includes(seen.reached)),
  ),
);

export const gatewayUrlCauses: readonly CauseRule[] = causesOf(
  { layer: 'configuration', hop: 'gateway', host: 'gw', predicts: ['gateway.url.upgrades', 'agents.link.up'] },
  {
    'CFG-04': {
      name: "wrong path in the agent's configuration",
      title: (view) =>
        `the gateway is configured for ${gateway.configuredPath(view) === null ? 'another path' : `path ${gateway.configuredPath(view)}`} instead of ${view.topology.path}`,
      necessary: [
        gateway.configuredPathDiffers,
        sign(
          [
            (view) => `that path gets ${view.value('ws.upgrade', 'gw', 'public-agent-path')?.status ?? 'no 101'}`,
            'that path gets 101 too',
          ],
          (view) => judge(view, ['ws.upgrade', 'gw', 'public-agent-path'], (seen) => !backend.upgraded(seen)),
        ),
        canonicalUpgrades((path) => `${path} gets 101`),
      ],
      forbids: [gateway.linkUp, gateway.configuredOriginDiffers],
      lookalikes: {
        'NGX-01': canonicalUpgrades((path) => `nginx routes ${path} correctly: 101`),
        'NGX-24': canonicalUpgrades((path) => `the backend serves ${path}: 101`),
      },
      remedy: writeCanonical,
      help: `nginx and the backend serve the canonical path, but the agent asks for a different one (often /ws without the slash: a 301, or /agent: a 404). Fix the agent's URL, not nginx.`,
    },
    'CFG-05': {
      name: 'wrong URL scheme',
      title: "the gateway's URL has the wrong scheme",
      necessary: [scheme, gateway.linkDown],
      forbids: [gateway.linkUp],
      lookalikes: { 'TLS-03': scheme },
      predicts,
      remedy: writeCanonical,
      help: `ws:// to the TLS port gets a 400 from nginx ("plain HTTP request was sent to HTTPS port"); https:// is refused by the client. TLS itself is fine.`,
    },
    'CFG-06': [bypassed('active'), bypassed('latent')],
    'CFG-11': {
      name: 'URL of another host or port',
      title: (view) => `the gateway dials ${configuredUrl(view)}; ${meant(view)}`,
      necessary: [
        gateway.configuredOriginDiffers,
        gateway.linkDown,
        anyOf(
          (view) =>
            connectedElsewhere.holds(view) === 'yes' ? connectedElsewhere.claim(view) : configuredFails.claim(view),
          configuredFails,
          connectedElsewhere,
        ),
        canonicalBetter,
      ],
      forbids: [gateway.linkUp],
      lookalikes: {
        'NET-03': gateway.nameRight,
        'CFG-04': gateway.configuredOriginDiffers,
        'NET-05': gateway.publicDial('gw', 'connected'),
      },
      remedy: writeCanonical,
      help: `The agent's URL names a different host or port than the installation uses. What it finds there (no such name, a closed port, a certificate for another name, another backend) is only a consequence.
Distinguished from a name that does not resolve (NET-03) and from a filter (NET-05) by the canonical URL, which can be reached from the same host; from a wrong path alone (CFG-04) by host and port.`,
    },
  },
);
