// Where nginx sends one request: server, location, rewrites, target, headers; and the rules that judge it.
import { expect, test } from 'vitest';
import type { RouteFact } from '../engine/index.ts';
import { parseNginx } from './parse.ts';
import { routeRequest } from './route.ts';

const entry = '/etc/nginx/nginx.conf';

function route(
  http: string,
  ask: { readonly path?: string; readonly host?: string; readonly port?: number; readonly version?: string } = {},
): RouteFact {
  const configuration = parseNginx({
    entry,
    files: [{ path: entry, text: `worker_shutdown_timeout 9s;\nhttp {\n${http}\n}`, mtimeMs: null }],
    unreadable: [],
  });
  const { path = '/ws/agent', host = 'a.test', port = 443 } = ask;
  return routeRequest(
    configuration,
    { host, port, path, tls: true, upgrade: true },
    { agentsPort: 8081, heartbeatSeconds: 10, version: ask.version ?? '1.22.1' },
  );
}

const server = (body: string, head = 'listen 443 ssl; server_name a.test;') => `server { ${head}\n${body}\n}`;
const to = (name: string) => `{ proxy_pass http://${name}:1; }`;
const hostOf = (fact: RouteFact) => fact.target?.addresses[0]?.host ?? fact.action;

test.each([
  [
    'exact before everything',
    `location = /ws/agent ${to('exact')} location ~ ws ${to('regex')} location /ws/ ${to('prefix')}`,
    'exact',
  ],
  ['longest prefix', `location / ${to('root')} location /ws/ ${to('ws')} location /w ${to('w')}`, 'ws'],
  ['a regex beats a prefix', `location /ws/ ${to('ws')} location ~ agent$ ${to('regex')}`, 'regex'],
  ['^~ beats a regex', `location ^~ /ws/ ${to('ws')} location ~ agent$ ${to('regex')}`, 'ws'],
  [
    '^~ counts only on the longest prefix',
    `location ^~ / ${to('root')} location /ws/ ${to('ws')} location ~ agent$ ${to('regex')}`,
    'regex',
  ],
  ['the first regex in the file', `location ~ /ws ${to('one')} location ~ agent ${to('two')}`, 'one'],
  ['~* ignores case', `location / ${to('root')} location ~* AGENT$ ${to('regex')}`, 'regex'],
  ['~ does not', `location / ${to('root')} location ~ AGENT$ ${to('regex')}`, 'root'],
  ['nested', `location /ws/ { location /ws/agent ${to('inner')} proxy_pass http://outer:1; }`, 'inner'],
  [
    'a nested location does not inherit proxy_pass',
    'location /ws/ { proxy_pass http://outer:1; location /ws/agent { } }',
    'static',
  ],
  [
    'an outer regex beats a nested prefix only after the nest said nothing',
    `location /ws/ { location /ws/x ${to('inner')} proxy_pass http://outer:1; } location ~ agent ${to('regex')}`,
    'regex',
  ],
  ['no location at all', '', 'static'],
  ['try_files to a named location', `location / { try_files $uri @app; } location @app ${to('app')}`, 'app'],
  ['try_files to another path', `location / { try_files $uri /index.php; } location = /index.php ${to('php')}`, 'php'],
] as const)('location: %s', (_name, body, expected) => {
  expect(hostOf(route(server(body)))).toBe(expected);
});

const named = (name: string, mark: string, options = '') =>
  server(`location / ${to(mark)}`, `listen 443 ssl ${options}; server_name ${name};`);

test.each([
  ['exact', `${named('*.test', 'star')} ${named('a.test', 'exact')}`, 'exact'],
  ['*.suffix before prefix.*', `${named('a.*', 'prefix')} ${named('*.test', 'suffix')}`, 'suffix'],
  ['.suffix is both', `${named('.a.test', 'both')} ${named('*.test', 'suffix')}`, 'both'],
  ['regex last', `${named('~^a\\.', 'regex')} ${named('b.test', 'b')}`, 'regex'],
  ['no name fits: the first', `${named('b.test', 'b')} ${named('c.test', 'c')}`, 'b'],
  ['no name fits: default_server', `${named('b.test', 'b')} ${named('c.test', 'c', 'default_server')}`, 'c'],
  [
    'another port does not count',
    `${server(`location / ${to('http')}`, 'listen 80; server_name a.test;')} ${named('b.test', 'b')}`,
    'b',
  ],
  [
    'listen with addresses',
    server(`location / ${to('any')}`, 'listen [::]:443 ssl; listen 0.0.0.0:443 ssl; server_name a.test;'),
    'any',
  ],
  ['nothing on the port', server(`location / ${to('x')}`, 'listen 8443; server_name a.test;'), 'no-server'],
] as const)('server: %s', (_name, text, expected) => {
  expect(hostOf(route(text))).toBe(expected);
});

test.each([
  ['no URI part', 'location /ws/ { proxy_pass http://x:1; }', '/ws/agent'],
  ['a slash replaces the prefix', 'location /ws/ { proxy_pass http://x:1/; }', '/agent'],
  ['a path replaces the prefix', 'location /ws/ { proxy_pass http://x:1/b/; }', '/b/agent'],
  ['exact location', 'location = /ws/agent { proxy_pass http://x:1/; }', '/'],
  ['rewrite … break', 'location /ws/ { rewrite ^/ws(/.*)$ $1 break; proxy_pass http://x:1; }', '/agent'],
  [
    'rewrite … break makes the URI part moot',
    'location /ws/ { rewrite ^/ws(/.*)$ $1 break; proxy_pass http://x:1/zzz; }',
    '/agent',
  ],
  [
    'rewrite … last searches again',
    'location /ws/ { rewrite ^ /b last; } location /b { proxy_pass http://x:1; }',
    '/b',
  ],
  ['rewrite in the server', 'rewrite ^/ws/(.*)$ /b/$1; location /b/ { proxy_pass http://x:1; }', '/b/agent'],
] as const)('path: %s', (_name, body, expected) => {
  expect(route(server(body)).target?.upstreamPath).toBe(expected);
});

test.each([
  [
    'an upstream block',
    'upstream app { server 127.0.0.1:8081; server 10.0.0.1:8082 down; keepalive 8; }',
    'proxy_pass http://app;',
    [{ host: '127.0.0.1', port: 8081 }],
    false,
  ],
  ['default ports', '', 'proxy_pass https://x;', [{ host: 'x', port: 443 }], false],
  ['IPv6', '', 'proxy_pass http://[::1]:8081;', [{ host: '::1', port: 8081 }], false],
  [
    'a variable that is set',
    '',
    'set $up 127.0.0.1:8081; proxy_pass http://$up;',
    [{ host: '127.0.0.1', port: 8081 }],
    true,
  ],
  ['a variable that nobody sets', '', 'proxy_pass http://$where;', [], true],
  [
    'a map',
    'map $host $up { default 10.0.0.9:1; a.test 10.0.0.1:8081; }',
    'proxy_pass http://$up;',
    [{ host: '10.0.0.1', port: 8081 }],
    true,
  ],
] as const)('target: %s', (_name, http, body, addresses, viaVariable) => {
  const { target } = route(`${http} ${server(`location / { ${body} }`)}`);
  expect(target?.addresses).toMatchObject(addresses);
  expect(target?.viaVariable).toBe(viaVariable);
});

const goodMap = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }";
const headers = (text: string) => `location / { proxy_pass http://x:8081; ${text} }`;

test.each([
  [
    'the usual pair',
    goodMap,
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;',
    'websocket',
    'upgrade',
  ],
  [
    'hard-coded',
    '',
    'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";',
    'websocket',
    'upgrade',
  ],
  ['nothing set', '', '', null, 'close'],
  [
    'inverted map',
    "map $http_upgrade $connection_upgrade { default close; '' upgrade; }",
    'proxy_set_header Connection $connection_upgrade;',
    null,
    'close',
  ],
  [
    'map without default',
    'map $http_upgrade $connection_upgrade { websocket upgrade; }',
    'proxy_set_header Connection $connection_upgrade;',
    null,
    'upgrade',
  ],
  [
    'map with a regex',
    'map $http_upgrade $connection_upgrade { ~*^WEB upgrade; }',
    'proxy_set_header Connection $connection_upgrade;',
    null,
    'upgrade',
  ],
  ['wrong variable', goodMap, 'proxy_set_header Upgrade $connection_upgrade;', 'upgrade', 'close'],
  [
    'names in any case',
    '',
    'proxy_set_header upgrade $http_upgrade; proxy_set_header CONNECTION $http_connection;',
    'websocket',
    'Upgrade',
  ],
] as const)('headers: %s', (_name, http, text, upgrade, connection) => {
  const fact = route(`${http} ${server(headers(text))}`);
  expect([fact.upgradeHeader.sends, fact.connectionHeader.sends]).toEqual([upgrade, connection]);
});

test('headers of the server are lost in a location that sets any of its own', () => {
  const outer = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";';
  expect(route(server(`${outer} ${headers('')}`)).upgradeHeader.sends).toBe('websocket');
  const lost = route(server(`${outer} ${headers('proxy_set_header Host $host;')}`));
  expect(lost.upgradeHeader.value).toBeNull();
  expect(lost.advice.map((item) => item.rule)).toContain('W06');
});

test.each([
  ['return in the server', 'return 301 https://b.test$request_uri;', 'return', 301],
  ['return in the location', 'location /ws/ { return 404; }', 'return', 404],
  ['deny all', 'location /ws/ { deny all; proxy_pass http://x:1; }', 'denied', 403],
  [
    'an if that holds',
    'if ($http_upgrade = websocket) { return 418; } location / { proxy_pass http://x:1; }',
    'return',
    418,
  ],
  [
    'an if that does not',
    'if ($scheme = http) { return 301 https://x; } location / { proxy_pass http://x:1; }',
    'proxy',
    null,
  ],
  [
    'an if on something unknown',
    'if ($geoip_country = DE) { return 403; } location / { proxy_pass http://x:1; }',
    'undecided',
    null,
  ],
  ['rewrite … permanent', 'rewrite ^ https://b.test/ permanent;', 'return', 301],
  ['try_files =404', 'location / { try_files $uri =404; }', 'return', 404],
  [
    'round in circles',
    'location /a { rewrite ^ /b last; } location /b { rewrite ^ /a last; } location / { rewrite ^ /a last; }',
    'return',
    500,
  ],
  ['FastCGI', 'location / { fastcgi_pass 127.0.0.1:9000; }', 'undecided', null],
] as const)('answer: %s', (_name, body, action, status) => {
  const fact = route(server(body));
  expect([fact.action, fact.status]).toEqual([action, status]);
});

test('/ws before a proxied /ws/ is a redirect', () => {
  expect(route(server('location /ws/ { proxy_pass http://x:1; }'), { path: '/ws' })).toMatchObject({
    action: 'return',
    status: 301,
  });
  expect(hostOf(route(server(`location /ws/ ${to('slash')} location = /ws ${to('exact')}`), { path: '/ws' }))).toBe(
    'exact',
  );
});

test.each([
  ['W01', headers('')],
  ['W02', headers('proxy_set_header Upgrade $http_upgrade;')],
  ['W03', headers('proxy_set_header Upgrade $http_connection; proxy_set_header Connection upgrade;')],
  ['W04', headers('')],
  ['W05', headers('proxy_read_timeout 15s;')],
  ['W07', 'location /ws/ { proxy_pass http://x:8081/; }'],
  ['W09', 'location / { proxy_pass http://x:8080; }'],
  ['W11', 'location / { set $b backend.internal; proxy_pass http://$b:8081; }'],
  ['W12', 'return 301 https://x;'],
  ['W13', 'location / { auth_basic "staff"; proxy_pass http://x:8081; }'],
  ['W14', 'location / { limit_conn perip 1; proxy_pass http://x:8081; }'],
  ['W15', `error_page 502 =503 /busy; ${headers('')}`],
  ['W20', 'location / { proxy_pass https://127.0.0.1:443; }'],
] as const)('advice %s', (rule, body) => {
  expect(route(server(body)).advice.map((item) => item.rule)).toContain(rule);
});

test('advice names the block that is ignored, and stays silent on what works', () => {
  const twice = route(`${server(headers(''))}\n${server(headers(''))}`);
  expect(twice.advice.find((item) => item.rule === 'W16')?.text).toBe(
    `the name a.test is claimed twice; ${entry}:6 is ignored`,
  );
  const text =
    'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_read_timeout 1h; proxy_send_timeout 3600;';
  expect(route(`log_format x '$upstream_addr';${server(headers(text))}`).advice).toEqual([]);
  expect(route(server(headers(text.replace('1.1', '1.0')))).advice.map((item) => item.rule)).toContain('W04');
  expect(route(server(headers('')), { version: '1.29.7' }).advice.map((item) => item.rule)).not.toContain('W04');
});

test('a hole in the server block leaves the route open; one elsewhere does not', () => {
  const ask = (text: string) =>
    routeRequest(
      parseNginx({ entry, files: [{ path: entry, text, mtimeMs: null }], unreadable: [] }),
      { host: 'a.test', port: 443, path: '/ws/agent', tls: true, upgrade: true },
      { agentsPort: 8081, heartbeatSeconds: 10, version: null },
    );
  expect(ask(`http { ${server(`include /secret; location / ${to('x')}`)} }`)).toMatchObject({
    action: 'undecided',
    caveat: 'not read: /secret',
  });
  expect(ask(`http { include mime.types; ${server(`location / ${to('x')}`)} }`).action).toBe('proxy');
  expect(ask(`http { ${server(`location / ${to('x')}`)} `).action).toBe('undecided');
});
