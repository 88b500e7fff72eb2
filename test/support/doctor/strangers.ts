// Somebody else answers where the backend or our server block ought to: a port, a name or a status is no proof of who gave it.
import { backendCases } from './backend.ts';
import { backendDown, type Case, directGets, offline, publicGets, worldOf } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

const changed = Date.UTC(2026, 10, 1);

/** A program of another kind on the agents port that takes every upgrade; the backend cannot start. */
function squatter(said: Partial<ReturnType<typeof w.upgrade>>): w.World {
  const world = worldOf(backendCases, 'BE-07');
  const own = { process: 'chat', uid: 1001, pid: 777 };
  world.put('tcp.listeners', 'be', '', [w.sshd, w.https, w.listener(8081, 'chat.service', own)]);
  const heard = { challenged: null, hello: 'not-sent', refusalCode: null, ...said } as const;
  return directGets(publicGets(world, heard), heard);
}

const stranger = `server { listen 443 ssl default_server; server_name shop.example.test; root /var/www/shop; }\n`;
const misnamed = w.goodServer.replace('server_name agents.example.test', 'server_name agent.example.test');

/** The name is misspelt in our block, and a shop is the default server. */
function shopAnswers(): w.World {
  const world = healthy().put('nginx.files', 'be', '', w.nginxSite(stranger + misnamed, changed));
  return offline(publicGets(world, { ...w.answered(404), body: '<hr><center>nginx/1.22.1</center>' }));
}

/** `nobody` holds ports of a backend that was stopped, and answers as the backend would begin to. */
function squatted(ports: readonly number[]): w.World {
  const world = backendDown(healthy()).put('unit.state', 'be', 'backend', w.unit(w.backendUnit, w.stopped));
  const nobody = { process: '/var/tmp/node', uid: 65534, pid: 4711 };
  world.put('tcp.listeners', 'be', '', [
    w.sshd,
    w.https,
    ...ports.map((port) => w.listener(port, 'session-4.scope', nobody)),
  ]);
  const answer = { url: '', outcome: 'response', status: 200, headers: {}, body: '{}', milliseconds: 1 } as const;
  world.put('http.response', 'be', 'api-health', answer);
  for (const key of ['registry.entry', 'canary'] as const) {
    world.write(key, 'op', w.gatewayId, {
      status: 'unknown',
      reason: 'peer-unproven',
      detail: 'the token was not sent',
    });
  }
  if (!ports.includes(8081)) return world;
  const challenge = {
    challenged: true,
    hello: 'silent',
    refusalCode: null,
    reached: 'challenge',
    ended: 'timeout',
  } as const;
  world.put('tcp.connect', 'be', 'agents', { address: '127.0.0.1', port: 8081, outcome: 'connected', milliseconds: 0 });
  return publicGets(directGets(world, challenge), challenge);
}

export const strangerCases: readonly Case[] = [
  {
    name: 'BE-07 a stranger on both ports that upgrades and sends a CHALLENGE, the backend stopped',
    causes: ['BE-07'],
    proven: true,
    world: () => squatted([8080, 8081]),
  },
  {
    name: 'BE-07 a stranger on the API port only',
    causes: ['BE-07'],
    proven: true,
    whenBlind: ['BE-05'],
    world: () => squatted([8080]),
  },
  {
    name: 'BE-07 a squatter that takes the upgrade and says nothing',
    causes: ['BE-07'],
    proven: true,
    world: () => squatter({ challenged: false }),
  },
  {
    name: 'BE-07 a squatter that takes the upgrade and answers pings',
    causes: ['BE-07'],
    proven: true,
    world: () => squatter({ pongReceived: true }),
  },
  {
    name: 'trap: the one block of the port has no name of its own, and answers for every name',
    causes: [],
    world: () =>
      healthy().put(
        'nginx.files',
        'be',
        '',
        w.nginxSite(w.goodServer.replace('server_name agents.example.test', 'server_name _')),
      ),
  },
];

/** Another block answers for our name: nothing that it says, from its certificate on, is a fault of ours. */
export const answeredByOthers: readonly (readonly [name: string, world: () => w.World])[] = [
  ['a shop answers 404', shopAnswers],
  [
    'a shop with a certificate of its own',
    () => {
      const world = shopAnswers();
      for (const seat of ['op', 'be', w.gw] as const)
        world.put('tls.certificate', seat, 'public', w.certificate({ verification: 'ERR_TLS_CERT_ALTNAME_INVALID' }));
      return world;
    },
  ],
  [
    'a shop with a certificate of another authority, which redirects',
    () => {
      const shop = stranger.replace('root /var/www/shop;', 'return 301 https://shop.example.test/;');
      const world = offline(publicGets(healthy(), w.answered(301)));
      world.put('nginx.files', 'be', '', w.nginxSite(shop + misnamed, changed));
      const verification = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
      return world.put('tls.certificate', w.gw, 'public', w.certificate({ verification }));
    },
  ],
];
