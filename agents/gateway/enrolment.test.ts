// Configurations that cannot work end the program with a reason; enrolment over TLS, at the start and by hand; files that hold keys.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FakeBackendLink, startFakeBackendLink } from '../../test/support/fake-backend-link.ts';
import { createGatewayBench } from '../../test/support/gateway-bench.ts';
import { parseConfig, Secret, ViworksError } from '../runtime/index.ts';
import { configSpec } from './config.ts';
import { enrol, enrolUrl } from './identity/enrol.ts';
import { openIdentity, readMachine } from './identity/identity.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 }); // real processes, on machines that have other things to do

const OPENSSL = '/usr/bin/openssl';
const ROOT = resolve(import.meta.dirname, '../..');
const { signal } = new AbortController();
let dir: string;
let fake: FakeBackendLink;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vw-enrol-'));
  fake = await startFakeBackendLink();
});
afterEach(async () => {
  await fake[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

async function viworks(...argv: string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), ...argv], {
    env: { PATH: process.env.PATH, HOME: dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part: Buffer) => {
      text += part.toString();
    });
  }
  return new Promise((done) => child.once('close', (code) => done({ code, text })));
}

function configFile(lines: string): string {
  const file = join(dir, 'gateway.toml');
  writeFileSync(file, lines);
  return file;
}
const good = (): string =>
  `gateway_id = "gw1"\nurl = "${fake.url}"\nstate_dir = "${dir}/state"\nlauncher_socket = "${dir}/l.sock"\ntasks_dir = "${dir}/tasks"\n`;

test.each([
  ['gateway_idd = "x"\n', /gateway\.toml:1:1\s+gateway_idd: unknown key/],
  ['gateway_id = "gw/1"\n', /gateway_id: letters, digits/],
  ['url = "https://backend.example.test/"\n', /url: must be a wss:\/\/ URL/],
  ['url = "ws://backend.example.test/ws/agent"\n', /only loopback may be reached this way/],
  ['state_dir = "relative"\n', /state_dir: must be an absolute path/],
  ['max_concurrent_tasks = 0\n', /max_concurrent_tasks/],
  ['[verbs]\nenabled = ["core", "dance"]\n', /there is no verb dance/],
  ['[local_api]\nport = 70000\n', /local_api\.port/],
])('%j is refused with its place', (lines, expected) => {
  const base = { gateway_id: 'gw1', url: 'wss://backend.example.test/ws/agent', state_dir: '/tmp/x' };
  const rest = Object.entries(base)
    .filter(([key]) => !lines.startsWith(`${key} =`))
    .map(([key, value]) => `${key} = "${value}"\n`);
  const text = lines.startsWith('[') ? rest.join('') + lines : lines + rest.join('');
  let message = '';
  try {
    const check = (
      value: Parameters<NonNullable<typeof configSpec.check>>[0],
    ): ReturnType<NonNullable<typeof configSpec.check>> => configSpec.check?.(value) ?? [];
    parseConfig({ schema: configSpec.schema, text, file: 'gateway.toml', check });
  } catch (error) {
    message = error instanceof ViworksError ? error.message : String(error);
  }
  expect(message).toMatch(expected);
});

test('--check says what is wrong, or nothing, and starts nothing', async () => {
  expect(await viworks('gateway', '--check', '--config', configFile(good()))).toMatchObject({ code: 0 });
  const bad = await viworks('gateway', '--check', '--config', configFile(`${good()}labls = {}\n`));
  expect(bad.code).toBe(64);
  expect(bad.text).toContain('labls: unknown key');
  expect(await viworks('gateway', '--check', '--config', join(dir, 'nowhere.toml'))).toMatchObject({ code: 64 });
});

test('not enrolled and no token: the agent ends, it does not idle', async () => {
  const run = await viworks('gateway', '--config', configFile(`${good()}[local_api]\nport = 0\n`));
  expect(run.code).toBe(64);
  expect(run.text).toContain('VW_GATEWAY_NOT_ENROLLED');
  expect(run.text).toContain('enrolment-token create --gateway gw1');
});

test('trust that cannot be read, a damaged identity, another gateway’s identity: exit 64 each, with the file', async () => {
  writeFileSync(join(dir, 'ca.pem'), 'no certificate');
  const trust = await viworks('gateway', '--config', configFile(`${good()}trust_file = "${dir}/ca.pem"\n`));
  expect(trust).toMatchObject({ code: 64, text: expect.stringContaining('VW_GATEWAY_TRUST_UNREADABLE') });
  mkdirSync(join(dir, 'state'));
  writeFileSync(join(dir, 'state/identity.json'), '{"version":1');
  const damaged = await viworks('gateway', '--config', configFile(good()));
  expect(damaged).toMatchObject({ code: 64, text: expect.stringContaining('VW_GATEWAY_IDENTITY_DAMAGED') });
});

test('an identity is made once, readable by its owner only, and belongs to one gateway', async () => {
  mkdirSync(join(dir, 'state'));
  const first = await openIdentity({ stateDir: join(dir, 'state'), gatewayId: 'gw1' }, signal);
  const again = await openIdentity({ stateDir: join(dir, 'state'), gatewayId: 'gw1' }, signal);
  expect(again.publicKey).toBe(first.publicKey);
  expect(first.enrolled).toBe(false);
  expect(statSync(join(dir, 'state/identity.json')).mode & 0o777).toBe(0o600);
  await expect(openIdentity({ stateDir: join(dir, 'state'), gatewayId: 'gw2' }, signal)).rejects.toMatchObject({
    code: 'VW_GATEWAY_IDENTITY_MISMATCH',
  });
});

test('`viworks enroll`: once is enough; a wrong token is refused; nobody there is told apart', async () => {
  const config = configFile(good());
  writeFileSync(join(dir, 'wrong'), 'wrong-token\n');
  writeFileSync(join(dir, 'token'), 'good-token-gw1\n');
  expect(await viworks('enroll', '--config', config)).toMatchObject({
    code: 64,
    text: expect.stringContaining('--token-file'),
  });
  const nobody = configFile(good().replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
  const away = await viworks('enroll', '--config', nobody, '--token-file', join(dir, 'token'));
  expect(away).toMatchObject({ code: 1, text: expect.stringContaining('VW_GATEWAY_ENROLMENT_FAILED') });
  const again = configFile(good());
  const wrong = await viworks('enroll', '--config', again, '--token-file', join(dir, 'wrong'));
  expect(wrong).toMatchObject({ code: 64, text: expect.stringContaining('VW_GATEWAY_ENROLMENT_REFUSED') });
  for (const said of ['gateway gw1 is enrolled', 'is enrolled already']) {
    const done = await viworks('enroll', '--config', again, '--token-file', join(dir, 'token'));
    expect(done).toMatchObject({ code: 0, text: expect.stringContaining(said) });
  }
});

test('enrolment: the answer decides', async () => {
  const { fingerprint } = await readMachine(signal);
  mkdirSync(join(dir, 'state'));
  const { publicKey } = await openIdentity({ stateDir: join(dir, 'state'), gatewayId: 'gw1' }, signal);
  const ask = (token: string, gatewayId = 'gw1', url = fake.url): Promise<void> =>
    enrol({ url, gatewayId, token: new Secret(token), publicKey, fingerprint }, signal);
  await ask('good-token-gw1');
  await expect(ask('wrong')).rejects.toMatchObject({ code: 'VW_GATEWAY_ENROLMENT_REFUSED', exitCode: 64 });
  await expect(ask('good-token-other')).rejects.toMatchObject({ code: 'VW_GATEWAY_ENROLMENT_REFUSED' });
  await expect(ask('good-token-gw1', 'gw1', 'ws://127.0.0.1:1/ws/agent')).rejects.toMatchObject({
    code: 'VW_GATEWAY_ENROLMENT_FAILED',
    retry: 'later',
  });
  expect(enrolUrl('wss://a.example.test:9443/ws/agent?x=1').href).toBe('https://a.example.test:9443/api/v1/enrol');
});

test('over TLS: the certificate is checked against trust_file, and its key is part of the signed HELLO', async () => {
  const key = join(dir, 'key.pem');
  const certificate = join(dir, 'cert.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  execFileSync(
    OPENSSL,
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      certificate,
      ...subject,
    ],
    { stdio: 'ignore' },
  );
  const inner = Number(new URL(fake.url).port);
  const front = createHttpsServer({ key: readFileSync(key), cert: readFileSync(certificate) });
  // A TLS front of a few lines: what comes out of TLS goes to the fake as it is.
  front.removeAllListeners('secureConnection');
  front.on('secureConnection', (socket) => {
    const behind = connect(inner, '127.0.0.1');
    socket.pipe(behind).pipe(socket);
    socket.on('error', () => behind.destroy());
    behind.on('error', () => socket.destroy());
  });
  await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
  const address = front.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await using bench = createGatewayBench({ url: `wss://127.0.0.1:${port}/ws/agent`, trustFile: certificate });
  const { fingerprint } = await readMachine(signal);
  mkdirSync(join(dir, 'stranger'));
  const { publicKey } = await openIdentity({ stateDir: join(dir, 'stranger'), gatewayId: 'gw1' }, signal);
  const url = `wss://127.0.0.1:${port}/ws/agent`;
  const stranger = { url, gatewayId: 'gw1', token: new Secret('t'), publicKey, fingerprint };
  const untrusted: unknown = await enrol(stranger, signal).catch((error: unknown) => error);
  expect(untrusted).toMatchObject({
    code: 'VW_GATEWAY_ENROLMENT_UNTRUSTED',
    hint: expect.stringContaining('trust_file'),
  });
  expect(String(untrusted)).not.toContain('Node.js');
  await bench.startLauncher();
  await bench.startGateway();
  await fake.until('a session', () => fake.connected);
  const der = execFileSync('sh', [
    '-c',
    `/usr/bin/openssl x509 -in ${certificate} -noout -pubkey | /usr/bin/openssl pkey -pubin -outform der | sha256sum`,
  ]);
  expect(fake.hellos[0]?.spkiSeen).toBe(der.toString().slice(0, 64));
  fake.run({ taskId: 'task-over-tls', verb: 'exec', args: { argv: ['head', '-c', '3000000', '/dev/zero'] } });
  await fake.until('settled', () => fake.tasks.get('task-over-tls')?.settled === true);
  expect(fake.faults).toEqual([]);
  await bench.endGateway('SIGTERM');
  // Another certificate that nobody vouches for: not accepted, and named.
  writeFileSync(certificate, readFileSync(certificate));
  execFileSync(
    OPENSSL,
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      `${key}2`,
      '-out',
      certificate,
      ...subject,
    ],
    { stdio: 'ignore' },
  );
  await bench.startGateway();
  while (!bench.log().includes('backend cannot be reached')) await new Promise((done) => setTimeout(done, 20));
  expect(bench.log()).toContain('"code":"tls"');
  front.close();
});

test('a backend that refuses the token ends the agent, since it does not know the key either', async () => {
  await using bench = createGatewayBench({ url: fake.url, token: 'wrong' });
  await bench.startLauncher();
  await bench.startGateway();
  while (!bench.log().includes('VW_GATEWAY_ENROLMENT_REFUSED')) await new Promise((done) => setTimeout(done, 20));
  expect(await bench.endGateway('SIGTERM')).toBe(64);
  chmodSync(dir, 0o700);
});
