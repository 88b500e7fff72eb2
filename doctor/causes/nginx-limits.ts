// Causes where the right route has a limit on it: of connections, of requests, of the time that a tunnel may be silent.
import { MESSAGES } from '../../agents/gateway/messages.ts';
import { allOf, type CauseRule, causesOf, judge, sign, signs, type Tri, type View } from '../engine/index.ts';
import { gatewayComesIn, gatewayGets } from './nginx-answers.ts';
import { ifVisible, nginxCommand, on, remedy } from './texts.ts';

const { backend, gateway, logs, nginx } = signs;
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

export const nginxLimitCauses: readonly CauseRule[] = causesOf(
  { layer: 'nginx', hop: 'route', host: 'be', predicts, about: 'nginx' },
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
      signature: [ifVisible(logs.dialSays(/limiting (connections|requests)/))],
      forbids: [gatewayComesIn],
      predicts: [...predicts, 'network.agents.upgrades'],
      remedy: (view) => remedy('raise the limit or exempt the route', on(view, 'be', nginxCommand(view, 'reload'))),
      help: `With limit_conn by address, all gateways behind one address count together; each tunnel counts for as long as it is open.`,
    },
    'NGX-16': [
      {
        name: 'read timeout shorter than the heartbeat',
        title: "nginx cuts the agents' tunnels before their next heartbeat",
        necessary: [nginx.routeToAgents, cutsIdle, flaps, gateway.linkDown, gateway.gatewayUpgrades],
        lookalikes: { 'NET-12': ['a device on the way forgets idle flows', cutsIdle], 'SYS-21': flaps },
        predicts: ['agents.link.up', 'agents.registry.online', 'agents.canary.returns'],
        remedy: longerTimeout,
        help: `An idle tunnel is closed by nginx after exactly proxy_read_timeout (60 s unless set). Where the heartbeat is slower than that, every session ends after that time; nginx logs this only at level info, and the agents see a closed connection. The network is fine: each new upgrade gets 101.`,
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
        help: `An idle tunnel is closed by nginx after exactly proxy_read_timeout (60 s unless set). With a heartbeat above half of that, one late beat cuts the link; nginx logs this only at level info.`,
      },
    ],
  },
);
