// Causes in nginx's configuration: it loads, and sends the agents' request the wrong way. Each needs the live probe of the hop to fail.
import { type CauseRule, causesOf, not, sign, signs, tri, type View } from '../engine/index.ts';
import { gatewayComesIn, gatewayGets } from './nginx-answers.ts';
import { agentsLocation, ifVisible, nginxCommand, on, remedy } from './texts.ts';

const { backend, nginx } = signs;
const agentsPort = (view: View) => view.topology.backend.agentsPort;
const apiPort = (view: View) => view.topology.backend.apiPort;
const predicts = ['nginx.agents.upgrades'];

/** Any answer but an upgrade; open while nginx answers 502 or 504, since then the backend hides it. */
const wrongAnswer = nginx.publicStatusUnlessDown(200, 301, 302, 307, 308, 400, 401, 403, 404, 405, 426, 500, 501);
const directWorks = ifVisible(backend.directUpgrades);

const toApi = nginx.routeIs(
  (route, view) =>
    `the configuration sends ${view.topology.path} to the API port ${apiPort(view)}: ${nginx.routeText(route)}`,
  (route, view) =>
    route.action === 'proxy' && apiPort(view) !== agentsPort(view) && nginx.targetsPort(route, apiPort(view)),
);
/** As separators: short, since the place is already named. */
const headersDoNotMatter = nginx.routeIs(
  (_route, view) => `the request never reaches port ${agentsPort(view)}, where headers would matter`,
  (route, view) => !nginx.targetsPort(route, agentsPort(view)),
);
const neverAsked = nginx.routeIs(
  () => `the WebSocket server is never asked; the answer is the API port's`,
  (route, view) => !nginx.targetsPort(route, agentsPort(view)),
);
const canonicalFails = sign(
  (view) => `the canonical path ${view.topology.path} itself fails`,
  (view) => nginx.publicFails.holds(view),
);
const pathKept = nginx.routeIs(
  (route) => `the path arrives unchanged (${route.target?.upstreamPath ?? ''})`,
  (route, view) => route.target?.upstreamPath === view.topology.path,
);
const bothHeaders = nginx.routeIs(
  () => 'both upgrade headers are forwarded',
  (route) => nginx.forwardsUpgrade(route) && nginx.forwardsConnection(route),
);

const noUpgrade = nginx.routeIs(
  (route) => `no Upgrade header is sent to the backend (${nginx.routeText(route)})`,
  (route) => route.upgradeHeader.value === null,
);

/** Its page for a refusal says "nginx"; any other text is of whoever stands behind it, or of an error_page. */
const othersWords = sign('the answer is in words that are not those of nginx', (view) => {
  const body = nginx.publicSeen(view)?.body ?? '';
  return body === '' ? 'unknown' : tri(!/<center>/.test(body));
});

const denied = gatewayGets({ statuses: [403], everybody: (route) => route.action === 'denied' });

export const nginxConfigCauses: readonly CauseRule[] = causesOf(
  { layer: 'nginx', hop: 'route', host: 'be', predicts, about: 'nginx' },
  {
    'NGX-01': {
      name: 'agents routed to the HTTP port',
      title: (view) => `nginx sends ${view.topology.path} to the HTTP port`,
      necessary: [nginx.publicFails, toApi],
      signature: [wrongAnswer],
      supports: [backend.directUpgrades],
      lookalikes: { 'NGX-02': headersDoNotMatter, 'NGX-24': neverAsked, 'CFG-04': canonicalFails },
      remedy: (view) =>
        remedy(
          `add a location for the agents' path, and keep location / as it is: sending it to ${agentsPort(view)} would break the API`,
          [...agentsLocation(view), ...on(view, 'be', nginxCommand(view, 'reload'))],
        ),
      help: `The agents' path has no location of its own, so location / sends it to the HTTP port, which has no such page and answers 404.
The 404 comes from a healthy backend: distinguished from missing headers (NGX-02, NGX-03) and from the backend's own route table (NGX-24) by the target port of the route.
Never "fix" it by moving location / to the WebSocket port; that breaks the API (NGX-22).`,
    },
    'NGX-02': {
      name: 'Upgrade header not forwarded',
      title: 'nginx does not forward the Upgrade header',
      necessary: [nginx.publicFails, nginx.routeToAgents, noUpgrade],
      signature: [wrongAnswer, directWorks],
      forbids: [backend.directStatus],
      lookalikes: { 'NGX-01': nginx.routeToAgents, 'NGX-24': directWorks },
      remedy: (view) =>
        remedy('forward both headers on this route', [
          ...agentsLocation(view),
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `Upgrade and Connection are hop-by-hop headers: nginx drops them unless it is configured to forward them. The backend then sees a plain GET and answers 426, or 404 where the WebSocket server shares an HTTP handler.
A location that sets any proxy_set_header of its own inherits none from the server block.`,
    },
    'NGX-03': {
      name: 'Connection header not forwarded',
      title: 'nginx forwards Upgrade without the Connection header',
      necessary: [
        nginx.publicFails,
        nginx.routeToAgents,
        nginx.routeIs(
          (route) =>
            `Upgrade is forwarded, Connection is ${route.connectionHeader.value ?? 'not set, so nginx sends "close"'}`,
          (route) =>
            nginx.forwardsUpgrade(route) &&
            !nginx.forwardsConnection(route) &&
            !route.connectionHeader.value?.startsWith('$'),
        ),
      ],
      signature: [wrongAnswer, directWorks],
      forbids: [backend.directStatus],
      lookalikes: {
        'NGX-01': nginx.routeToAgents,
        'NGX-02': nginx.routeIs(() => 'the Upgrade header is forwarded', nginx.forwardsUpgrade),
      },
      remedy: (view) =>
        remedy('set the Connection header too', [
          'proxy_set_header Connection $connection_upgrade;',
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `Upgrade alone is not an upgrade request: without "Connection: upgrade" the backend treats it as a plain GET. It looks exactly like NGX-01 (404) where the WebSocket server shares an HTTP handler; the target port of the route tells them apart.`,
    },
    'NGX-04': {
      name: 'map for Connection inverted',
      title: 'the map that makes the Connection header has its values the wrong way round',
      necessary: [
        nginx.publicFails,
        nginx.routeToAgents,
        nginx.routeIs(
          (route) =>
            `for an upgrade request ${route.connectionHeader.value ?? ''} evaluates to "${route.connectionHeader.sends ?? ''}" (${nginx.placeText(route.connectionHeader.place)})`,
          (route) =>
            nginx.forwardsUpgrade(route) &&
            route.connectionHeader.value?.startsWith('$') === true &&
            route.connectionHeader.sends !== null &&
            !nginx.forwardsConnection(route),
        ),
      ],
      signature: [wrongAnswer, directWorks],
      forbids: [backend.directStatus],
      lookalikes: {
        'NGX-03': nginx.routeIs(
          (route) => `Connection is set from ${route.connectionHeader.value ?? ''}`,
          (route) => route.connectionHeader.value !== null,
        ),
        'NGX-01': nginx.routeToAgents,
      },
      remedy: (view) =>
        remedy('correct the map', [
          'map $http_upgrade $connection_upgrade {',
          '    default upgrade;',
          "    ''      close;",
          '}',
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `The usual map gives "upgrade" when the client asked for one and "close" when it did not. With the two values swapped, or keyed on another variable, every real upgrade is sent with "close".`,
    },
    'NGX-05': {
      name: 'Upgrade filled from the wrong variable',
      title: 'nginx fills the Upgrade header from the wrong variable',
      necessary: [
        nginx.publicFails,
        nginx.routeToAgents,
        nginx.routeIs(
          (route) =>
            `Upgrade is set to ${route.upgradeHeader.value ?? ''}, which is "${route.upgradeHeader.sends ?? ''}" and not "websocket" (${nginx.placeText(route.upgradeHeader.place)})`,
          (route) =>
            route.upgradeHeader.value !== null && route.upgradeHeader.sends !== null && !nginx.forwardsUpgrade(route),
        ),
      ],
      signature: [wrongAnswer, directWorks],
      forbids: [backend.directStatus],
      lookalikes: {
        'NGX-02': nginx.routeIs(
          () => 'an Upgrade header is sent',
          (route) => route.upgradeHeader.value !== null,
        ),
        'NGX-07': pathKept,
      },
      remedy: (view) =>
        remedy("forward the client's own header", [
          'proxy_set_header Upgrade $http_upgrade;',
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `$connection_upgrade belongs in the Connection header; in Upgrade it says "upgrade", which no server accepts in place of "websocket": 400. Correct is proxy_set_header Upgrade $http_upgrade.`,
    },
    'NGX-07': {
      name: 'path rewritten by proxy_pass',
      title: 'nginx rewrites the path on its way to the backend',
      necessary: [
        nginx.publicFails,
        nginx.routeToAgents,
        nginx.routeIs(
          (route, view) =>
            `${view.topology.path} arrives as ${route.target?.upstreamPath ?? ''} (${nginx.placeText(route.target?.place ?? null)}  ${route.target?.text ?? ''})`,
          (route, view) =>
            route.target !== null &&
            route.target.upstreamPath !== '' &&
            route.target.upstreamPath !== view.topology.path,
        ),
      ],
      signature: [wrongAnswer, directWorks],
      lookalikes: { 'NGX-24': directWorks, 'NGX-02': bothHeaders, 'CFG-04': nginx.publicFails },
      remedy: (view) =>
        remedy(
          'remove what follows the port in proxy_pass: with any URI there, even "/", nginx replaces the location\'s prefix',
          [`proxy_pass http://127.0.0.1:${agentsPort(view)};`, ...on(view, 'be', nginxCommand(view, 'reload'))],
        ),
      help: `proxy_pass with a URI part (a trailing slash is one) replaces the part of the path that the location matched. The backend then is asked for a path that it does not serve: 400 or 404. The same upgrade sent straight to its port with the original path works.`,
    },
    'NGX-09': {
      name: 'server name claimed twice',
      hop: 'vhost',
      title: 'two server blocks claim the same name, and the wrong one wins',
      necessary: [
        nginx.publicFails,
        nginx.routeIs(
          (route) => route.advice.find((item) => item.rule === 'W16')?.text ?? 'a server name is claimed twice',
          (route) => route.advice.some((item) => item.rule === 'W16' && /twice/.test(item.text)),
        ),
        not((view) => `the block that wins does not lead to port ${agentsPort(view)}`, nginx.routeToAgents),
      ],
      signature: [wrongAnswer],
      lookalikes: { 'NGX-24': not('the winning block never reaches the agents port', nginx.routeToAgents) },
      remedy: (view) =>
        remedy(
          'remove or rename the server block that should not answer for this name',
          on(view, 'be', 'nginx -t', nginxCommand(view, 'reload')),
        ),
      help: `With two server blocks of the same name on the same port, nginx uses the first and says "conflicting server name … ignored" while loading. Files are read in alphabetical order.`,
    },
    'NGX-10': {
      name: 'access rule',
      title: 'an access rule of nginx refuses the agents',
      necessary: [
        denied,
        nginx.routeIs(
          (route) => {
            const rule = route.access.find((item) => item.directive === 'deny');
            return `this route has an access rule: ${nginx.placeText(rule ?? null)}  ${rule?.text ?? ''}`;
          },
          (route) =>
            route.access.some((item) => item.directive === 'deny') && !/^auth_/.test(route.answeredBy?.pattern ?? ''),
        ),
      ],
      signature: [directWorks],
      forbids: [gatewayComesIn, othersWords],
      lookalikes: { 'WS-03': ['the backend refuses the token', directWorks], 'NGX-01': denied },
      predicts: [...predicts, 'network.agents.upgrades'],
      remedy: (view) =>
        remedy("allow the gateways' addresses on this route", [
          'allow <address of the gateway>;',
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `nginx itself answers 403 ("access forbidden by rule"); the backend never sees the request. allow and deny are read in order, the first match decides, and a location with rules of its own inherits none.`,
    },
    'NGX-20': {
      name: "auth_basic on the agents' path",
      title: 'nginx asks the agents for a password (auth_basic)',
      necessary: [
        nginx.publicStatus(401),
        nginx.routeIs(
          (route) =>
            `auth_basic is on for this route (${nginx.placeText(route.access.find((item) => item.directive === 'auth_basic') ?? null)})`,
          (route) => route.access.some((item) => item.directive === 'auth_basic' && !/\boff\b/.test(item.text)),
        ),
      ],
      signature: [directWorks],
      remedy: (view) =>
        remedy('exempt the route', ['auth_basic off;', ...on(view, 'be', nginxCommand(view, 'reload'))]),
      help: `The 401 comes from nginx and carries WWW-Authenticate: Basic; the agents' own token is never checked.`,
    },
  },
);
