// Cases of keys that someone else than the usual client looks at, and of the WebSocket protocol after its upgrade.
import { MESSAGES } from '../../../agents/gateway/messages.ts';
import { type Case, directGets, offline, publicGets } from './case.ts';
import { healthy } from './healthy.ts';
import { nginxSays } from './nginx-headers.ts';
import * as w from './world.ts';

const longAgo = Date.UTC(2026, 10, 1);

function site(line: string): w.World {
  const text = w.goodServer.replace('location /ws/ {', `${line}\n    location /ws/ {`);
  return healthy().put('nginx.files', 'be', '', w.nginxSite(text, longAgo));
}

const noneSent = {
  ...w.answered(400),
  body: '<center><h1>400 Bad Request</h1></center>\n<center>No required SSL certificate was sent</center>\n<hr><center>nginx</center>',
};
const demands = 'ssl_client_certificate /etc/ssl/clients.pem; ssl_verify_client on;';
const rejects = (reason: string, path = '/ws/agent') =>
  `2026/11/20 03:12:06 [info] 77#77: *1 client SSL certificate verify error: ${reason} while reading client request headers, client: 192.0.2.20, server: agents.example.test, request: "GET ${path} HTTP/1.1"`;
const gatewaySays = (world: w.World, ...lines: readonly string[]) =>
  world.put('log.tail', w.gw, 'gateway', w.log(...lines));
const lost = (fields: object) => w.said(MESSAGES.sessionLost, fields);
const emerg = (why: string) =>
  `2026/11/20 03:00:00 [emerg] 7#7: cannot load certificate key "/etc/ssl/private/renewed.key": BIO_new_file() failed (SSL: error:8000000D:system library::${why}:calling fopen(/etc/ssl/private/renewed.key, r))`;

export const protocolCases: readonly Case[] = [
  {
    name: 'TLS-07 the client certificate has expired',
    causes: ['TLS-07'],
    proven: true,
    whenBlind: ['TLS-06'],
    world: () =>
      nginxSays(offline(publicGets(site(demands), noneSent)), { before: rejects('(10:certificate has expired)') }),
  },
  {
    name: 'TLS-08 the client certificate is of another authority',
    causes: ['TLS-08'],
    proven: true,
    whenBlind: ['TLS-06'],
    world: () =>
      nginxSays(offline(publicGets(site(demands), noneSent)), {
        before: rejects('(20:unable to get local issuer certificate)'),
      }),
  },
  {
    name: 'TLS-06 none is sent, while a scanner elsewhere sends an expired one',
    causes: ['TLS-06'],
    world: () =>
      nginxSays(offline(publicGets(site(demands), noneSent)), {
        before: rejects('(10:certificate has expired)', '/wp-login.php'),
      }),
  },
  {
    name: 'TLS-09 the agent pins a key that was renewed',
    causes: ['TLS-09'],
    proven: true,
    world: () => gatewaySays(offline(healthy()), 'TLS: SPKI pin mismatch for agents.example.test'),
  },
  {
    name: 'TLS-12 the key belongs to another user (latent)',
    causes: [],
    latent: ['TLS-12'],
    world: () => nginxSays(healthy(), { before: emerg('Permission denied') }),
  },
  {
    name: 'TLS-12 the key is gone, and nginx -t says so (latent)',
    causes: [],
    latent: ['TLS-12'],
    world: () =>
      healthy().put('nginx.test', 'be', '', {
        ok: false,
        output: `${emerg('No such file or directory')}\nnginx: configuration file /etc/nginx/nginx.conf test failed`,
      }),
  },
  {
    name: 'WS-05 no pong comes',
    causes: ['WS-05'],
    world: () => {
      const line = 'closing gw-berlin-1: no pong within 30 s';
      return offline(healthy()).put('log.tail', 'be', 'backend', w.log(line, line));
    },
  },
  {
    name: 'WS-06 the backend finds a frame too big',
    causes: ['WS-06'],
    proven: true,
    world: () => gatewaySays(offline(healthy()), lost({ code: 1009 }), lost({ code: 1009 })),
  },
  {
    name: 'WS-06 the agent finds a frame too big',
    causes: ['WS-06'],
    proven: true,
    world: () => {
      const line = lost({ code: 1006, reason: 'Max payload size exceeded' });
      return gatewaySays(offline(healthy()), line, line);
    },
  },
  {
    name: 'trap: a backend that names no subprotocol, with an agent that wants none',
    causes: [],
    world: () => {
      const unnamed = { ended: 'no-subprotocol', failures: 1 } as const;
      return publicGets(directGets(healthy(), unnamed), unnamed);
    },
  },
  {
    name: 'WS-07 the backend does not name the subprotocol',
    causes: ['WS-07'],
    proven: true,
    world: () => {
      const unnamed = { ended: 'no-subprotocol', failures: 1 } as const;
      return offline(directGets(publicGets(healthy(), unnamed), unnamed));
    },
  },
  {
    name: 'trap: the frame was too big twice, and now its HELLO is refused: that is the cause',
    causes: ['WS-03'],
    world: () => {
      const hello = w.said(MESSAGES.gatewayRefused, { code: 4102, name: 'not_enrolled', reason: '', hint: '' });
      const world = offline(healthy(), { trying: false });
      return gatewaySays(world, lost({ code: 1009 }), lost({ code: 1009 }), hello);
    },
  },
  {
    name: 'trap: one session ended over a big frame last night, and the link is up',
    causes: [],
    world: () => gatewaySays(healthy(), lost({ code: 1009 }), w.said(MESSAGES.sessionOpen)),
  },
  {
    name: 'trap: the log of the agent speaks of its pins, and its link is up',
    causes: [],
    world: () => gatewaySays(healthy(), 'pinned key changed and was accepted: next pin of the set'),
  },
  {
    name: 'trap: clients with expired certificates knock, none is demanded of agents',
    causes: [],
    world: () =>
      nginxSays(site('ssl_verify_client optional_no_ca;'), {
        before: rejects('(10:certificate has expired)', '/shop'),
      }),
  },
];
