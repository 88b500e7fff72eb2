// The transport against a real SSH server in this process: identity, login, commands, limits, drops, forwards.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, type ParsedKey, Server, utils } from 'ssh2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../agents/runtime/index.ts';
import { openRemote, readHostKey } from './ssh.ts';
import type { RemoteTarget } from './target.ts';

const home = mkdtempSync(join(tmpdir(), 'viworks-ssh-'));
const hostKeys = utils.generateKeyPairSync('ed25519');
const otherHostKeys = utils.generateKeyPairSync('rsa', { bits: 2048 });
const fingerprintOf = (publicKey: string): string =>
  `SHA256:${createHash('sha256')
    .update(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64'))
    .digest('base64')
    .replace(/=+$/, '')}`;
const fingerprint = fingerprintOf(hostKeys.public);
const accepted: { partial: ParsedKey | undefined } = { partial: undefined };
const seen = { authentications: 0, connections: 0 };
const connections = new Set<Connection>();
let server: Server;
let port = 0;

beforeAll(async () => {
  const client = utils.generateKeyPairSync('ed25519');
  writeFileSync(join(home, 'key'), client.private, { mode: 0o600 });
  const allowed = utils.parseKey(client.public);
  if (allowed instanceof Error) throw allowed;
  server = new Server({ hostKeys: [hostKeys.private, otherHostKeys.private] }, (connection) => {
    seen.connections++;
    connections.add(connection);
    connection.on('error', () => undefined);
    connection.on('authentication', (auth) => {
      seen.authentications++;
      if (auth.method === 'publickey' && auth.key.data.equals(allowed.getPublicSSH())) auth.accept();
      else if (
        auth.method === 'publickey' &&
        accepted.partial &&
        auth.key.data.equals(accepted.partial.getPublicSSH())
      ) {
        if (auth.signature) auth.reject(['keyboard-interactive'], true);
        else auth.accept();
      } else auth.reject(['publickey']);
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

test('nothing there, a black hole, a hang-up, another program: each has its own end', async () => {
  const silent = createServer();
  const rude = createServer((socket) => socket.destroy());
  const other = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const ports = await Promise.all(
    [silent, rude, other].map(async (listener) => {
      await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
      return (listener.address() as AddressInfo).port;
    }),
  );
  const refused = await failure(openRemote(target({ port: 1 }), context()));
  expect(refused).toMatchObject({ code: 'VW_REMOTE_REFUSED', exitCode: 8, detail: { end: 'refused' } });
  const error = await failure(openRemote(target({ port: ports[0] as number }), context({ connectMs: 100 })));
  expect(error).toMatchObject({ code: 'VW_REMOTE_TIMEOUT', exitCode: 8, detail: { end: 'timeout' } });
  expect(error.message).toContain('accepted the connection but sent no greeting within 100 ms');
  // However short the time for a dial is: the connection is there, and a login may take its time.
  const slow = await failure(
    openRemote(target({ port: ports[0] as number }), context({ connectMs: 300, dialMs: 100 })),
  );
  expect(slow.message).toContain('sent no greeting within 300 ms');
  expect(await failure(openRemote(target({ port: ports[1] as number }), context()))).toMatchObject({
    code: 'VW_REMOTE_CUT_OFF',
    exitCode: 8,
  });
  const stranger = await failure(openRemote(target({ port: ports[2] as number }), context()));
  expect(stranger).toMatchObject({ code: 'VW_REMOTE_PROTOCOL', exitCode: 8, detail: { end: 'protocol-error' } });
  expect(stranger.message).toContain('HTTP/1.1 400 Bad Request');
  expect(await failure(openRemote(target({ address: 'nothing.example.test' }), context()))).toMatchObject({
    code: 'VW_REMOTE_NAME',
    detail: { end: 'name-unresolved' },
  });
  for (const listener of [silent, rude, other]) listener.close();
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

test('a key that is accepted while more is wanted is not called refused', async () => {
  const second = join(home, 'second');
  const pair = utils.generateKeyPairSync('ed25519');
  writeFileSync(second, pair.private, { mode: 0o600 });
  accepted.partial = utils.parseKey(pair.public) as ParsedKey;
  const error = await failure(openRemote(target({ identityFile: second }), context()));
  expect(error).toMatchObject({ code: 'VW_REMOTE_MORE_WANTED', exitCode: 10, detail: { end: 'more-wanted' } });
  expect(error.message).toContain('wants more: keyboard-interactive');
});

test('a locked key that no agent holds was not offered, and the error says so', async () => {
  const locked = join(home, 'locked');
  const sealed = utils.generateKeyPairSync('ed25519', { passphrase: 'x', cipher: 'aes256-ctr', rounds: 16 });
  writeFileSync(locked, sealed.private, { mode: 0o600 });
  const error = await failure(openRemote(target({ identityFile: locked }), context()));
  expect(error).toMatchObject({ code: 'VW_REMOTE_KEY_LOCKED', exitCode: 64, detail: { end: 'key-not-offered' } });
  expect(error.message).toContain('it has a passphrase');
});

test('a pin of another key type is asked for, and a host without any pinned key has changed', async () => {
  const before = seen.authentications;
  const rsa = fingerprintOf(otherHostKeys.public);
  await using remote = await openRemote(target({ hostKeys: [rsa] }), context());
  expect(remote.hostKey).toBe(rsa);
  expect(seen.authentications).toBeGreaterThan(before);
  const error = await failure(openRemote(target({ hostKeys: ['SHA256:wrong'] }), context()));
  expect(error.message).toContain(fingerprint);
  expect(error.message).toContain(rsa);
});

test('a break settles `ended` with an error, a close does not', async () => {
  const dropped = await openRemote(target(), context());
  await failure(dropped.exec({ argv: ['drop'] }));
  expect(await dropped.ended).toMatchObject({ code: 'VW_REMOTE_DROPPED' });
  const closed = await openRemote(target(), context());
  await closed.close();
  expect(await closed.ended).toBeUndefined();
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
