// Causes in what nginx takes for a header and what it leaves out: names that it drops, buffers that are too small, headers of the answer that it
// keeps to itself, and a listener that speaks another HTTP than the agents.
import {
  anyOf,
  type CauseRule,
  causesOf,
  judge,
  type RouteFact,
  type Sign,
  sign,
  signs,
  type Tri,
  type View,
} from '../engine/index.ts';
import { nginxCommand, on, remedy } from './texts.ts';

const { backend, gateway, logs, nginx, parts } = signs;
const errorLog = { seat: 'be', part: 'nginx-error' } as const;
const reload = (view: View) => on(view, 'be', nginxCommand(view, 'reload'));

/** The newest line of nginx's error log that is about a request for the agents' path. */
function lineOnPath(view: View, pattern: RegExp): string | null {
  const tail = view.value('log.tail', errorLog.seat, errorLog.part);
  const asked = `"GET ${view.topology.path} `;
  return (
    tail?.lines.findLast(
      (line) => pattern.test(line.text) && line.text.includes(asked) && logs.isRecent(view, errorLog.seat, line),
    )?.text ?? null
  );
}

/** Lines of other clients and of other paths are noise: anybody may send an odd header. */
function saidOnPath(pattern: RegExp): Sign {
  return sign(
    [
      (view) => `nginx's error log says: ${logs.excerpt(lineOnPath(view, pattern) ?? '')}`,
      (view) => `nginx's error log says nothing of the kind about ${view.topology.path}`,
    ],
    (view) =>
      judge(view, ['log.tail', errorLog.seat, errorLog.part], (tail): Tri => {
        if (lineOnPath(view, pattern) === null) return tail.truncated ? 'unknown' : 'no';
        return tail.sinceMs === null ? 'unknown' : 'yes';
      }),
  );
}

const dropped = /client sent invalid header line: "([^":]*_[^":]*):?/;
const droppedName = (view: View) => dropped.exec(lineOnPath(view, dropped) ?? '')?.[1] ?? 'a header with an underscore';
const setting = (view: View, name: string) =>
  nginx.routeOf(view)?.settings.find((item) => item.directive === name) ?? null;
const settingText = (view: View, name: string, unless: string) => {
  const found = setting(view, name);
  return found ? `${name} ${found.value} (${nginx.placeText(found)})` : `${name} ${unless} (the default)`;
};

const refusedAgent = sign('the agent is told that it is not known (401 or 403)', (view): Tri => {
  const lines = view.value('log.tail', 'gw', 'gateway')?.lines ?? [];
  const newest = lines.findLast(({ text }) =>
    /\b(HTTP|status|code|response|answered)\b.{0,40}\b[1-5]\d\d\b/i.test(text),
  );
  return newest && /\b40[13]\b/.test(newest.text) ? 'yes' : 'unknown';
});

const tooLargePage = /Request Header Or Cookie Too Large|Request-URI Too Large/i;
const tooLargeLine = /client sent too (long|large) (header line|request|URI)/i;
const pageSaysTooLarge = sign(
  ['nginx answers "Request Header Or Cookie Too Large"', 'the answer does not mention a header that is too large'],
  (view) => {
    const seat = nginx.publicSeat(view);
    return seat ? judge(view, ['ws.upgrade', seat, 'public'], (seen) => tooLargePage.test(seen.body)) : 'unknown';
  },
);

const tooLarge = anyOf(
  (view) => (pageSaysTooLarge.holds(view) === 'yes' ? pageSaysTooLarge : saidOnPath(tooLargeLine)).claim(view),
  pageSaysTooLarge,
  saidOnPath(tooLargeLine),
);

/** The listener of the public port takes HTTP/2 without TLS; before 1.25.1 it then takes nothing else. */
const clearHttp2 = (route: RouteFact) =>
  route.listens.find(({ text }) => /\bhttp2\b/.test(text) && !/\b(ssl|quic)\b/.test(text));
const noCommonProtocol = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
const alpnRefused = (seat: 'be' | 'gw' | 'op') =>
  sign(
    [
      (view) => `the TLS handshake from ${parts.hostOf(view, seat)} ends with the alert "no application protocol"`,
      (view) => `the TLS handshake from ${parts.hostOf(view, seat)} does not fail over the protocol that is offered`,
    ],
    (view) => judge(view, ['tls.certificate', seat, 'public'], (seen) => seen.error === noCommonProtocol),
  );
const speaksOnlyHttp2 = sign(
  [
    (view) => {
      const route = nginx.routeOf(view);
      const listen = route && clearHttp2(route);
      return listen
        ? `${listen.text} (${nginx.placeText(listen)}) takes HTTP/2 only, and the answer to HTTP/1.1 is none`
        : 'the listener offers HTTP/2 (ALPN h2), and not the http/1.1 that an upgrade needs';
    },
    'the listener speaks HTTP/1.1',
  ],
  (view) => {
    const plain = view.topology.url.startsWith('ws:');
    if (!plain) return anyOf('refused', alpnRefused('gw'), alpnRefused('be'), alpnRefused('op')).holds(view);
    const garbled = nginx.publicSeen(view)?.ended;
    return judge(
      view,
      ['nginx.route', 'be', 'agents'],
      (route) => clearHttp2(route) !== undefined && ['protocol', 'closed', 'reset'].includes(garbled ?? ''),
    );
  },
);

export const nginxHeaderCauses: readonly CauseRule[] = causesOf(
  {
    layer: 'nginx',
    hop: 'route',
    host: 'be',
    about: 'nginx',
    predicts: ['nginx.agents.upgrades', 'network.agents.upgrades', 'agents.link.up', 'agents.registry.online'],
  },
  {
    'NGX-12': {
      name: 'header with an underscore dropped',
      title: (view) => `nginx drops the agent's header ${droppedName(view)}, whose name has an underscore`,
      necessary: [
        gateway.linkDown,
        saidOnPath(dropped),
        nginx.routeIs(
          [
            (_route, view) => settingText(view, 'underscores_in_headers', 'off'),
            (_route, view) => settingText(view, 'underscores_in_headers', 'off'),
          ],
          (_route, view) =>
            setting(view, 'underscores_in_headers')?.value !== 'on' &&
            setting(view, 'ignore_invalid_headers')?.value !== 'off',
        ),
      ],
      signature: [refusedAgent],
      forbids: [gateway.linkUp],
      lookalikes: { 'WS-03': saidOnPath(dropped) },
      remedy: (view) =>
        remedy(
          `call the header ${droppedName(view).replaceAll('_', '-')}, or let nginx pass such names on (in the server block that is the default one of its port)`,
          ['underscores_in_headers on;', ...reload(view)],
        ),
      help: `nginx takes a header name with an underscore for an invalid one and drops it without an answer; it says so only at level info ("client sent invalid header line"). What the agent proves itself with never arrives, and the backend answers 401. The same request on the backend's own port is taken.`,
    },
    'NGX-14': {
      name: 'header buffers too small',
      title: (view) =>
        `the header of an upgrade does not fit into nginx's buffers: ${settingText(view, 'large_client_header_buffers', '4 8k')}`,
      necessary: [
        anyOf('an upgrade through nginx fails, or the agent has no link', nginx.publicFails, gateway.linkDown),
        tooLarge,
      ],
      signature: [backend.directUpgrades],
      lookalikes: { 'TLS-06': tooLarge, 'NGX-05': tooLarge },
      remedy: (view) =>
        remedy('give it buffers that the header fits into, or shorten the token that the agent sends', [
          'large_client_header_buffers 4 16k;',
          ...reload(view),
        ]),
      help: `Every line of a request's header has to fit into one buffer of large_client_header_buffers (4 of 8 kB unless set), and all of them into their number. nginx answers 400 or 414 itself, and says "client sent too long header line" only at level info. The backend never hears of it.`,
    },
    'NGX-35': {
      name: 'listener speaks only HTTP/2',
      hop: 'tls',
      title: (view) => `port ${view.topology.publicPort} speaks HTTP/2 only, and a WebSocket upgrade needs HTTP/1.1`,
      necessary: [nginx.publicFails, speaksOnlyHttp2],
      signature: [nginx.nginxRuns],
      forbids: [nginx.publicUpgrades],
      lookalikes: { 'TLS-10': speaksOnlyHttp2, 'TLS-13': speaksOnlyHttp2 },
      predicts: [
        ...['nginx.agents.upgrades', 'network.agents.upgrades', 'network.tls.verifies', 'nginx.api.answers'],
        ...['agents.link.up', 'agents.registry.online'],
      ],
      remedy: (view) =>
        remedy('let the listener offer http/1.1 beside h2 (ssl_alpn, alpn), or take http2 off a listener without TLS', [
          ...on(view, 'be', `nginx -T | grep -nE "listen|http2|alpn"`, nginxCommand(view, 'reload')),
        ]),
      help: `An upgrade is a thing of HTTP/1.1; agents offer only that. A listener that offers nothing but h2 ends the TLS handshake with the alert "no application protocol". nginx itself always offers both behind TLS, so that http2 on its TLS listener is fine; without TLS, "listen … http2" of releases before 1.25.1 takes nothing but HTTP/2.`,
    },
    'NGX-36': {
      name: 'header of the answer hidden',
      title: (view) => {
        const line = nginx.stripped(view);
        return `nginx keeps ${line?.value ?? 'a header'} of the answer to itself (${nginx.placeText(line)}), and the agents leave`;
      },
      necessary: [nginx.publicFails, nginx.answerStripped],
      lookalikes: { 'WS-07': backend.directUpgrades, 'BE-07': backend.directUpgrades },
      predicts: [
        ...['nginx.agents.upgrades', 'network.agents.upgrades', 'agents.link.up', 'agents.registry.online'],
        'agents.canary.returns',
      ],
      remedy: (view) => {
        const line = nginx.stripped(view);
        return remedy(`remove ${line?.directive ?? 'proxy_hide_header'} at ${nginx.placeText(line)}`, reload(view));
      },
      help: `The upgrade gets 101, and the answer lacks what the client checks: Sec-WebSocket-Accept proves that the other end speaks WebSocket, Sec-WebSocket-Protocol names what is spoken. The agents close at once ("Server sent no subprotocol", "Invalid Sec-WebSocket-Accept header"). The backend's own port sends both.`,
    },
  },
);
