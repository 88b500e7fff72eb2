// Cases of headers and limits of nginx: what it drops, what does not fit, what it keeps to itself, what it has too little of.
import { type Case, offline, publicGets } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

/** Long ago, so that the workers run what is on disk. */
const longAgo = Date.UTC(2026, 10, 1);

function site(edit: (text: string) => string): w.World {
  return healthy().put('nginx.files', 'be', '', w.nginxSite(edit(w.goodServer), longAgo));
}

const inWs = (line: string) => (text: string) => text.replace('location /ws/ {', `location /ws/ {\n        ${line}`);
const inServer = (line: string) => (text: string) => text.replace('location /ws/ {', `${line}\n    location /ws/ {`);
const onPath = (path = '/ws/agent') =>
  `client: 192.0.2.20, server: agents.example.test, request: "GET ${path} HTTP/1.1"`;

/** The error log after the dials: what was there before, and what they led to. */
export function nginxSays(world: w.World, of: { readonly before?: string; readonly late?: string }): w.World {
  const lines = [of.before, of.late].flatMap((text) => (text === undefined ? [] : w.log(text).lines));
  const marked = lines.map((line) => (line.text === of.late ? { ...line, late: true as const } : line));
  return world.put('log.tail', 'be', 'nginx-error', { ...w.log(), source: 'file', lines: marked, again: true });
}

const cut = { ...w.nothing, reached: 'tcp', ended: 'tls-error', tlsError: 'ECONNRESET' } as const;
const hangs = { ...w.nothing, reached: 'tcp', ended: 'timeout' } as const;

function handshakes(world: w.World, error: string): w.World {
  for (const seat of ['op', 'be', w.gw] as const) {
    const seen = { handshake: 'failed', error, chain: [], protocol: null, verification: '' } as const;
    world.put('tls.certificate', seat, 'public', w.certificate(seen));
  }
  return world;
}

const exhausted =
  '2026/11/20 03:12:06 [alert] 77#77: *1 6 worker_connections are not enough while connecting to upstream';
const noFiles = '2026/11/20 03:12:06 [crit] 77#77: accept4() failed (24: Too many open files)';
const respawn = '2026/11/20 03:00:00 [alert] 7#7: worker process 77 exited with fatal code 2 and cannot be respawned';
const underscore = `2026/11/20 03:12:06 [info] 77#77: *1 client sent invalid header line: "X_Agent_Token: [redacted]" while reading client request headers, `;
const tooLong = `2026/11/20 03:12:06 [info] 77#77: *1 client sent too long header line: "Authorization: [redacted]" while reading client request headers, `;

/** Only the agent is refused; our own dial, which sends less, comes in. */
function agentRefused(line: string, said: string): w.World {
  const world = offline(healthy()).put('log.tail', w.gw, 'gateway', w.log(said));
  return nginxSays(world, { before: line });
}

export const nginxHeaderCases: readonly Case[] = [
  {
    name: 'NGX-12 a header with an underscore',
    causes: ['NGX-12'],
    proven: true,
    world: () => agentRefused(underscore + onPath(), 'the upgrade was answered with HTTP 401'),
  },
  {
    name: 'NGX-14 our own dial does not fit either',
    causes: ['NGX-14'],
    proven: true,
    world: () =>
      offline(
        publicGets(site(inServer('large_client_header_buffers 2 512;')), {
          ...w.answered(400),
          body: '<center><h1>400 Bad Request</h1></center>\n<center>Request Header Or Cookie Too Large</center>\n<hr><center>nginx/1.22.1</center>',
        }),
      ),
  },
  {
    name: 'NGX-14 only the token of the agent does not fit',
    causes: ['NGX-14'],
    proven: true,
    world: () => agentRefused(tooLong + onPath(), 'the upgrade was answered with HTTP 400'),
  },
  {
    name: 'NGX-35 a TLS listener that offers h2 alone',
    causes: ['NGX-35'],
    proven: true,
    world: () => {
      const error = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
      return handshakes(offline(publicGets(healthy(), { ...cut, tlsError: error })), error);
    },
  },
  {
    name: 'NGX-36 the subprotocol is kept back',
    causes: ['NGX-36'],
    proven: true,
    world: () =>
      offline(
        publicGets(site(inWs('proxy_hide_header Sec-WebSocket-Protocol;')), { ended: 'no-subprotocol', failures: 1 }),
      ),
  },
  {
    name: 'NGX-36 the accept key is kept back, for the whole server',
    causes: ['NGX-36'],
    proven: true,
    world: () =>
      offline(
        publicGets(site(inServer('proxy_hide_header sec-websocket-accept;')), {
          ...{ reached: 'response', ended: 'bad-accept-key', acceptKeyOk: false, failures: 1 },
          ...{ challenged: null, hello: 'not-sent', refusalCode: null, closeCode: null },
        }),
      ),
  },
  {
    name: 'NGR-10 cut off, and its own words are of this dial',
    causes: ['NGR-10'],
    proven: true,
    world: () => nginxSays(handshakes(offline(publicGets(healthy(), cut)), 'ECONNRESET'), { late: exhausted }),
  },
  {
    name: 'NGR-10 reached on the way to the backend: 500',
    causes: ['NGR-10'],
    proven: true,
    world: () =>
      nginxSays(offline(publicGets(healthy(), { ...w.answered(500), body: '<hr><center>nginx</center>' })), {
        late: `${exhausted}, ${onPath()}`,
      }),
  },
  {
    name: 'NGR-11 no descriptor for another connection',
    causes: ['NGR-11'],
    proven: true,
    whenBlind: ['NET-05'],
    world: () => nginxSays(handshakes(offline(publicGets(healthy(), hangs)), 'ETIMEDOUT'), { late: noFiles }),
  },
  {
    name: 'NGR-13 the workers ended, the master holds the port',
    causes: ['NGR-13'],
    proven: true,
    world: () => {
      const processes = { version: '1.22.1', masterPid: 300, masterStartedAtMs: Date.UTC(2026, 10, 19), workers: [] };
      const world = handshakes(offline(publicGets(healthy(), hangs)), 'ETIMEDOUT');
      return nginxSays(world.put('nginx.processes', 'be', '', processes), { before: respawn });
    },
  },
  {
    name: 'trap: scanners send headers with underscores, and too long ones, to other paths',
    causes: [],
    world: () =>
      nginxSays(healthy(), { before: underscore + onPath('/wp-login.php'), late: tooLong + onPath('/phpmyadmin') }),
  },
  {
    name: 'trap: the workers had used up their connections an hour ago, and have some now',
    causes: [],
    world: () => nginxSays(healthy(), { before: exhausted }),
  },
  {
    name: 'trap: HTTP/2 beside HTTP/1.1, a hidden header that no agent looks for, small limits that suffice',
    causes: [],
    world: () =>
      site((text) =>
        inServer('large_client_header_buffers 2 1k; underscores_in_headers off; proxy_hide_header X-Powered-By;')(
          text.replace('listen 443 ssl', 'listen 443 ssl http2'),
        ),
      ),
  },
];
