// Each proposed edit against the configuration that it is for: our router finds the route right, `patch` makes the same of it, nginx takes it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { topology } from '../../test/support/doctor/world.ts';
import { nginxBinary } from '../../test/support/nginx/real-nginx.ts';
import { changesOf, unifiedDiff } from './diff.ts';
import { proposeEdit } from './fix.ts';

const directory = mkdtempSync(join(tmpdir(), 'viworks-fix-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const path = join(directory, 'nginx.conf');
const map = `map $http_upgrade $up {
    default upgrade;
    ''      close;
}
`;
const api = `    location / {
        proxy_pass http://127.0.0.1:8080;
    }
`;
const agents = (body: string) => `    location /ws/ {
${body
  .split('\n')
  .map((line) => `        ${line}`)
  .join('\n')}
    }
`;
const headers = 'proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection $up;';
const pass = 'proxy_pass http://127.0.0.1:8081;';
const server = (inner: string, name = 'agents.example.test', listen = 'listen 443;') =>
  `server {\n    ${listen}\n    server_name ${name};\n${inner}}\n`;

const cases: readonly (readonly [name: string, code: string, http: string])[] = [
  ['no location of its own, no map', 'NGX-01', server(api)],
  [
    'everything on one line',
    'NGX-01',
    `server { listen 443; server_name agents.example.test; location / { proxy_pass http://127.0.0.1:8080; } }\n`,
  ],
  [
    'a location that leads to the HTTP port',
    'NGX-01',
    map + server(agents(`proxy_pass http://127.0.0.1:8080;\n${headers}`) + api),
  ],
  [
    'a regex that takes everything',
    'NGX-01',
    map +
      server(`    location ~ / {\n        proxy_pass http://127.0.0.1:8080;\n    }\n${agents(`${pass}\n${headers}`)}`),
  ],
  [
    'a variable of the usual name that means something else',
    'NGX-01',
    `map $host $connection_upgrade { default x; }\n${server(api)}`,
  ],
  [
    'headers missing, others inherited',
    'NGX-02',
    `proxy_set_header X-Real-IP $remote_addr;\n${server(agents(pass) + api)}`,
  ],
  [
    'headers missing, HTTP/1.0 written',
    'NGX-02',
    server(agents(`${pass}\nproxy_http_version 1.0;\nproxy_set_header Host $host;`) + api),
  ],
  ['Connection missing', 'NGX-03', map + server(agents(`${pass}\nproxy_set_header Upgrade $http_upgrade;`) + api)],
  [
    'the map inverted',
    'NGX-04',
    `${map.replace('default upgrade', 'default close').replace("''      close", "''      upgrade")}${server(agents(`${pass}\n${headers}`) + api)}`,
  ],
  [
    'Upgrade from another variable',
    'NGX-05',
    map + server(agents(`${pass}\nproxy_set_header Upgrade $up;\nproxy_set_header Connection $up;`) + api),
  ],
  ['the path rewritten', 'NGX-07', map + server(agents(`proxy_pass http://127.0.0.1:8081/;\n${headers}`) + api)],
  [
    'a password',
    'NGX-20',
    map + server(agents(`auth_basic "staff"; auth_basic_user_file users;\n${pass}\n${headers}`) + api),
  ],
  ['a wrong port', 'NGX-23', map + server(agents(`proxy_pass http://127.0.0.1:8018;\n${headers}`) + api)],
  ['TLS to a port without', 'NGX-27', map + server(agents(`proxy_pass https://127.0.0.1:8081;\n${headers}`) + api)],
  ['a maintenance page', 'NGX-26', map + server(`    location /ws/ {\n        return 503;\n    }\n${api}`)],
  [
    'the API follows to the agents port',
    'NGX-22',
    map +
      server(
        `    location / {\n        ${pass}\n        proxy_set_header Upgrade $http_upgrade;\n        proxy_set_header Connection $up;\n    }\n`,
      ),
  ],
  [
    'a slip in the name',
    'NGX-30',
    map +
      server(agents(`${pass}\n${headers}`) + api, 'agent.example.test') +
      server('    return 404;\n', '_', 'listen 443 default_server;'),
  ],
  [
    'a name that an older block wins',
    'NGX-09',
    map +
      server('    return 404;\n', 'old.example.test agents.example.test') +
      server(agents(`${pass}\n${headers}`) + api),
  ],
  [
    'a name that an older block wins, and its only one',
    'NGX-09',
    map + server('    return 404;\n') + server(agents(`${pass}\n${headers}`) + api),
  ],
  ['a rule in the location', 'NGX-10', map + server(agents(`deny all;\n${pass}\n${headers}`) + api)],
  [
    'rules of the whole server',
    'NGX-10',
    map + server(`    allow 10.0.0.0/8;\n    deny all;\n${agents(`${pass}\n${headers}`)}${api}`),
  ],
  [
    'a limit in the location',
    'NGX-11',
    `limit_conn_zone $binary_remote_addr zone=a:1m;\nlimit_req_zone $binary_remote_addr zone=r:1m rate=1r/m;\n${map}` +
      server(agents(`limit_conn a 1;\nlimit_req zone=r;\n${pass}\n${headers}`) + api),
  ],
  [
    'a limit of the whole server',
    'NGX-11',
    `limit_conn_zone $binary_remote_addr zone=a:1m;\n${map}` +
      server(`    limit_conn a 1;\n${agents(`${pass}\n${headers}`)}${api}`),
  ],
  ['Host not forwarded', 'NGX-13', map + server(agents(`${pass}\n${headers}`) + api)],
  [
    'another Host forwarded',
    'NGX-13',
    map + server(agents(`${pass}\n${headers}\nproxy_set_header Host backend.internal;`) + api),
  ],
  [
    'the PROXY protocol',
    'NGX-31',
    map + server(agents(`${pass}\n${headers}`) + api, undefined, 'listen 443 proxy_protocol;'),
  ],
  [
    'auth_request for the whole server',
    'NGX-32',
    map +
      server(
        `    auth_request /auth;\n    location = /auth {\n        proxy_pass http://127.0.0.1:9;\n    }\n${agents(`${pass}\n${headers}`)}${api}`,
      ),
  ],
  ['proxy_bind', 'NGX-33', map + server(agents(`proxy_bind 192.0.2.99;\n${pass}\n${headers}`) + api)],
  [
    'a stray server in the upstream',
    'NGX-34',
    `${map}upstream agents {\n    server 127.0.0.1:8081;\n    server 127.0.0.1:8080;\n}\n${server(agents(`proxy_pass http://agents;\n${headers}`) + api)}`,
  ],
];

test.each(cases)('%s (%s)', (_name, code, http) => {
  const text = `pid ${directory}/nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${http}}\n`;
  const edits = proposeEdit(code, { entry: path, files: [{ path, text, mtimeMs: null }], unreadable: [] }, topology);
  expect(edits).toHaveLength(1);
  const [edit] = edits ?? [];
  if (!edit) return;
  writeFileSync(path, text);
  if (existsSync('/usr/bin/patch')) {
    execFileSync('patch', ['-p0', '-s', path], { input: `${unifiedDiff([edit])}\n` });
    expect(readFileSync(path, 'utf8')).toBe(edit.after);
  }
  expect(applied(text, changesOf(edit))).toBe(edit.after);
  writeFileSync(path, edit.after);
  if (nginxBinary) execFileSync(nginxBinary, ['-t', '-q', '-p', directory, '-c', path], { stdio: 'pipe' });
});

function applied(text: string, changes: ReturnType<typeof changesOf>): string {
  const lines = text.split('\n');
  for (const { line, remove, insert } of [...changes].reverse()) lines.splice(line - 1, remove.length, ...insert);
  return lines.join('\n');
}

test('nothing is proposed where no edit is known to help', () => {
  const propose = (code: string, http: string) =>
    proposeEdit(
      code,
      { entry: path, files: [{ path, text: `http {\n${http}}`, mtimeMs: null }], unreadable: [] },
      topology,
    );
  expect(propose('NGX-26', server('    return 503;\n'))).toBeNull();
  expect(propose('NGX-01', server('    include /not/read;\n'))).toBeNull();
  expect(propose('BE-01', server(api))).toBeNull();
  expect(propose('NGX-30', server(api, 'shop.example.org') + server(api, 'mail.example.org'))).toBeNull();
});
