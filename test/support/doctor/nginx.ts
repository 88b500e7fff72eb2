// Cases of nginx: what its configuration does, and how it runs.
import type { Case } from './case.ts';
import { apiThroughNginx, directGets, offline, publicGets } from './case.ts';
import { backendContainer, healthy, healthyDocker, nginxContainer } from './healthy.ts';
import * as w from './world.ts';

/** A changed site, loaded (its mtime is older than the workers), with what the upgrade then gets. */
export function site(change: (text: string) => string, status: number, world: w.World = healthy()): w.World {
  world.put('nginx.files', 'be', '', w.nginxSite(change(w.goodServer), Date.UTC(2026, 10, 1)));
  return offline(publicGets(world, w.answered(status)));
}

export const withoutWsLocation = (text: string): string => text.replace(/ {4}location \/ws\/ \{[^}]*\}\n/, '');
const swap = (from: string | RegExp, to: string) => (text: string) => text.replace(from, to);

/** nginx ended and its port is closed. */
function nginxDown(world: w.World, unit: Partial<ReturnType<typeof w.unit>>): w.World {
  world.put('unit.state', 'be', 'nginx', w.unit('nginx.service', unit));
  world.put('nginx.processes', 'be', '', { version: '1.22.1', masterPid: null, masterStartedAtMs: null, workers: [] });
  world.put('tcp.listeners', 'be', '', [w.sshd, w.listener(8080, w.backendUnit), w.listener(8081, w.backendUnit)]);
  return unreachable(world);
}

function unreachable(world: w.World): w.World {
  for (const seat of ['op', 'be', w.gw] as const) {
    world.put('tcp.connect', seat, 'public', { address: '192.0.2.10', port: 443, outcome: 'refused', milliseconds: 1 });
    world.put(
      'tls.certificate',
      seat,
      'public',
      w.certificate({ handshake: 'failed', error: 'ECONNREFUSED', chain: [], verification: '' }),
    );
    if (seat !== 'op')
      world.put('http.response', seat, 'public-api', {
        url: '',
        outcome: 'refused',
        status: null,
        headers: {},
        body: '',
        milliseconds: 1,
      });
  }
  return offline(publicGets(world, w.refused));
}

const emergency = (line: string, world: w.World): w.World =>
  world.put('log.tail', 'be', 'nginx-error', w.log(line)).put('nginx.test', 'be', '', {
    ok: false,
    output: `nginx: ${line.replace(/^.*?(\[emerg\])/, '$1')}\nnginx: test failed`,
  });

const notFound =
  '2026/11/20 03:00:00 [emerg] 77#77: host not found in upstream "viworks-backend-agent-new" in /etc/nginx/sites-enabled/agents.conf:9';

export const nginxCases: readonly Case[] = [
  {
    name: 'NGX-01 routed to the API port',
    causes: ['NGX-01'],
    proven: true,
    world: () => site(withoutWsLocation, 404),
  },
  {
    name: 'NGX-02 no upgrade headers',
    causes: ['NGX-02'],
    proven: true,
    world: () => site((text) => text.replace(/.*proxy_set_header (Upgrade|Connection).*\n/g, ''), 426),
  },
  {
    name: 'NGX-03 only Connection missing',
    causes: ['NGX-03'],
    proven: true,
    world: () => site(swap(/.*proxy_set_header Connection.*\n/, ''), 404),
  },
  {
    name: 'NGX-04 inverted map',
    causes: ['NGX-04'],
    proven: true,
    world: () =>
      site((text) => text.replace('default upgrade', 'default close').replace("''      close", "''      upgrade"), 426),
  },
  {
    name: 'NGX-05 wrong variable',
    causes: ['NGX-05'],
    proven: true,
    world: () => site(swap('Upgrade $http_upgrade', 'Upgrade $connection_upgrade'), 400),
  },
  {
    name: 'NGX-07 trailing slash',
    causes: ['NGX-07'],
    proven: true,
    world: () => site(swap('127.0.0.1:8081;', '127.0.0.1:8081/;'), 400),
  },
  {
    name: 'NGX-09 the name is claimed twice',
    causes: ['NGX-09'],
    proven: true,
    world: () =>
      site(
        (text) => `server { listen 443 ssl; server_name agents.example.test; location / { root /var/www; } }\n${text}`,
        404,
      ),
  },
  {
    name: 'NGX-10 denied',
    causes: ['NGX-10'],
    proven: true,
    world: () => site(swap('location /ws/ {', 'location /ws/ { deny all;'), 403),
  },
  {
    name: 'NGX-11 limited',
    causes: ['NGX-11'],
    proven: true,
    world: () =>
      site(swap('location /ws/ {', 'location /ws/ { limit_conn perip 1;'), 503).put(
        'log.tail',
        'be',
        'nginx-error',
        w.log('[error] 5#5: *9 limiting connections by zone "perip"'),
      ),
  },
  {
    name: 'NGX-16 short read timeout (latent)',
    causes: [],
    latent: ['NGX-16'],
    world: () =>
      healthy().put(
        'nginx.files',
        'be',
        '',
        w.nginxSite(w.goodServer.replace('proxy_read_timeout 3600s', 'proxy_read_timeout 15s')),
      ),
  },
  {
    name: 'NGX-19 to itself',
    causes: ['NGX-19'],
    world: () => site(swap('http://127.0.0.1:8081', 'https://127.0.0.1:443'), 502),
  },
  {
    name: 'NGX-20 password',
    causes: ['NGX-20'],
    proven: true,
    world: () => site(swap('location /ws/ {', 'location /ws/ { auth_basic "staff";'), 401),
  },
  {
    name: 'NGX-21 unresolvable variable',
    causes: ['NGX-21'],
    world: () =>
      site(
        (text) =>
          text.replace('proxy_pass http://127.0.0.1:8081', 'set $up backend.internal; proxy_pass http://$up:8081'),
        502,
      ).put(
        'log.tail',
        'be',
        'nginx-error',
        w.log('[error] 5#5: *9 backend.internal could not be resolved (110: Operation timed out)'),
      ),
  },
  {
    name: 'NGX-22 everything to the WebSocket port',
    causes: ['NGX-22'],
    proven: true,
    world: () => {
      const world = healthy().put(
        'nginx.files',
        'be',
        '',
        w.nginxSite(w.goodServer.replace(':8080', ':8081'), Date.UTC(2026, 10, 1)),
      );
      return apiThroughNginx(apiThroughNginx(world, w.gw, 426), 'be', 426);
    },
  },
  {
    name: 'NGX-22 where the WebSocket port answers 404',
    causes: ['NGX-22'],
    proven: true,
    world: () => {
      const world = healthy().put(
        'nginx.files',
        'be',
        '',
        w.nginxSite(w.goodServer.replace(':8080', ':8081'), Date.UTC(2026, 10, 1)),
      );
      return apiThroughNginx(apiThroughNginx(world, w.gw, 404), 'be', 404);
    },
  },
  {
    name: 'trap: nginx has no page /health and that is meant so',
    causes: [],
    world: () => apiThroughNginx(apiThroughNginx(healthy(), w.gw, 404), 'be', 404),
  },
  { name: 'NGX-23 wrong port', causes: ['NGX-23'], proven: true, world: () => site(swap(':8081', ':8018'), 502) },
  {
    name: 'NGX-24 the server does not serve the path',
    causes: ['NGX-24'],
    proven: true,
    world: () => {
      const world = offline(publicGets(healthy(), w.answered(404)));
      world.put('ws.upgrade', 'be', 'direct', w.upgrade({ ...w.direct, ...w.answered(404) }));
      return world.put(
        'ws.upgrade',
        'be',
        'direct-root',
        w.upgrade({ ...w.direct, path: '/', challenged: null, hello: 'not-sent' }),
      );
    },
  },
  {
    name: 'NGR-01 corrected, not reloaded',
    causes: ['NGR-01'],
    proven: true,
    world: () =>
      offline(
        publicGets(
          healthy().put('nginx.files', 'be', '', w.nginxSite(w.goodServer, Date.UTC(2026, 10, 20, 3))),
          w.answered(404),
        ),
      ),
  },
  {
    name: 'NGR-02 broken file, old workers (latent)',
    causes: [],
    latent: ['NGR-02'],
    world: () =>
      healthy().put('nginx.test', 'be', '', {
        ok: false,
        output: 'nginx: [emerg] unknown directive "prox" in /etc/nginx/sites-enabled/agents.conf:3',
      }),
  },
  {
    name: 'NGR-03 broken and restarted',
    causes: ['NGR-03'],
    proven: true,
    world: () =>
      emergency(
        '2026/11/20 03:00:00 [emerg] 77#77: unknown directive "prox" in /etc/nginx/sites-enabled/agents.conf:3',
        nginxDown(healthy(), w.failed),
      ),
  },
  {
    name: 'NGR-04 key mismatch',
    causes: ['NGR-04'],
    proven: true,
    world: () =>
      emergency(
        '[emerg] 7#7: SSL_CTX_use_PrivateKey("/etc/k.pem") failed (SSL: error:05800074:x509 certificate routines::key values mismatch)',
        nginxDown(healthy(), w.failed),
      ),
  },
  {
    name: 'NGR-05 upstream name at start',
    causes: ['NGR-05'],
    proven: true,
    world: () => emergency(notFound, nginxDown(healthy(), w.failed)),
  },
  {
    name: 'NGR-05 in a container',
    causes: ['NGR-05'],
    proven: true,
    world: () => {
      const world = unreachable(healthyDocker());
      world.put('docker.containers', 'be', '', [
        backendContainer,
        { ...nginxContainer, state: 'restarting', exitCode: 1, pid: null },
      ]);
      world.put('nginx.processes', 'be', '', { version: null, masterPid: null, masterStartedAtMs: null, workers: [] });
      world.put('tcp.listeners', 'be', '', [
        w.sshd,
        w.listener(8080, 'docker.service', { process: 'docker-proxy' }),
        w.listener(8081, 'docker.service', { process: 'docker-proxy' }),
      ]);
      world.write('nginx.test', 'be', '', { status: 'unknown', reason: 'not-run', detail: 'container is down' });
      return world.put('log.tail', 'be', 'nginx', { ...w.log(notFound), source: 'docker' });
    },
  },
  {
    name: 'NET-15 another server on 443; the failed start of nginx follows from it',
    causes: ['NET-15'],
    whenBlind: ['NGR-07'],
    world: () => {
      const world = emergency(
        '[emerg] 77#77: bind() to 0.0.0.0:443 failed (98: Address already in use)',
        nginxDown(healthy(), w.failed),
      );
      return world.put('tcp.listeners', 'be', '', [
        w.sshd,
        w.listener(8080, w.backendUnit),
        w.listener(8081, w.backendUnit),
        w.listener(443, 'caddy.service', { process: 'caddy' }),
      ]);
    },
  },
  {
    name: 'NGR-07 the port is taken by somebody invisible',
    causes: ['NGR-07'],
    world: () => {
      const world = emergency(
        '[emerg] 77#77: bind() to 0.0.0.0:443 failed (98: Address already in use)',
        nginxDown(healthy(), w.failed),
      );
      const hidden = { process: null, unit: null, pid: null, ownership: 'unknown' } as const;
      return world.put('tcp.listeners', 'be', '', [
        w.sshd,
        w.listener(8080, w.backendUnit),
        w.listener(8081, w.backendUnit),
        w.listener(443, null, hidden),
      ]);
    },
  },
  {
    name: 'NGR-10 worker_connections',
    causes: ['NGR-10'],
    proven: true,
    world: () =>
      offline(publicGets(healthy(), { ...w.nothing, reached: 'tcp', ended: 'reset' })).put(
        'log.tail',
        'be',
        'nginx-error',
        w.log('[alert] 5#5: 10 worker_connections are not enough'),
      ),
  },
  { name: 'NET-14 nginx stopped', causes: ['NET-14'], proven: true, world: () => nginxDown(healthy(), w.stopped) },
  {
    name: 'NGX-01 with nginx and backend in containers',
    causes: ['NGX-01'],
    proven: true,
    world: () => {
      const world = healthyDocker().put(
        'nginx.files',
        'be',
        '',
        w.nginxSite(withoutWsLocation(w.goodServer).replaceAll('127.0.0.1', 'viworks-backend'), Date.UTC(2026, 10, 1)),
      );
      return offline(publicGets(world, w.answered(404)));
    },
  },
  {
    name: 'NGX-07 is not blamed where the path is rewritten on purpose and it works',
    causes: [],
    world: () =>
      directGets(
        healthy().put(
          'nginx.files',
          'be',
          '',
          w.nginxSite(w.goodServer.replace('127.0.0.1:8081;', '127.0.0.1:8081/;')),
        ),
        {},
      ),
  },
];
