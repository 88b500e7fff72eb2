// Our router against the real nginx: random servers, locations, rewrites and proxy_pass forms, asked over a socket and asked of routeRequest.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseNginx } from './parse.ts';
import { routeRequest } from './route.ts';

const binary = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', process.env.VIWORKS_TEST_NGINX ?? ''].find(
  (path) => path !== '' && existsSync(path),
);

/** Small and seeded, so that a failure can be repeated. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const paths = ['/', '/ws', '/ws/', '/ws/agent', '/ws/agent/x', '/api', '/api/v1', '/WS/agent', '/a', '/b/c', '/wsx'];
const patterns = ['/', '/ws/', '/ws', '/ws/agent', '/api', '/api/', '/a', '/b/'];
const regexes = ['^/ws', 'agent$', '/api', '\\.php$', '^/(ws|api)/(.*)$', 'x'];
const sites = 400;

function site(id: number, upstream: number, pick: (below: number) => number): string {
  const one = <T>(list: readonly T[]): T => list[pick(list.length)] as T;
  const used = new Set<string>();
  const location = (mark: string): string => {
    const kind = pick(10);
    const modifier = kind < 5 ? '' : kind < 6 ? '=' : kind < 7 ? '^~' : kind < 9 ? '~' : '~*';
    const pattern = modifier.startsWith('~') ? one(regexes) : one(patterns);
    const key = `${modifier === '^~' ? '' : modifier}${pattern}`;
    if (used.has(key)) return '';
    used.add(key);
    const uri = modifier.startsWith('~') ? '' : one(['', '', '/', '/up/', '/up']);
    const before = one([
      '',
      '',
      '',
      'rewrite ^/ws/(.*)$ /a/$1 last;',
      'rewrite ^/(ws|api)/(.*)$ /$2 break;',
      'return 418;',
      'rewrite ^/b/ /ws/agent;',
      'if ($http_upgrade = websocket) { return 409; }',
      'if ($arg_x) { return 410; }',
    ]);
    const header = one([
      '',
      '',
      'proxy_set_header Upgrade $http_upgrade;',
      'proxy_set_header Connection $conn; proxy_set_header Upgrade $http_upgrade;',
      'proxy_set_header Upgrade $conn;',
    ]);
    return `    location ${modifier} ${pattern} { ${before} proxy_pass http://127.0.0.1:${upstream}${uri}; ${header} add_header X-Mark ${mark} always; }\n`;
  };
  const count = 1 + pick(6);
  const inner = Array.from({ length: count }, (_, index) => location(`s${id}-${index}`)).join('');
  const outer = one(['', '', '', 'rewrite ^/a$ /api/;', 'proxy_set_header Upgrade $http_upgrade;']);
  return `  server {\n    listen 127.0.0.1:PORT;\n    server_name ${one([`s${id}.test`, `s${id}.test www.s${id}.test`, `.s${id}.test`])};\n    ${outer}\n${inner}  }\n`;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(port: number, host: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, host: '127.0.0.1', path, headers: { Host: host, Connection: 'Upgrade', Upgrade: 'websocket' } },
      (answer) => {
        let body = '';
        answer.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

describe.skipIf(!binary)('against the real nginx', () => {
  let directory = '';
  let child: ChildProcess | undefined;
  let echo: Server;
  let text = '';
  let port = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'viworks-nginx-'));
    echo = createServer((incoming, answer) =>
      answer.end(JSON.stringify([incoming.url, incoming.headers.upgrade ?? null, incoming.headers.connection ?? null])),
    );
    // The echo must answer plainly whatever was asked to be upgraded.
    echo.on('upgrade', (incoming, socket) => {
      const body = JSON.stringify([
        incoming.url,
        incoming.headers.upgrade ?? null,
        incoming.headers.connection ?? null,
      ]);
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    });
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    port = (free.address() as AddressInfo).port;
    await new Promise((resolve) => free.close(resolve));
    const pick = random(20261120);
    const upstream = (echo.address() as AddressInfo).port;
    const servers = Array.from({ length: sites }, (_, id) => site(id, upstream, pick))
      .join('')
      .replaceAll('PORT', String(port));
    const maps =
      "  map $http_upgrade $conn { default upgrade; '' close; }\n  server_names_hash_bucket_size 128;\n  server_names_hash_max_size 8192;\n";
    text = `pid nginx.pid;\nerror_log stderr crit;\ndaemon off;\nmaster_process off;\nevents {}\nhttp {\n  access_log off;\n  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n${maps}${servers}}\n`;
    const file = join(directory, 'nginx.conf');
    await writeFile(file, text);
    child = spawn(binary ?? '', ['-p', directory, '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    for (let attempt = 0; ; attempt += 1) {
      try {
        await ask(port, 's0.test', '/');
        break;
      } catch (error) {
        if (attempt > 200 || child.exitCode !== null)
          throw new Error(`nginx did not start: ${complaint}`, { cause: error });
        await pause(25);
      }
    }
  }, 60_000);

  afterAll(async () => {
    child?.kill('SIGTERM');
    echo?.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('the same status, path and headers', async () => {
    const configuration = parseNginx({
      entry: '/n.conf',
      files: [{ path: '/n.conf', text, mtimeMs: null }],
      unreadable: [],
    });
    expect(configuration.problems).toEqual([]);
    const differences: string[] = [];
    let compared = 0;
    for (let id = 0; id < sites; id += 1) {
      for (const path of paths) {
        const host = `s${id}.test`;
        const ours = routeRequest(
          configuration,
          { host, port, path, tls: false, upgrade: true },
          { agentsPort: 1, heartbeatSeconds: 1, version: null },
        );
        if (ours.action === 'undecided') continue;
        compared += 1;
        const real = await ask(port, host, path);
        const expected =
          ours.action === 'proxy'
            ? JSON.stringify([ours.target?.upstreamPath, ours.upgradeHeader.sends, ours.connectionHeader.sends])
            : `${ours.status ?? 'static'}`;
        const got =
          real.status === 200 && real.body.startsWith('[')
            ? real.body
            : ours.action === 'static' && [403, 404, 200].includes(real.status)
              ? 'static'
              : String(real.status);
        if (expected !== got) differences.push(`${host}${path}: ours ${expected}, nginx ${got}`);
      }
    }
    expect(differences.slice(0, 10)).toEqual([]);
    expect(compared).toBeGreaterThan(sites * paths.length * 0.7);
  }, 60_000);
});
