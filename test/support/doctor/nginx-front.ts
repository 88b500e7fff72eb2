// Cases of what stands in front of the route or beside it: names, the PROXY protocol, sub-requests, proxy_bind, upstreams of several servers.
import { type Case, offline, publicGets } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

/** Long ago, so that the workers run what is on disk. */
const longAgo = Date.UTC(2026, 10, 1);

function site(edit: (text: string) => string): w.World {
  return healthy().put('nginx.files', 'be', '', w.nginxSite(edit(w.goodServer), longAgo));
}

const inWs = (line: string) => (text: string) => text.replace('location /ws/ {', `location /ws/ {\n        ${line}`);
const misnamed = (text: string) => text.replace('server_name agents.example.test', 'server_name agent.example.test');
const says = (world: w.World, line: string) =>
  world.put('log.tail', 'be', 'nginx-error', w.log(`2026/11/20 03:00:00 [error] 77#77: *1 ${line}`));

function handshake(error: string, world: w.World): w.World {
  offline(publicGets(world, { ...w.nothing, reached: 'tcp', ended: 'tls-error', tlsError: error }));
  for (const seat of ['op', 'be', w.gw] as const) {
    const seen = { handshake: 'failed', error, chain: [], protocol: null, verification: '' } as const;
    world.put('tls.certificate', seat, 'public', w.certificate(seen));
  }
  return world;
}

const rejects = '\nserver { listen 443 ssl default_server; server_name _; ssl_reject_handshake on; }\n';
const stranger =
  '\nserver { listen 443 ssl default_server; server_name shop.example.test; location / { return 404; } }\n';

export const nginxFrontCases: readonly Case[] = [
  {
    name: 'NGX-30 a slip in server_name, and a default block that refuses handshakes',
    causes: ['NGX-30'],
    proven: true,
    world: () =>
      handshake(
        'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
        site((text) => misnamed(text) + rejects),
      ),
  },
  {
    name: 'NGX-30 a slip in server_name, and a shop that answers 404 instead',
    causes: ['NGX-30'],
    proven: true,
    world: () =>
      offline(
        publicGets(
          site((text) => misnamed(text) + stranger),
          w.answered(404),
        ),
      ),
  },
  {
    name: 'NGX-30 the shop has a certificate of its own',
    causes: ['NGX-30'],
    whenBlind: ['TLS-03'],
    proven: true,
    world: () => {
      const world = offline(
        publicGets(
          site((text) => misnamed(text) + stranger),
          w.answered(404),
        ),
      );
      for (const seat of ['op', 'be', w.gw] as const)
        world.put('tls.certificate', seat, 'public', w.certificate({ verification: 'ERR_TLS_CERT_ALTNAME_INVALID' }));
      return world;
    },
  },
  {
    name: 'NGX-31 the listener expects the PROXY protocol',
    causes: ['NGX-31'],
    proven: true,
    world: () =>
      says(
        handshake(
          'ECONNRESET',
          site((text) => text.replace('listen 443 ssl', 'listen 443 ssl proxy_protocol')),
        ),
        'broken header: "…" while reading PROXY protocol, client: 192.0.2.20, server: 0.0.0.0:443',
      ),
  },
  {
    name: 'NGX-31 another block says so',
    causes: ['NGX-31'],
    world: () =>
      handshake(
        'ECONNRESET',
        site((text) => `${text}\nserver { listen 443 ssl proxy_protocol; server_name b.test; }\n`),
      ),
  },
  {
    name: 'NGX-32 auth_request to a service that is down',
    causes: ['NGX-32'],
    proven: true,
    world: () =>
      offline(
        publicGets(
          site((text) =>
            inWs('auth_request /auth;')(text).replace(
              'location / {',
              'location = /auth { internal; proxy_pass http://127.0.0.1:9000; }\n    location / {',
            ),
          ),
          w.answered(500),
        ),
      ),
  },
  {
    name: 'NGX-32 auth_request for the whole server, answered by nginx itself',
    causes: ['NGX-32'],
    proven: true,
    world: () =>
      offline(
        publicGets(
          site((text) =>
            text.replace(
              'location /ws/ {',
              'auth_request /auth;\n    location = /auth { return 503; }\n    location /ws/ {',
            ),
          ),
          w.answered(500),
        ),
      ),
  },
  {
    name: 'NGX-33 proxy_bind to an address of somebody else',
    causes: ['NGX-33'],
    proven: true,
    world: () =>
      says(
        offline(publicGets(site(inWs('proxy_bind 192.0.2.99;')), w.answered(500))),
        'bind(192.0.2.99) failed (99: Cannot assign requested address) while connecting to upstream, client: 192.0.2.20',
      ),
  },
  {
    name: 'NGX-34 one server of the upstream is the HTTP port',
    causes: ['NGX-34'],
    proven: true,
    world: () =>
      offline(
        publicGets(
          site(
            (text) =>
              `upstream agents { server 127.0.0.1:8081; server 127.0.0.1:8080; }\n${text.replace('proxy_pass http://127.0.0.1:8081', 'proxy_pass http://agents')}`,
          ),
          w.answered(404),
        ),
      ),
  },
  {
    name: 'NGX-34 latent: every dial met the right server',
    causes: [],
    latent: ['NGX-34'],
    world: () =>
      site(
        (text) =>
          `upstream agents { server 127.0.0.1:8081; server 127.0.0.1:8080; }\n${text.replace('proxy_pass http://127.0.0.1:8081', 'proxy_pass http://agents')}`,
      ),
  },
  {
    name: 'NGX-13 the backend refuses the Host of the upstream',
    causes: ['NGX-13'],
    proven: true,
    world: () =>
      offline(
        publicGets(
          site((text) => text.replace(/( {4}location \/ws\/ \{[^}]*)proxy_set_header Host \$host;\n/, '$1\n')),
          { ...w.answered(403), body: 'this host is not allowed' },
        ),
      ),
  },
  {
    name: 'NGX-26 a rule about the User-Agent refuses the agents',
    causes: ['NGX-26'],
    proven: true,
    world: () => {
      const rule = 'if ($http_user_agent !~ Mozilla) { return 403; }';
      const world = publicGets(site(inWs(rule)), w.answered(403));
      offline(world).put('gateway.health', w.gw, '', {
        status: 503,
        healthy: false,
        link: 'down',
        launcher: 'up',
        version: '0.1.0',
      });
      return world;
    },
  },
];
