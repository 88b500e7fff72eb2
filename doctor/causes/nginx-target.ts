// Causes where the request reaches another target than the agents port: nginx itself, a name that does not resolve, ports that are swapped;
// and the backend's own route table, which looks like one of them.
import { type CauseRule, causesOf, judge, sign, signs, type View } from '../engine/index.ts';
import { nginxCommand, on, remedy } from './texts.ts';

const { backend, logs, nginx } = signs;
const agentsPort = (view: View) => view.topology.backend.agentsPort;
const errorLog = { seat: 'be', part: 'nginx-error' } as const;

export const nginxTargetCauses: readonly CauseRule[] = causesOf(
  { layer: 'nginx', hop: 'route', host: 'be', predicts: ['nginx.agents.upgrades'] },
  {
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
      help: `A proxy_pass to the public port of nginx itself turns each request into a chain of requests until worker_connections are used up. The count of connections is the consequence, not the cause.`,
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
        remedy(`let the backend serve ${view.topology.path}; until then nginx can request the path that it knows`, [
          `location = ${view.topology.path} { proxy_pass http://127.0.0.1:${agentsPort(view)}/; … }`,
          ...on(view, 'be', nginxCommand(view, 'reload')),
        ]),
      help: `Asked on its own port, bypassing nginx, the WebSocket server refuses the canonical path and takes /. nginx is not at fault: it forwards the path unchanged. Distinguished from NGX-01 and from a wrong path in the agent (CFG-04) by the direct dial.`,
    },
  },
);
