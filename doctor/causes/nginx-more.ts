// More causes in nginx's configuration: limits, loops, swapped routes, and the backend's own route table, which looks like one of them.
import { MESSAGES } from '../../agents/gateway/messages.ts';
import { allOf, type CauseRule, causesOf, judge, sign, signs, type Tri, type View } from '../engine/index.ts';
import { gatewayComesIn, gatewayGets } from './nginx-answers.ts';
import { ifVisible, nginxCommand, on, remedy } from './texts.ts';

const { backend, gateway, logs, nginx } = signs;
const agentsPort = (view: View) => view.topology.backend.agentsPort;
const errorLog = { seat: 'be', part: 'nginx-error' } as const;
const predicts = ['nginx.agents.upgrades'];

const cutsIdle = nginx.routeIs(
  (route, view) =>
    `nginx cuts an idle tunnel after ${route.readTimeoutSeconds ?? 60} s, and the next heartbeat comes after ${view.topology.backend.heartbeatSeconds} s`,
  (route, view) => (route.readTimeoutSeconds ?? 60) < view.topology.backend.heartbeatSeconds,
);
/** Its sessions open and are lost, again and again. */
const flaps = sign(
  ['the gateway loses one session after the other', 'the gateway does not lose one session after the other'],
  (view) =>
    judge(view, ['log.tail', 'gw', 'gateway'], (tail): Tri => {
      const lost = tail.lines.filter((line) => logs.spokenBy(line)?.event === MESSAGES.sessionLost.code).length;
      if (lost >= 2) return tail.sinceMs === null ? 'unknown' : 'yes';
      return tail.truncated ? 'unknown' : 'no';
    }),
);
const cutNow = allOf('tunnels are cut, and the link is down for it', cutsIdle, flaps, gateway.linkDown);

const longerTimeout = (view: View) =>
  remedy('set it well above the heartbeat', [
    'proxy_read_timeout 3600s;',
    'proxy_send_timeout 3600s;',
    ...on(view, 'be', nginxCommand(view, 'reload')),
  ]);

export const nginxMoreCauses: readonly CauseRule[] = causesOf(
  { layer: 'nginx', hop: 'route', host: 'be', predicts },
  {
    'NGX-11': {
      name: 'connection or request limit',
      title: 'a connection or request limit of nginx turns the agents away',
      necessary: [
        // How much of a limit another address has left says nothing about the gateway's.
        gatewayGets({ statuses: [503, 429], everybody: () => false }),
        nginx.routeIs(
          (route) =>
            `a limit applies to this route: ${route.access.find((item) => item.directive.startsWith('limit_'))?.text ?? ''}`,
          (route) => route.access.some((item) => item.directive === 'limit_conn' || item.directive === 'limit_req'),
        ),
        // Past nginx the same request is taken: so it is not the backend that is busy.
        backend.directUpgrades,
      ],
      // The log is read before our own requests are sent; only what the gateways met before stands in it.
      signature: [ifVisible(logs.logSays(errorLog, /limiting (connections|requests)/, "nginx's error log says"))],
      forbids: [gatewayComesIn],
      predicts: [...predicts, 'network.agents.upgrades'],
      remedy: (view) => remedy('raise the limit or exempt the route', on(view, 'be', nginxCommand(view, 'reload'))),
      help: `Every gateway behind one address counts together under limit_conn by address; each tunnel holds its place for as long as it lives.`,
    },
    'NGX-16': [
      {
        name: 'read timeout shorter than the heartbeat',
        title: "nginx cuts the agents' tunnels before their next heartbeat",
        necessary: [nginx.routeToAgents, cutsIdle, flaps, gateway.linkDown, gateway.gatewayUpgrades],
        lookalikes: { 'NET-12': ['a device on the way forgets idle flows', cutsIdle], 'SYS-21': flaps },
        predicts: ['agents.link.up', 'agents.registry.online', 'agents.canary.returns'],
        remedy: longerTimeout,
        help: `An idle tunnel is closed by nginx after exactly proxy_read_timeout (60 s unless set). Where the heartbeat is slower than that, every session ends after that time; nginx says so only at level info, and the agents see a closed connection. The network is fine: each new upgrade gets 101.`,
      },
      {
        name: 'read timeout too short',
        scope: 'latent',
        predicts: [],
        title: "nginx's read timeout is shorter than two heartbeats",
        necessary: [
          nginx.routeToAgents,
          nginx.routeIs(
            (route, view) =>
              `proxy_read_timeout is ${route.readTimeoutSeconds ?? 60} s${route.readTimeoutSeconds === null ? ' (the default)' : ''}, the heartbeat ${view.topology.backend.heartbeatSeconds} s`,
            (route, view) => (route.readTimeoutSeconds ?? 60) < 2 * view.topology.backend.heartbeatSeconds,
          ),
        ],
        forbids: [cutNow],
        remedy: longerTimeout,
        help: `An idle tunnel is closed by nginx after exactly proxy_read_timeout (60 s unless set). With a heartbeat above half of that, one late beat cuts the link; nginx says so only at level info.`,
      },
    ],
    'NGX-19': {
      name: 'proxy to itself',
      title: 'nginx sends the request to itself',
      necessary: [
        nginx.publicFails,
        nginx.routeIs(
          (route) => `the target is nginx's own port: ${nginx.routeText(route)}`,
          (route, view) =>
            route.action === 'proxy' &&
            nginx.targetsPort(route, view.topology.publicPort) &&
            (route.target?.addresses.every(
              (address) => /^(127\.|localhost$|::1$)/.test(address.host) || address.host === view.topology.serverName,
            ) ??
              false),
        ),
      ],
      remedy: (view) =>
        remedy('point it at the backend', [
          `proxy_pass http://127.0.0.1:${agentsPort(view)};`,
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `A proxy_pass to the own public port makes each request a chain of requests until worker_connections are used up. The count of connections is the consequence, not the cause.`,
    },
    'NGX-21': {
      name: 'upstream name behind a variable',
      title: 'nginx cannot resolve the upstream name that a variable holds',
      necessary: [
        nginx.publicStatus(502, 504),
        nginx.routeIs(
          (route) => `the target comes from a variable: ${route.target?.text ?? ''}`,
          (route) => route.target?.viaVariable === true,
        ),
        logs.logSays(errorLog, /could not be resolved|no resolver defined/, "nginx's error log says"),
      ],
      remedy: (view) =>
        remedy('name a resolver that answers, or a literal address', on(view, 'be', nginxCommand(view, 'reload'))),
      help: `With a variable in proxy_pass nginx resolves the name at run time through the resolver directive, not through /etc/hosts.`,
    },
    'NGX-22': {
      name: 'API routed to the WebSocket port',
      hop: 'api',
      title: 'nginx sends the HTTP API to the WebSocket port',
      necessary: [
        nginx.publicUpgrades,
        sign(['the API does not answer through nginx', 'the API answers through nginx'], (view) =>
          judge(
            view,
            ['http.response', 'be', 'public-api'],
            (seen) => seen.status === 426 || seen.status === 404 || seen.status === 400,
          ),
        ),
        sign(
          [
            (view) => `the API's route leads to port ${agentsPort(view)}`,
            (view) => `the API's route does not lead to port ${agentsPort(view)}`,
          ],
          (view) =>
            judge(
              view,
              ['nginx.route', 'be', 'api'],
              (route) => route.action === 'proxy' && nginx.targetsPort(route, agentsPort(view)),
            ),
        ),
      ],
      signature: [backend.apiAnswers],
      predicts: ['nginx.api.answers'],
      remedy: (view) =>
        remedy(
          `give the agents' path its own location and let location / go to port ${view.topology.backend.apiPort}`,
          on(view, 'be', nginxCommand(view, 'reload')),
        ),
      help: `The usual wrong fix of NGX-01: everything is sent to the WebSocket port. Agents connect, and the API is gone.`,
    },
    'NGX-24': {
      about: 'backend',
      name: 'path not served by the backend',
      layer: 'backend',
      hop: 'upgrade',
      title: (view) => `the backend's WebSocket server does not serve ${view.topology.path}`,
      necessary: [backend.directStatus, backend.directRootUpgrades],
      signature: [nginx.publicFails],
      forbids: [backend.directUpgrades],
      lookalikes: {
        'NGX-01': backend.directStatus,
        'CFG-04': backend.directStatus,
        'BE-01': backend.directRootUpgrades,
        'BE-02': backend.directRootUpgrades,
      },
      predicts: ['backend.agents.upgrades', 'nginx.agents.upgrades'],
      remedy: (view) =>
        remedy(`let the backend serve ${view.topology.path}; until then nginx can hand it the path that it knows`, [
          `location = ${view.topology.path} { proxy_pass http://127.0.0.1:${agentsPort(view)}/; … }`,
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `Asked on its own port, past nginx, the WebSocket server refuses the canonical path and takes /. nginx is innocent: it passes the path on unchanged. Told from NGX-01 and from a wrong path in the agent (CFG-04) by the direct dial.`,
    },
  },
);
