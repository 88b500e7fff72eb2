// The transport against a real SSH server in this process: identity, login, commands, limits, drops, forwards.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, Server, utils } from 'ssh2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../agents/runtime/index.ts';
import { openRemote, readHostKey } from './ssh.ts';
import type { RemoteTarget } from './target.ts';

const home = mkdtempSync(join(tmpdir(), 'viworks-ssh-'));
const hostKeys = utils.generateKeyPairSync('ed25519');
const fingerprint = `SHA256:${createHash('sha256')
  .update(Buffer.from(hostKeys.public.split(' ')[1] ?? '', 'base64'))
  .digest('base64')
  .replace(/=+$/, '')}`;
const seen = { authentications: 0, connections: 0 };
const connections = new Set<Connection>();
let server: Server;
let port = 0;

beforeAll(async () => {
  const client = utils.generateKeyPairSync('ed25519');
  writeFileSync(join(home, 'key'), client.private, { mode: 0o600 });
  const allowed = utils.parseKey(client.public);
  if (allowed instanceof Error) throw allowed;
  server = new Server({ hostKeys: [hostKeys.private] }, (connection) => {
    seen.connections++;
    connections.add(connection);
    connection.on('error', () => undefined);
    connection.on('authentication', (auth) => {
      seen.authentications++;
      if (auth.method === 'publickey' && auth.key.data.equals(allowed.getPublicSSH())) auth.accept();
      else auth.reject(['publickey']);
    });
    connection.on('ready', () => serve(connection));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => {
  for (const connection of connections) connection.end();
  server.close();
  rmSync(home, { recursive: true });
});

// Sentinel commands, so that each ending can be asked for.
function serve(connection: Connection): void {
  connection.on('tcpip', (accept) => accept().end('forwarded'));
  connection.on('session', (accept) => {
    accept().on('exec', (acceptExec, _reject, { command }) => {
      const channel = acceptExec();
      if (command === 'drop') connection.end();
      else if (command === 'hang') channel.write('started');
      else if (command === 'flood') channel.write(Buffer.alloc(100_000));
      else if (command === 'cat') channel.on('data', (part: Buffer) => channel.write(part)).on('end', () => end(0));
      else if (command === 'killed') {
        channel.exit('TERM');
        channel.end();
      } else {
        channel.write(Buffer.from([0, 255, 10]));
        channel.stderr.write(command);
        end(7);
      }
      function end(code: number): void {
        channel.exit(code);
        channel.end();
      }
    });
  });
}

const target = (changes: Partial<RemoteTarget> = {}): RemoteTarget => ({
  name: 'be1',
  address: '127.0.0.1',
  port,
  user: 'op',
  hostKeys: [fingerprint],
  identityFile: join(home, 'key'),
  ...changes,
});
const context = (changes: object = {}) => ({
  signal: AbortSignal.timeout(10_000),
  clock: systemClock,
  env: { HOME: home },
  ...changes,
});
const failure = (promise: Promise<unknown>): Promise<{ code: string; message: string; exitCode: number }> =>
  promise.then(
    () => Promise.reject(new Error('it worked')),
    (error) => error,
  );

test('a command gives its code and its exact bytes, over one connection', async () => {
  const before = seen.connections;
  await using remote = await openRemote(target(), context());
  const result = await remote.exec({ argv: ['true', 'a b'] });
  expect(result).toEqual({
    code: 7,
    signal: null,
    stdout: Buffer.from([0, 255, 10]),
    stderr: Buffer.from("true 'a b'"),
  });
  const echoed = await remote.exec({ argv: ['cat'] }, { stdin: Buffer.alloc(300_000, 1) });
  expect(echoed.stdout.equals(Buffer.alloc(300_000, 1))).toBe(true);
  expect(await remote.exec({ argv: ['killed'] })).toMatchObject({ code: null, signal: 'SIGTERM' });
  expect(remote.hostKey).toBe(fingerprint);
  expect(seen.connections - before).toBe(1);
});

test('a changed key is refused before authentication, with both fingerprints', async () => {
  const before = seen.authentications;
  const error = await failure(openRemote(target({ hostKeys: ['SHA256:wrong'] }), context()));
  expect(error).toMatchObject({ code: 'VW_REMOTE_HOST_KEY_CHANGED', exitCode: 9 });
  expect(error.message).toContain('SHA256:wrong');
  expect(error.message).toContain(fingerprint);
  expect(seen.authentications).toBe(before);
});

test('without a pin, known_hosts decides', async () => {
  expect(await failure(openRemote(target({ hostKeys: [] }), context()))).toMatchObject({
    code: 'VW_REMOTE_HOST_KEY_UNKNOWN',
    exitCode: 9,
  });
  const other = mkdtempSync(join(home, 'known-'));
  const { mkdirSync } = await import('node:fs');
  mkdirSync(join(other, '.ssh'));
  writeFileSync(join(other, '.ssh/known_hosts'), `[127.0.0.1]:${port} ${hostKeys.public}\n`);
  await using remote = await openRemote(target({ hostKeys: [] }), context({ env: { HOME: other } }));
  expect(remote.hostKey).toBe(fingerprint);
});

test('who is not let in learns which keys were offered', async () => {
  const stranger = join(home, 'stranger');
  writeFileSync(stranger, utils.generateKeyPairSync('ed25519').private, { mode: 0o600 });
  const error = await failure(openRemote(target({ identityFile: stranger }), context()));
  expect(error).toMatchObject({ code: 'VW_REMOTE_AUTH', exitCode: 10 });
  expect(error.message).toContain(stranger);
  expect(await failure(openRemote(target({ identityFile: '/nonexistent' }), context()))).toMatchObject({
    code: 'VW_REMOTE_IDENTITY_FILE',
    exitCode: 64,
  });
});

test('a dropped link is an error, never an exit code', async () => {
  await using remote = await openRemote(target(), context());
  expect(await failure(remote.exec({ argv: ['drop'] }))).toMatchObject({ code: 'VW_REMOTE_DROPPED', exitCode: 8 });
  expect(await failure(remote.exec({ argv: ['true'] }))).toMatchObject({ code: 'VW_REMOTE_DROPPED' });
});

test('deadlines and output caps hold', async () => {
  await using remote = await openRemote(target(), context());
  expect(await failure(remote.exec({ argv: ['hang'] }, { timeoutMs: 50 }))).toMatchObject({
    code: 'VW_REMOTE_DEADLINE',
  });
  expect(await failure(remote.exec({ argv: ['flood'] }, { maxBytes: 10 }))).toMatchObject({ code: 'VW_REMOTE_OUTPUT' });
  expect((await remote.exec({ argv: ['true'] })).code).toBe(7);
});

test('a forward reaches what the host reaches', async () => {
  await using remote = await openRemote(target(), context());
  const stream = await remote.forward('127.0.0.1', 80);
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  expect(Buffer.concat(parts).toString()).toBe('forwarded');
});

test('nothing there, and a black hole', async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const silentPort = (silent.address() as AddressInfo).port;
  const refused = await failure(openRemote(target({ port: 1 }), context()));
  expect(refused).toMatchObject({ code: 'VW_REMOTE_UNREACHABLE', exitCode: 8 });
  expect(refused.message).toContain('connection refused');
  const error = await failure(openRemote(target({ port: silentPort }), context({ connectMs: 100 })));
  expect(error).toMatchObject({ code: 'VW_REMOTE_UNREACHABLE' });
  expect(error.message).toContain('100 ms');
  silent.close();
});

test('an abort ends connecting at once', async () => {
  const controller = new AbortController();
  const opening = failure(openRemote(target(), context({ signal: controller.signal })));
  controller.abort(new Error('enough'));
  expect((await opening).message).toBe('enough');
});

test('a key can be read without trusting it', async () => {
  const before = seen.authentications;
  expect(await readHostKey(target({ hostKeys: [] }), context())).toEqual({ type: 'ssh-ed25519', fingerprint });
  expect(seen.authentications).toBe(before);
});

test('a jump host is refused clearly', async () => {
  expect(await failure(openRemote(target({ jump: 'be1' }), context()))).toMatchObject({ code: 'VW_REMOTE_JUMP' });
});

test('keys with a passphrase are recognised', async () => {
  const { isEncrypted } = await import('./credentials.ts');
  const { privateKey } = generateKeyPairSync('ed25519');
  const plain = privateKey.export({ format: 'pem', type: 'pkcs8' });
  const locked = privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' });
  expect(isEncrypted(Buffer.from(plain))).toBe(false);
  expect(isEncrypted(Buffer.from(locked))).toBe(true);
  expect(isEncrypted(Buffer.from(utils.generateKeyPairSync('ed25519').private))).toBe(false);
  const sealed = utils.generateKeyPairSync('ed25519', { passphrase: 'x', cipher: 'aes256-ctr', rounds: 16 });
  expect(isEncrypted(Buffer.from(sealed.private))).toBe(true);
});
