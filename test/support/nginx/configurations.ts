// Random nginx configurations that nginx takes: servers, names, locations, rewrites, access rules, error pages, upstreams. Seeded by fast-check.
import fc from 'fast-check';

/** Ports of the programs that stand for backends; `dead` has no listener. */
export interface Programs {
  readonly one: number;
  readonly two: number;
  readonly dead: number;
}

export interface World {
  /** Lines for the http block; PORT, ONE, TWO, DEAD and ID are filled in by {@link fillIn}. */
  readonly lines: readonly string[];
  readonly questions: readonly Question[];
}

export interface Question {
  readonly host: string;
  readonly path: string;
  readonly address: string;
  readonly client: string;
  readonly upgrade: boolean;
}

/** Small numbers stand for plain choices, so that a failing case shrinks to a plain configuration. */
type Pick = (below: number) => number;

const draws = 600;

/** `level` are lines of the http block that the worlds of one nginx share. */
export function worldArbitrary(level: readonly string[]): fc.Arbitrary<World> {
  return fc
    .noBias(fc.array(fc.nat({ max: 1_000_003 }), { minLength: draws, maxLength: draws }))
    .map((numbers) => build(numbers, level));
}

export const httpLevels: readonly (readonly string[])[] = [
  [],
  ['proxy_set_header Upgrade $http_upgrade;', 'proxy_set_header Connection "upgrade";'],
  ['error_page 404 = @fallback;'],
  ['proxy_http_version 1.1;', 'satisfy any;'],
  ['error_page 403 404 /missing;', 'recursive_error_pages on;'],
  ['deny 127.0.0.9;', 'error_page 401 =418 /missing;'],
  ['auth_basic "closed";', 'auth_basic_user_file users;'],
];

export function fillIn(
  line: string,
  about: { readonly id: number; readonly port: number; readonly programs: Programs },
) {
  const { id, port, programs } = about;
  return line
    .replaceAll('ID', `w${id}`)
    .replaceAll('PORT', String(port))
    .replaceAll('ONE', String(programs.one))
    .replaceAll('TWO', String(programs.two))
    .replaceAll('DEAD', String(programs.dead));
}

const hosts = ['a.test', 'www.a.test', 'b.test', 'deep.b.test', 'A.Test', 'other.example', 'www.other'];
const names = [
  'a.test',
  'a.test www.a.test',
  '.a.test',
  '*.a.test',
  'b.test',
  '.b.test',
  'www.*',
  '*.test',
  '~^(?<sub>deep|www)\\.b\\.test$',
  '~^B\\.test$',
  '~other',
  '_',
  '""',
];
const paths = [
  '/ws/agent',
  '/',
  '/ws',
  '/ws/',
  '/ws/agent/x',
  '/api',
  '/api/v1',
  '/WS/agent',
  '/a',
  '/b/c',
  '/wsx',
  '/ws//agent',
  '/ws/%61gent',
  '/a/../ws/agent',
  '/ws/agent?x=1',
  '/secret',
  '/missing',
];
const prefixes = ['/', '/ws/', '/ws', '/ws/agent', '/api', '/api/', '/a', '/b/', '/secret', '/missing'];
const regexes = ['^/ws', 'agent$', '/api', '\\.php$', '^/(ws|api)/(.*)$', 'x', '^/(?<part>[a-z]+)/'];

function build(numbers: readonly number[], level: readonly string[]): World {
  let at = 0;
  const pick: Pick = (below) => (numbers[at++ % numbers.length] ?? 0) % below;
  const lines: string[] = [...level];
  lines.push(
    "map $http_upgrade $conn_ID { default upgrade; '' close; }",
    `map $uri $kind_ID { default ${one(pick, ['""', 'plain'])}; /ws/agent agent; ~^/api/(.*)$ api; ~*^/A up; }`,
    `map $host $to_ID { default 127.0.0.1:ONE; ~^b\\. 127.0.0.1:TWO; ${one(pick, ['', 'a.test ""; ', 'www.a.test up_ID;'])} }`,
    'upstream up_ID {',
    'server 127.0.0.1:ONE;',
    one(pick, ['', 'server 127.0.0.1:TWO;', 'server 127.0.0.1:TWO backup;', 'server 127.0.0.1:TWO down;']),
    '}',
  );
  const count = 1 + pick(4);
  const defaults = new Set<string>();
  for (let index = 0; index < count; index += 1) server(lines, pick, defaults);
  const questions = Array.from({ length: 12 }, () => ({
    host: one(pick, hosts),
    path: one(pick, paths),
    address: one(pick, ['127.0.0.1', '127.0.0.1', '127.0.0.2']),
    client: one(pick, ['127.0.0.1', '127.0.0.1', '127.0.0.9']),
    upgrade: pick(4) !== 3,
  }));
  return { lines, questions };
}

function one<T>(pick: Pick, list: readonly T[]): T {
  return list[pick(list.length)] as T;
}

function server(lines: string[], pick: Pick, defaults: Set<string>): void {
  lines.push(`server { add_header X-At S${lines.length + 2} always; root /nowhere;`);
  const listens = one(pick, [
    ['PORT'],
    ['127.0.0.1:PORT'],
    ['127.0.0.2:PORT'],
    ['PORT', '127.0.0.1:PORT'],
    ['0.0.0.0:PORT'],
  ]);
  for (const listen of listens) {
    const key = listen.replace('0.0.0.0:', '');
    const isDefault = pick(4) === 3 && !defaults.has(key);
    if (isDefault) defaults.add(key);
    lines.push(`listen ${listen}${isDefault ? ' default_server' : ''};`);
  }
  if (pick(6) !== 5) lines.push(`server_name ${one(pick, names)};`);
  lines.push(
    one(pick, [
      '',
      '',
      '',
      'rewrite ^/a$ /api/;',
      'proxy_set_header Upgrade $http_upgrade;',
      'set $mark server;',
      'if ($http_upgrade = websocket) { set $mark up; }',
      'if ($request_uri ~ ^/secret) { return 403; }',
      'rewrite ^/b/(.*)$ /ws/$1 last;',
      'return 301 https://$host$request_uri;',
      'if ($kind_ID = agent) { rewrite ^ /api/v1; }',
      'if ($host !~* ^www) { break; }',
    ]),
    one(pick, [
      '',
      '',
      '',
      'error_page 404 = @fallback;',
      'error_page 403 =200 /missing;',
      'error_page 401 405 /ws/agent;',
      'deny 127.0.0.9;',
      'try_files $uri /ws/agent;',
    ]),
  );
  locations(lines, pick, { depth: 0, prefix: '', regex: false });
  lines.push(
    `location @fallback { add_header X-At L${lines.length + 2} always; ${one(pick, ['proxy_pass http://127.0.0.1:TWO;', 'return 410;', 'rewrite ^/ws/(.*)$ /inside/$1 break; proxy_pass http://up_ID;'])} }`,
  );
  lines.push(
    `location = /auth { internal; ${one(pick, ['return 204;', 'return 401;', 'return 403;', 'return 302 /x;', 'proxy_pass http://127.0.0.1:ONE;', 'proxy_pass http://127.0.0.1:DEAD;'])} }`,
  );
  lines.push('}');
}

interface Nest {
  readonly depth: number;
  readonly prefix: string;
  readonly regex: boolean;
}

function locations(lines: string[], pick: Pick, nest: Nest): void {
  const used = new Set<string>();
  const count = nest.depth === 0 ? 1 + pick(6) : pick(3);
  for (let index = 0; index < count; index += 1) {
    const kind = pick(11);
    const modifier = kind < 5 ? '' : kind < 6 ? '=' : kind < 7 ? '^~' : kind < 10 ? '~' : '~*';
    const isRegex = modifier.startsWith('~');
    if (nest.regex && !isRegex) continue;
    const pattern = isRegex ? one(pick, regexes) : one(pick, prefixes);
    const key = `${modifier === '^~' ? '' : modifier}${pattern}`;
    if (used.has(key) || (!isRegex && !pattern.startsWith(nest.prefix))) continue;
    used.add(key);
    lines.push(`location ${modifier} ${pattern} { add_header X-At L${lines.length + 2} always;`);
    lines.push(one(pick, befores), one(pick, guards), body(pick, isRegex), one(pick, headers));
    if (nest.depth === 0 && modifier !== '=' && pick(3) === 2)
      locations(lines, pick, { depth: 1, prefix: isRegex ? '' : pattern, regex: isRegex });
    lines.push('}');
  }
}

const befores = [
  '',
  '',
  '',
  'rewrite ^/ws/(.*)$ /a/$1 last;',
  'rewrite ^/(ws|api)/(.*)$ /$2 break;',
  'rewrite ^/ws/(.*)$ /ws/$1;',
  'return 418;',
  'return 200 "text";',
  'return 403 "no";',
  'return 444;',
  'rewrite ^/b/ /ws/agent;',
  'rewrite ^/ws/(.*)$ /b/$1?from=$1;',
  'rewrite ^ $scheme://b.test/ permanent;',
  'if ($http_upgrade = websocket) { return 409; }',
  'if ($http_upgrade = "") { return 426; }',
  'if ($arg_x) { return 410; }',
  'if ($http_user_agent ~* curl) { return 403; }',
  'if ($mark = up) { rewrite ^ /api break; }',
  'if ($mark = server) { proxy_pass http://127.0.0.1:TWO; }',
  'set $target 127.0.0.1:TWO;',
  'if ($uri ~ ^/ws/(.*)$) { set $rest $1; }',
  'break;',
];

const guards = [
  '',
  '',
  '',
  '',
  'deny all;',
  'allow 127.0.0.1; deny all;',
  'deny 127.0.0.8/29;',
  'allow 127.0.0.0/29; deny all; auth_basic staff; auth_basic_user_file users; satisfy any;',
  'auth_basic staff; auth_basic_user_file users;',
  'auth_basic off;',
  'auth_request /auth;',
  'auth_request off;',
  'internal;',
  'limit_req zone=plenty burst=100 nodelay;',
  'limit_conn many 1000;',
  'error_page 403 /missing;',
  'error_page 404 =200 @fallback;',
  'error_page 403 = @fallback;',
  'mirror /auth;',
];

function body(pick: Pick, isRegex: boolean): string {
  const plain = [
    'proxy_pass http://127.0.0.1:ONE;',
    'proxy_pass http://127.0.0.1:ONE;',
    'proxy_pass http://up_ID;',
    'proxy_pass http://$to_ID;',
    'proxy_pass http://$to_ID$request_uri;',
    'proxy_pass http://$target/fixed;',
    'proxy_pass http://127.0.0.1:DEAD;',
    'try_files $uri $uri/ =404;',
    'try_files $uri @fallback;',
    'try_files $uri /ws/agent;',
    'try_files $uri @fallback; proxy_pass http://127.0.0.1:ONE;',
    'try_files $uri @nobody;',
    'alias /nowhere/;',
    'root /nowhere;',
  ];
  const withUri = ['', '/', '/up/', '/up'].map((uri) => `proxy_pass http://127.0.0.1:ONE${uri};`);
  const captured = [
    'proxy_pass http://127.0.0.1:ONE/$1;',
    'proxy_pass http://127.0.0.1:TWO/got/$2$is_args$args;',
    'proxy_pass http://up_ID/$kind_ID;',
  ];
  const chosen = pick(4) === 0 ? one(pick, isRegex ? captured : withUri) : one(pick, plain);
  return isRegex ? chosen.replace('alias', 'root') : chosen;
}

const headers = [
  '',
  '',
  'proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Connection $conn_ID; proxy_set_header Upgrade $http_upgrade;',
  'proxy_set_header Upgrade $conn_ID; proxy_set_header Host $host;',
  'proxy_set_header Host $http_host;',
];
