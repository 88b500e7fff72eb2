// The backend as a process: what it says when it cannot start, readiness, sockets of the service manager, secrets, a full disk.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePorts, spawnBackend } from '../support/backend-process.ts';
import { connectGateway, createIdentity, serveEcho } from '../support/fake-gateway.ts';
import { createOperator, eventually } from '../support/operator.ts';
import { seedStore } from '../support/test-backend.ts';

const KEEPER = new URL('../programs/socket-keeper.pl', import.meta.url).pathname;
const MAIN = new URL('../../cli/main.ts', import.meta.url).pathname;
let directory: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vw-backend-'));
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
  await rm(directory, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, 'backend', ...args], { env: { PATH: process.env.PATH ?? '' } });
  children.push(child);
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => {
    text.stdout += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    text.stderr += data.toString();
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...text })));
}

async function configure(toml: string): Promise<string> {
  const file = join(directory, 'backend.toml');
  await writeFile(file, toml);
  return file;
}

test('--check judges without starting anything', async () => {
  const good = await configure(`state_dir = "${directory}/state"`);
  expect(await run('--check', '--config', good)).toMatchObject({ code: 0 });
  const bad = await configure('state_dir = "/x"\n[api]\nport = 8081\n');
  const refused = await run('--check', '--config', bad);
  expect(refused.code).toBe(64);
  expect(refused.stderr).toContain('backend.toml');
  expect(refused.stderr).toContain('8081 is also api.port (line 3)');
  expect(await run('--check', '--config', `${directory}/none.toml`)).toMatchObject({ code: 64 });
  expect(await run()).toMatchObject({ code: 64 });
});

test('a port that is taken ends it, with the port and who to ask', async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const port = (holder.address() as { port: number }).port;
  const file = await configure(`state_dir = "${directory}/state"\n[api]\nport = 0\n[agents]\nport = ${port}\n`);
  const ended = await run('--config', file);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain('VW_BACKEND_BIND');
  expect(ended.stdout).toContain(`ss -ltnp sport = :${port}`);
  holder.close();
});

test('a state directory that is a file is named', async () => {
  const file = await configure(`state_dir = "${directory}/backend.toml"\n[api]\nport = 0\n[agents]\nport = 0\n`);
  const ended = await run('--config', file);
  expect(ended).toMatchObject({ code: 1 });
  expect(ended.stdout).toContain('VW_BACKEND_STORE_OPEN');
});

test('secrets are made while the backend runs, and work at once', async () => {
  const ports = await freePorts();
  const running = await spawnBackend(directory, ports);
  children.push(running.child);
  const file = join(directory, 'backend.toml');
  const made = await run('token', 'create', '--role', 'admin', '--name', 'first', '--config', file);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(made.stdout).toMatch(/^vw_[A-Za-z0-9_-]{43}\n$/);
  const operator = createOperator(() => running.api, made.stdout.trim());
  expect((await operator.request('GET', '/api/v1/tokens')).status).toBe(200);
  expect(await run('token', 'create', '--role', 'admin', '--name', 'first', '--config', file)).toMatchObject({
    code: 1,
  });
  expect(await run('token', 'create', '--role', 'king', '--name', 'x', '--config', file)).toMatchObject({ code: 64 });

  const enrolment = await run('enrolment-token', 'create', '--gateway', 'gw1', '--config', file);
  const identity = createIdentity('gw1');
  const enrolled = await operator.request('POST', '/api/v1/enrol', {
    body: { token: enrolment.stdout.trim(), publicKey: identity.publicKey, fingerprint: 'f' },
  });
  expect(enrolled.status).toBe(200);
  const link = await connectGateway(running.agents, identity);
  expect(link.welcome.sessionEpoch).toBe(1);
  const began = performance.now();
  running.child.kill('SIGTERM');
  expect(await running.exited).toMatchObject({ code: 0 });
  expect(performance.now() - began).toBeLessThan(2_000);
  expect((await link.closed).code).toBe(4001);
});

test('the service manager’s sockets: ready only after the own WebSocket answered, and a restart refuses nobody', async () => {
  const config = await configure(`state_dir = "${directory}/state"\n`);
  const keeper = spawn('perl', [KEEPER, process.execPath, MAIN, 'backend', '--config', config], {
    env: { PATH: process.env.PATH ?? '' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(keeper);
  let said = '';
  keeper.stdout.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const count = (pattern: RegExp): number => said.match(pattern)?.length ?? 0;
  await eventually(
    () => count(/READY=1/g),
    (times) => times === 1,
    15_000,
  );
  const port = /listen (\d+)/.exec(said)?.[1];
  const ask = async (): Promise<number> => {
    const { status } = await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } });
    return status;
  };
  expect(await ask()).toBe(200);
  process.kill(Number(/started (\d+)/.exec(said)?.[1]), 'SIGTERM');
  const answers: Promise<number>[] = [];
  while (count(/READY=1/g) < 2) {
    answers.push(ask());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(count(/STOPPING=1/g)).toBe(1);
  // Whoever came while nobody was there waited in the socket's queue; none was refused or cut off.
  const codes = await Promise.all(answers);
  expect(codes.filter((code) => code !== 200 && code !== 503)).toEqual([]);
  expect(codes.at(-1)).toBe(200);
  const gone = new Promise((resolve) => keeper.on('exit', resolve));
  keeper.stdin.end();
  await gone;
}, 60_000);

test('the TLS front routes the agent path to the gateways’ server and the rest to the API', async () => {
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-keyout',
      `${directory}/key.pem`,
      '-out',
      `${directory}/cert.pem`,
    ],
    { stdio: 'ignore' },
  );
  const { api, agents } = await freePorts();
  const tls = (await freePorts()).api;
  const config = await configure(
    `state_dir = "${directory}/state"\n[api]\nport = ${api}\n[agents]\nport = ${agents}\n[tls]\nport = ${tls}\ncertificate = "${directory}/cert.pem"\nkey = "${directory}/key.pem"\n`,
  );
  const child = spawn(process.execPath, [MAIN, 'backend', '--config', config], { stdio: 'ignore' });
  children.push(child);
  await eventually(
    () =>
      fetch(`http://127.0.0.1:${api}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
    Boolean,
    15_000,
  );
  const get = (path: string, headers: Record<string, string> = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: tls, path, headers, rejectUnauthorized: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      asked.on('upgrade', (response, socket) => {
        socket.destroy();
        resolve(response.statusCode ?? 0);
      });
      asked.on('error', reject).end();
    });
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  expect(await get('/health')).toBe(200);
  expect(await get('/api/v1/gateways')).toBe(401);
  expect(await get('/ws/agent', { ...upgrade, 'sec-websocket-protocol': 'viworks.agent.v1' })).toBe(101);
  expect(await get('/elsewhere', { ...upgrade, 'sec-websocket-protocol': 'viworks.agent.v1' })).toBe(404);
});

const root = process.getuid?.() === 0;

test.skipIf(!root)(
  'a full disk: named, refused with 503, sessions sent away; it heals by itself (needs root for a small tmpfs)',
  async () => {
    const state = join(directory, 'small');
    await mkdir(state);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', state]);
    try {
      const gw1 = createIdentity('gw1');
      const tokens = await seedStore(state, { gateways: [gw1] });
      const ports = await freePorts();
      const running = await spawnBackend(state, ports);
      children.push(running.child);
      const operator = createOperator(() => running.api, tokens.operator);
      const link = await connectGateway(running.agents, gw1);
      serveEcho(link);
      execFileSync('sh', ['-c', `head -c 3000000 /dev/zero > ${state}/filler || true`], { stdio: 'ignore' });
      const body = { verb: 'exec', args: { argv: ['echo', 'x'.repeat(100_000)] }, gateways: ['gw1'] };
      const refused = await eventually(
        () => operator.request('POST', '/api/v1/commands', { body }),
        ({ status }) => status === 503,
      );
      expect(await refused.json()).toMatchObject({
        code: 'VW_BACKEND_STORAGE_UNAVAILABLE',
        hint: expect.stringContaining('df -h'),
      });
      expect((await link.closed).code).toBe(4008);
      const health = await fetch(`${running.api}/health`);
      expect(health.status).toBe(503);
      expect(await health.json()).toMatchObject({ parts: { store: { state: 'down' } } });
      await expect(connectGateway(running.agents, gw1)).rejects.toThrow('4008');

      execFileSync('mount', ['-o', 'remount,size=64m', state]);
      await eventually(
        () => fetch(`${running.api}/health`).then(({ status }) => status),
        (status) => status === 200,
      );
      const again = await connectGateway(running.agents, gw1);
      serveEcho(again);
      const { taskId } = await operator.task('gw1', ['echo', 'healed']);
      expect((await operator.output(taskId)).out.toString()).toBe('healed\n');
      running.child.kill('SIGTERM');
      expect(await running.exited).toMatchObject({ code: 0 });
    } finally {
      for (const child of children) child.kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 200));
      execFileSync('umount', ['-l', state]);
    }
  },
  60_000,
);
