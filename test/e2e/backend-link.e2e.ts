// The gateways' port: who gets in, who is turned away and with which words, limits, liveness, two of one name.
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { CLOSE, type Frame, type http, limits } from '../../agents/protocol/index.ts';
import {
  connectGateway,
  createIdentity,
  dial,
  type FakeLink,
  type HelloChanges,
  resultOf,
  signedHello,
} from '../support/fake-gateway.ts';
import { createOperator, eventually } from '../support/operator.ts';
import { seedStore, startBackend, type TestBackend } from '../support/test-backend.ts';

let directory: string;
let backend: TestBackend;
let tokens: Record<http.Role, string>;
const identities = ['gw1', 'gw2', 'gw3', 'gw4', 'gw5'].map(createIdentity);
const [gw1, gw2, gw3, gw4, gw5] = identities as [
  (typeof identities)[0],
  (typeof identities)[0],
  (typeof identities)[0],
  (typeof identities)[0],
  (typeof identities)[0],
];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vw-backend-'));
  tokens = await seedStore(directory, { gateways: identities });
  backend = await startBackend({
    directory,
    toml: 'max_agent_connections = 4\nrelease_id = "r1"\n[api]\nport = 0\n[agents]\nport = 0\nheartbeat_seconds = 1\n',
  });
});

afterAll(async () => {
  await backend.stop();
  await rm(directory, { recursive: true });
});

async function expectRefused(link: FakeLink, name: keyof typeof CLOSE): Promise<string> {
  const refused = await link.next('session.refused');
  expect(refused).toMatchObject({ name, code: CLOSE[name].code });
  expect((await link.closed).code).toBe(CLOSE[name].code);
  return refused.message;
}

async function hello(
  identity: typeof gw1,
  changes: HelloChanges = {},
  edit: (frame: ReturnType<typeof signedHello>) => Frame = (frame) => frame,
): Promise<FakeLink> {
  const link = await dial(backend.agents);
  const { nonce } = await link.next('session.challenge');
  link.send(edit(signedHello(identity, nonce, changes)));
  return link;
}

function upgradeStatus(url: string, protocols: string[]): Promise<number> {
  const socket = new WebSocket(url, protocols);
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('open', () => reject(new Error('it was let in')));
    socket.on('error', () => {});
  });
}

test('a good HELLO is welcomed, and promised lines are logged', async () => {
  const link = await connectGateway(backend.agents, gw1);
  expect(link.welcome).toMatchObject({
    protocol: 1,
    heartbeatMs: 1000,
    taskCreditBytes: limits.TASK_CREDIT_BYTES,
    tasks: [],
  });
  await link.close();
  const lines = await eventually(
    () => backend.log.map(({ msg }) => msg),
    (seen) => seen.includes('session lost'),
  );
  expect(lines).toEqual(
    expect.arrayContaining(['WebSocket server listening', 'WebSocket connection established', 'HELLO accepted']),
  );
});

test.each<[string, string, string[], number]>([
  ['a wrong subprotocol', '', ['viworks.agent.v9'], 400],
  ['no subprotocol', '', [], 400],
  ['another path', '/extra', ['viworks.agent.v1'], 404],
  ['a prefix of it', '/../other', ['viworks.agent.v1'], 404],
])('%s is refused before the upgrade', async (_name, suffix, protocols, status) => {
  expect(await upgradeStatus(backend.agents + suffix, protocols)).toBe(status);
});

test('plain HTTP on this port is /health or 404', async () => {
  const base = backend.agents.replace('ws:', 'http:');
  expect((await fetch(base)).status).toBe(404);
  expect((await fetch(base.replace('/ws/agent', '/'))).status).toBe(404);
  expect((await fetch(base.replace('/ws/agent', '/health'), { method: 'POST' })).status).toBe(404);
});

test.each<[string, HelloChanges, (frame: ReturnType<typeof signedHello>) => Frame, keyof typeof CLOSE]>([
  ['a changed field', {}, (frame) => ({ ...frame, incarnation: 2 }), 'bad_signature'],
  ['a signature that is none', {}, (frame) => ({ ...frame, signature: 'AAAA' }), 'bad_signature'],
  ['an unknown gateway', {}, (frame) => ({ ...frame, gatewayId: 'nobody' }), 'not_enrolled'],
  ['too new a protocol', { protocol: 99 }, (frame) => frame, 'protocol_too_old'],
])('HELLO with %s is refused', async (_name, changes, edit, name) => {
  await expectRefused(await hello(gw1, changes, edit), name);
});

test('a recorded HELLO is worth nothing on another link', async () => {
  const first = await dial(backend.agents);
  const recorded = signedHello(gw1, (await first.next('session.challenge')).nonce);
  await first.close();
  const second = await dial(backend.agents);
  await second.next('session.challenge');
  second.send(recorded);
  await expectRefused(second, 'bad_signature');
});

test('a probe with a token is answered and never registered; without one it is refused in words', async () => {
  const probe = async (token?: string): Promise<FakeLink> => {
    const link = await dial(backend.agents, { headers: { 'x-forwarded-for': '198.51.100.7' } });
    await link.next('session.challenge');
    link.send({ type: 'session.probe', protocol: 1, ...(token === undefined ? {} : { token }) });
    return link;
  };
  for (const role of ['probe', 'admin'] as const) {
    const link = await probe(tokens[role]);
    expect(await link.next('session.probed')).toMatchObject({
      protocol: 1,
      releaseId: 'r1',
      remoteAddress: '198.51.100.7',
    });
    expect((await link.closed).code).toBe(1000);
  }
  await expectRefused(await probe(), 'probe_refused');
  await expectRefused(await probe('vw_wrong'), 'probe_refused');
  expect(backend.backend.agents.port).toBeGreaterThan(0);
});

test('silence, and a HELLO that never ends, are cut after five seconds', async () => {
  const silent = await dial(backend.agents);
  const slow = connect(backend.backend.agents.port, '127.0.0.1');
  slow.write('GET /ws/agent HTTP/1.1\r\nHost: x\r\n');
  const slowClosed = new Promise<void>((resolve) => slow.on('close', () => resolve()).on('error', () => {}));
  slow.resume();
  await expectRefused(silent, 'handshake_timeout');
  await slowClosed;
}, 15_000);

test('before WELCOME a frame over the handshake limit is cut by its header; after it large frames pass', async () => {
  const stranger = await dial(backend.agents);
  await stranger.next('session.challenge');
  stranger.socket.send('x'.repeat(limits.MAX_HANDSHAKE_FRAME_BYTES + 1));
  expect((await stranger.closed).code).toBe(1009);
  const link = await connectGateway(backend.agents, gw1);
  // An unknown field may be as long as the frame allows: it is dropped, not refused.
  link.socket.send(JSON.stringify({ type: 'session.ping', nonce: 4, padding: 'x'.repeat(1_500_000) }));
  expect(await link.next('session.pong')).toEqual({ type: 'session.pong', nonce: 4 });
  link.socket.send('x'.repeat(limits.MAX_FRAME_BYTES + 1));
  expect((await link.closed).code).toBe(1009);
});

test.each<[string, string | Uint8Array]>([
  ['broken JSON', '{'],
  ['an unknown type', '{"type":"task.sing"}'],
  ['wrong types', '{"type":"task.accepted","taskId":"task-0001","fence":"one"}'],
  [
    'a negative offset',
    '{"type":"task.gap","taskId":"task-0001","stream":"out","from":-1,"to":2,"reason":"disk_full"}',
  ],
  ['a truncated binary header', new Uint8Array(10)],
  ['a binary frame of nonsense', new Uint8Array(64).fill(255)],
])('%s closes the link, coded; the backend lives', async (_name, data) => {
  const link = await connectGateway(backend.agents, gw1);
  link.socket.send(data);
  await expectRefused(link, 'protocol_error');
});

test('deflate is not spoken even when offered', async () => {
  const socket = new WebSocket(backend.agents, 'viworks.agent.v1', { perMessageDeflate: true });
  await new Promise((resolve) => socket.on('open', resolve));
  expect(socket.extensions).toBe('');
  socket.terminate();
});

test('the newer session of a gateway wins, once', async () => {
  const first = await connectGateway(backend.agents, gw2);
  const second = await connectGateway(backend.agents, gw2);
  await expectRefused(first, 'superseded');
  expect(second.welcome.sessionEpoch).toBe(first.welcome.sessionEpoch + 1);
  second.send({ type: 'session.ping', nonce: 1 });
  await second.next('session.pong');
  await second.close();
});

test('two machines with one id: after three turns both are sent away for good', async () => {
  const attach = (fingerprint: string): Promise<FakeLink> => hello(gw3, { fingerprint });
  const links: FakeLink[] = [];
  for (const fingerprint of ['a', 'b', 'a']) {
    const link = await attach(fingerprint);
    await link.next('session.welcome');
    links.push(link);
  }
  await expectRefused(await attach('b'), 'identity_conflict');
  await expectRefused(links[2] as FakeLink, 'identity_conflict');
  expect(backend.log.some(({ msg, level }) => msg === 'identity conflict' && level === 'error')).toBe(true);
});

test('a gateway that does not answer pings is given up', async () => {
  const link = await hello(gw4);
  await link.next('session.welcome');
  await expectRefused(link, 'no_pong');
}, 20_000);

test('more than max_agent_connections are told to come back later', async () => {
  const operator = createOperator(() => backend.api, tokens.viewer);
  const connected = async (): Promise<number> =>
    (
      (await (await operator.request('GET', '/api/v1/gateways')).json()) as { gateways: http.GatewayBody[] }
    ).gateways.filter(({ state }) => state === 'connected').length;
  await eventually(connected, (count) => count === 0);
  const links = [];
  for (const identity of [gw1, gw2, gw4, gw5]) links.push(await connectGateway(backend.agents, identity));
  const fingerprints = await connectGateway(backend.agents, gw1);
  links.push(fingerprints);
  await expectRefused(await hello(gw3), 'too_many');
  for (const link of links.slice(1)) await link.close();
});

test('a result of somebody else’s task changes nothing', async () => {
  const operator = createOperator(() => backend.api, tokens.operator);
  const owner = await connectGateway(backend.agents, gw1);
  const thief = await connectGateway(backend.agents, gw2);
  const { taskId } = await operator.task('gw1', ['sleep']);
  const { fence } = await owner.next('task.run');
  thief.send({ type: 'task.exit', taskId, fence, result: resultOf({ code: 1 }) });
  thief.send({ type: 'session.ping', nonce: 1 });
  await thief.next('session.pong');
  expect((await operator.show(taskId)).state).toBe('sent');
  await eventually(
    () => backend.log.map(({ msg }) => msg),
    (seen) => seen.includes('result refused'),
  );
  await Promise.all([owner.close(), thief.close()]);
});

test('output beyond its credit closes the link', async () => {
  const operator = createOperator(() => backend.api, tokens.operator);
  const link = await connectGateway(backend.agents, gw1);
  const { taskId } = await operator.task('gw1', ['yes']);
  await link.next('task.run');
  link.send({ type: 'task.started', taskId, taskRef: 1, streamEpoch: 'e', startedAt: 1 });
  link.output({ taskRef: 1, stream: 'out', offset: 8 * 1024 * 1024, bytes: Buffer.from('x') });
  await expectRefused(link, 'protocol_error');
});
