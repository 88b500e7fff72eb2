// Faults in front of the agents' route or beside it. In each of them `nginx -t` is content.
import { inTlsServer, withDirective } from '../vhost.ts';
import type { Break } from './break.ts';
import { inWs, routeBreak } from './nginx.ts';

const extra = (block: string) => (text: string) => `${text}\n${block}\n`;
const misnamed = (text: string) => text.replaceAll(/server_name\s+agents\./g, 'server_name agent.');
const certificate = (text: string) => /ssl_certificate\s+[^;]+;\s*ssl_certificate_key\s+[^;]+;/.exec(text)?.[0] ?? '';

export const frontBreaks: readonly Break[] = [
  routeBreak(
    'NGX-30',
    'a slip in server_name, and a default block that refuses every handshake',
    (text) =>
      extra('server { listen 443 ssl default_server; server_name _; ssl_reject_handshake on; }')(misnamed(text)),
    ['tls:ERR_SSL_TLSV1_UNRECOGNIZED_NAME'],
  ),
  {
    ...routeBreak(
      'NGX-30-SHOP',
      'a slip in server_name, and the shop next door takes the requests',
      (text) =>
        extra(
          `server { listen 443 ssl default_server; server_name shop.example.test; ${certificate(text)} location / { return 404; } }`,
        )(misnamed(text)),
      [404],
    ),
    answer: { kind: 'cause', code: 'NGX-30' },
  },
  routeBreak(
    'NGX-31',
    'the listener wants the PROXY protocol',
    (text) => text.replace(/(listen\s+443\s+ssl[^;]*);/, '$1 proxy_protocol;'),
    ['reset', 'tls:ECONNRESET'],
  ),
  routeBreak(
    'NGX-32',
    'auth_request in front of /ws/, to a service that is down',
    (text) =>
      inTlsServer(
        inWs((body) => withDirective(body, 'auth_request /auth;'))(text),
        'location = /auth { internal; proxy_pass http://127.0.0.1:9000; }',
      ),
    [500],
  ),
  routeBreak(
    'NGX-33',
    'nginx is to dial from an address that the host does not have',
    inWs((body) => withDirective(body, 'proxy_bind 192.0.2.99;')),
    [500],
  ),
  routeBreak(
    'NGX-34',
    'one of two servers of the upstream is the HTTP port',
    (text) =>
      `upstream agents { server 127.0.0.1:8081; server 127.0.0.1:8080; }\n${inWs((body) => body.replace(/proxy_pass\s+[^;]+;/, 'proxy_pass http://agents;'))(text)}`,
    [404, 101],
  ),
  {
    ...routeBreak(
      'NGX-26-AGENT',
      'a rule about the User-Agent refuses the agents and nobody else',
      inWs((body) => withDirective(body, 'if ($http_user_agent ~* viworks-gateway) { return 403; }')),
      [101],
    ),
    answer: { kind: 'cause', code: 'NGX-26' },
  },
];
