// Cases of nginx where the request never reaches the right door, and of TLS that cannot even begin.
import { MESSAGES } from '../../../agents/gateway/messages.ts';
import { type Case, offline, publicGets } from './case.ts';
import { healthy } from './healthy.ts';
import * as w from './world.ts';

/** Long ago, so that the workers run what is on disk. */
const longAgo = Date.UTC(2026, 10, 1);

function site(edit: (text: string) => string): w.World {
  return healthy().put('nginx.files', 'be', '', w.nginxSite(edit(w.goodServer), longAgo));
}

const inWs = (line: string) => (text: string) => text.replace('location /ws/ {', `location /ws/ {\n        ${line}`);

/** No server on 443: refused from everywhere, while nginx runs. */
function nobodyListens(edit: (text: string) => string): w.World {
  const world = offline(publicGets(site(edit), w.refused));
  world.put('tcp.listeners', 'be', '', [w.sshd, w.listener(8080, w.backendUnit), w.listener(8081, w.backendUnit)]);
  for (const seat of ['op', 'be', w.gw] as const) {
    world.put('tcp.connect', seat, 'public', { address: '192.0.2.10', port: 443, outcome: 'refused', milliseconds: 0 });
    world.write('tls.certificate', seat, 'public', { status: 'unknown', reason: 'unreachable', detail: '' });
  }
  return world;
}

function handshake(error: string): w.World {
  const world = offline(publicGets(healthy(), { ...w.nothing, reached: 'tcp', ended: 'tls-error', tlsError: error }));
  for (const seat of ['op', 'be', w.gw] as const) {
    const seen = { handshake: 'failed', error, chain: [], protocol: null, verification: '' } as const;
    world.put('tls.certificate', seat, 'public', w.certificate(seen));
  }
  return world;
}

const only = (seat: 'be' | typeof w.gw, status: number, world: w.World): w.World =>
  world.put('ws.upgrade', seat, 'public', w.upgrade(w.answered(status)));

export const nginxAnswersCases: readonly Case[] = [
  {
    name: 'NGX-25 the server block listens on another port',
    causes: ['NGX-25'],
    proven: true,
    world: () => nobodyListens((text) => text.replace('listen 443 ssl', 'listen 9443 ssl')),
  },
  {
    name: 'NGX-25 the file is gone',
    causes: ['NGX-25'],
    proven: true,
    world: () => nobodyListens(() => ''),
  },
  {
    name: 'NGX-26 a maintenance page for the whole server',
    causes: ['NGX-26'],
    proven: true,
    world: () =>
      publicGets(
        site((text) => text.replace('location /ws/ {', 'return 503;\n    location /ws/ {')),
        w.answered(503),
      ),
  },
  {
    name: 'NGX-26 an exact location answers',
    causes: ['NGX-26'],
    proven: true,
    world: () =>
      publicGets(
        site((text) => text.replace('location /ws/ {', 'location = /ws/agent { return 410; }\n    location /ws/ {')),
        w.answered(410),
      ),
  },
  {
    name: 'NGX-26 closes without an answer',
    causes: ['NGX-26'],
    world: () => publicGets(site(inWs('return 444;')), { ...w.nothing, reached: 'tls', ended: 'closed' }),
  },
  {
    name: 'NGX-27 TLS to a port without TLS',
    causes: ['NGX-27'],
    proven: true,
    world: () =>
      publicGets(
        site((text) => text.replace('http://127.0.0.1:8081', 'https://127.0.0.1:8081')),
        w.answered(502),
      ),
  },
  {
    name: 'NGX-28 the key of the handshake is dropped',
    causes: ['NGX-28'],
    proven: true,
    world: () => publicGets(site(inWs('proxy_set_header Sec-WebSocket-Key "";')), w.answered(400)),
  },
  {
    name: 'NGX-23 the right port of another address',
    causes: ['NGX-23'],
    proven: true,
    world: () =>
      publicGets(
        site((text) => text.replace('http://127.0.0.1:8081', 'http://192.0.2.10:8081')),
        w.answered(502),
      ),
  },
  {
    name: 'NGX-16 tunnels are cut before the next heartbeat',
    causes: ['NGX-16'],
    proven: true,
    world: () => {
      const world = offline(site((text) => text.replace('proxy_read_timeout 3600s', 'proxy_read_timeout 2s')));
      const lost = w.said(MESSAGES.sessionLost, { code: 1006 });
      return world.put('log.tail', w.gw, 'gateway', w.log(lost, w.said(MESSAGES.sessionOpen), lost));
    },
  },
  {
    name: 'NGX-10 only the gateway is refused',
    causes: ['NGX-10'],
    proven: true,
    world: () => only(w.gw, 403, offline(site(inWs('deny 192.0.2.20;')))),
  },
  {
    name: 'TLS-10 no common version',
    causes: ['TLS-10'],
    proven: true,
    world: () => handshake('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'),
  },
  {
    name: 'TLS-13 plain text',
    causes: ['TLS-13'],
    proven: true,
    world: () => handshake('ERR_SSL_WRONG_VERSION_NUMBER'),
  },
];
