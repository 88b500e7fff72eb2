// A real nginx on loopback for tests: many configurations in one process, each on a port of its own, and programs behind them that echo.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Programs, Question } from './configurations.ts';

/** Undefined where no nginx is installed. */
export const nginxBinary = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', process.env.VIWORKS_TEST_NGINX ?? ''].find(
  (path) => path !== '' && existsSync(path),
);

export interface Answer {
  /** 0 = refused or closed without an answer. */
  readonly status: number;
  readonly body: string;
  /** The marked block that answered. */
  readonly at: string;
}

const agent = new Agent({ keepAlive: true });

export function ask(port: number, question: Question): Promise<Answer> {
  const { host, path, address, client, upgrade } = question;
  return new Promise((resolve) => {
    const headers = {
      Host: `${host}:${port}`,
      'User-Agent': 'viworks-test',
      ...(upgrade ? { Connection: 'Upgrade', Upgrade: 'websocket' } : { Connection: 'close' }),
    };
    const sent = request({ port, host: address, localAddress: client, path, headers, agent }, (answer) => {
      let body = '';
      answer.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body, at: String(answer.headers['x-at'] ?? '') }),
      );
    });
    sent.on('error', () => resolve({ status: 0, body: '', at: '' }));
    sent.end();
  });
}

/** Answers with what it was asked: port, path, Upgrade, Connection, Host. It never upgrades. */
async function echo(): Promise<Server> {
  const server = createServer();
  const told = (url: string | undefined, headers: Readonly<Record<string, string | string[] | undefined>>) =>
    JSON.stringify([
      (server.address() as AddressInfo).port,
      url,
      headers.upgrade ?? null,
      headers.connection ?? null,
      headers.host ?? null,
    ]);
  server.on('request', (incoming, answer) => answer.end(told(incoming.url, incoming.headers)));
  server.on('upgrade', (incoming, socket) => {
    const body = told(incoming.url, incoming.headers);
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface Bench {
  readonly programs: Programs;
  /** Starts nginx with this http block; one free port for each configuration. */
  serve(http: (ports: readonly number[]) => string, count: number): Promise<Served>;
  close(): Promise<void>;
}

export interface Served {
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

export async function createBench(): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'viworks-nginx-'));
  const servers = await Promise.all([echo(), echo()]);
  const [one = 0, two = 0] = servers.map((server) => (server.address() as AddressInfo).port);
  return {
    // Nobody listens on tcpmux; a port that was free a moment ago may be given to somebody.
    programs: { one, two, dead: 1 },
    serve: async (http, count) => {
      const [ready = 0, ...ports] = await freePorts(count + 1);
      const file = join(directory, 'nginx.conf');
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (name) => `${name}_temp_path ${name};`,
      );
      const zones =
        'limit_req_zone $binary_remote_addr zone=plenty:1m rate=10000r/s;\nlimit_conn_zone $binary_remote_addr zone=many:1m;';
      const head = `pid nginx.pid;\nerror_log stderr emerg;\ndaemon off;\nmaster_process off;\nevents {}\nhttp {\naccess_log off;\nvariables_hash_max_size 8192;\nmap_hash_bucket_size 128;\n${temporary.join('\n')}\n${zones}\n`;
      const probe = `server { listen 127.0.0.1:${ready}; location / { return 204; } }`;
      await writeFile(file, `${head}${probe}\n${http(ports)}\n}\n`);
      return { ports, stop: await start(directory, file, ready) };
    },
    close: async () => {
      for (const server of servers) server.close();
      agent.destroy();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Returns how to stop it, once it listens. */
async function start(directory: string, file: string, port: number): Promise<() => Promise<void>> {
  const child: ChildProcess = spawn(nginxBinary ?? 'nginx', ['-p', directory, '-c', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const question = { host: 'ready', path: '/', address: '127.0.0.1', client: '127.0.0.1', upgrade: false };
  while ((await ask(port, question)).status === 0) {
    if (child.exitCode !== null) throw new Error(`nginx did not start: ${complaint}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return async () => {
    child.kill('SIGTERM');
    await ended;
  };
}
