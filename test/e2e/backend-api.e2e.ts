// The API's rules: who may do what, what is refused and how, idempotency, enrolment, health, metrics.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { http } from '../../agents/protocol/index.ts';
import { connectGateway, createIdentity } from '../support/fake-gateway.ts';
import { createOperator, eventually } from '../support/operator.ts';
import { seedStore, startBackend, type TestBackend } from '../support/test-backend.ts';

let directory: string;
let backend: TestBackend;
let tokens: Record<http.Role, string>;
const gw1 = createIdentity('gw1');
const EXEC = { verb: 'exec', args: { argv: ['true'] }, gateways: ['gw1'], ttlMs: 60_000 };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vw-backend-'));
  tokens = await seedStore(directory, { gateways: [gw1] });
  backend = await startBackend({ directory });
});

afterAll(async () => {
  await backend.stop();
  await rm(directory, { recursive: true });
});

const as = (role: http.Role): ReturnType<typeof createOperator> => createOperator(() => backend.api, tokens[role]);

async function failure(response: Response): Promise<http.ErrorBody & { status: number }> {
  return { status: response.status, ...http.errorBody.parse(await response.json()) };
}

test.each<[string, string, http.Role, unknown?]>([
  ['GET', '/api/v1/tasks', 'viewer'],
  ['GET', '/api/v1/commands/00000000-0000', 'viewer'],
  ['POST', '/api/v1/commands', 'operator', EXEC],
  ['POST', '/api/v1/tasks/00000000-0000/cancel', 'operator', {}],
  ['GET', '/api/v1/tokens', 'admin'],
  ['POST', '/api/v1/tokens', 'admin', { name: 'x', role: 'viewer' }],
  ['POST', '/api/v1/enrolment-tokens', 'admin', { gatewayId: 'gw9' }],
  ['PUT', '/api/v1/log-level', 'admin', { level: 'debug' }],
])('%s %s needs %s', async (method, path, role, body) => {
  const options = body === undefined ? {} : { body };
  const unknown = await failure(await createOperator(() => backend.api, 'vw_wrong').request(method, path, options));
  expect(unknown).toMatchObject({ status: 401, code: 'VW_BACKEND_UNAUTHENTICATED' });
  const none = await fetch(backend.api + path, { method });
  expect(none.status).toBe(401);
  expect(none.headers.get('www-authenticate')).toBe('Bearer');
  const weaker = http.ROLES[http.ROLES.indexOf(role) - 1];
  if (!weaker) throw new Error('no weaker role');
  const forbidden = await failure(await as(weaker).request(method, path, options));
  expect(forbidden).toMatchObject({ status: 403, code: 'VW_BACKEND_FORBIDDEN', detail: { needed: role } });
  const allowed = await as(role).request(method, path, options);
  expect([200, 201, 404]).toContain(allowed.status);
  await allowed.body?.cancel();
});

test('the role probe reads the registry and runs the small canary as it is; all else is refused', async () => {
  const probe = as('probe');
  for (const path of ['/api/v1/gateways', '/api/v1/gateways/gw1']) {
    expect((await probe.request('GET', path)).status).toBe(200);
  }
  const canary = { verb: 'canary', args: { bytes: 4096 }, gateways: ['gw1'], timeoutMs: 5_000, ttlMs: 5_000 };
  const allowed = await probe.request('POST', '/api/v1/commands', { body: canary });
  expect([allowed.status, ((await allowed.json()) as http.CommandBody).tasks[0]?.verb]).toEqual([201, 'canary']);
  const given = { ...canary, stdin: Buffer.alloc(65_536).toString('base64') };
  expect((await probe.request('POST', '/api/v1/commands', { body: given })).status).toBe(201);
  const more = [
    { verb: 'get_system_health', args: {} },
    { verb: 'exec', args: { argv: ['true'] } },
    { args: { bytes: 65_537 } },
    { gateways: ['gw1', 'gw2'] },
    { timeoutMs: 30_001 },
    { timeoutMs: 0 },
    { ttlMs: undefined },
    { env: { PATH: '/tmp' } },
    { cwd: '/tmp' },
    { stdin: Buffer.alloc(65_537).toString('base64') },
    { verb: 'shell', args: { script: 'cat' }, stdin: '' },
  ];
  for (const change of more) {
    const refused = await failure(await probe.request('POST', '/api/v1/commands', { body: { ...canary, ...change } }));
    expect([change, refused]).toEqual([
      change,
      expect.objectContaining({
        status: 403,
        code: 'VW_BACKEND_FORBIDDEN',
        detail: expect.objectContaining({ needed: 'operator' }),
      }),
    ]);
  }
});

test.each<[string, unknown, number, string]>([
  ['an unknown gateway', { ...EXEC, gateways: ['nobody'] }, 404, 'VW_BACKEND_UNKNOWN_GATEWAY'],
  ['an unknown verb', { ...EXEC, verb: 'sing' }, 409, 'VW_BACKEND_UNKNOWN_VERB'],
  ['arguments that do not fit', { ...EXEC, args: { argv: [] } }, 400, 'VW_BACKEND_INVALID'],
  ['an unknown field', { ...EXEC, argz: 1 }, 400, 'VW_BACKEND_INVALID'],
  ['no gateways', { ...EXEC, gateways: [] }, 400, 'VW_BACKEND_INVALID'],
  ['a negative timeout', { ...EXEC, timeoutMs: -1 }, 400, 'VW_BACKEND_INVALID'],
  [
    'stdin over 1 MiB',
    { ...EXEC, stdin: Buffer.alloc(1024 * 1024 + 1).toString('base64') },
    413,
    'VW_BACKEND_TOO_LARGE',
  ],
  ['a body over 4 MiB', { ...EXEC, env: { A: 'x'.repeat(4 * 1024 * 1024) } }, 413, 'VW_BACKEND_TOO_LARGE'],
  [
    'more than fits in a frame',
    { ...EXEC, args: { argv: Array.from({ length: 20 }, () => 'x'.repeat(120_000)) } },
    413,
    'VW_BACKEND_TOO_LARGE',
  ],
])('%s is refused with a hint', async (_name, body, status, code) => {
  const refused = await failure(await as('operator').request('POST', '/api/v1/commands', { body }));
  expect(refused).toMatchObject({ status, code });
  expect(refused.hint.length).toBeGreaterThan(10);
});

test('what is not there says where to look', async () => {
  expect(await failure(await as('viewer').request('GET', '/api/v1/tasks/none'))).toMatchObject({
    status: 404,
    code: 'VW_BACKEND_NOT_FOUND',
    message: 'there is no task none',
  });
  expect(await failure(await as('viewer').request('GET', '/nothing'))).toMatchObject({
    status: 404,
    code: 'VW_BACKEND_NO_ROUTE',
  });
  expect(await failure(await as('viewer').request('GET', '/api/v1/tasks?limit=abc'))).toMatchObject({ status: 400 });
  const broken = await fetch(`${backend.api}/api/v1/commands`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.operator}`, 'content-type': 'application/json' },
    body: '{',
  });
  expect(await failure(broken)).toMatchObject({ status: 400, code: 'VW_BACKEND_INVALID' });
});

test('the same key and body give the same command; another body is a conflict', async () => {
  const headers = { 'idempotency-key': 'release-42' };
  const post = (body: unknown): Promise<Response> =>
    as('operator').request('POST', '/api/v1/commands', { body, headers });
  const first = await post(EXEC);
  const second = await post(EXEC);
  expect([first.status, second.status]).toEqual([201, 200]);
  const { commandId, tasks } = (await first.json()) as http.CommandBody;
  expect(await second.json()).toMatchObject({ commandId, tasks: [{ taskId: tasks[0]?.taskId }] });
  const conflict = await failure(await post({ ...EXEC, args: { argv: ['false'] } }));
  expect(conflict).toMatchObject({ status: 409, code: 'VW_BACKEND_IDEMPOTENCY_CONFLICT', detail: { commandId } });
  const races = await Promise.all(
    Array.from({ length: 10 }, () => as('operator').command(EXEC, { 'idempotency-key': 'race' })),
  );
  expect(new Set(races.map((command) => command.commandId)).size).toBe(1);
});

test('a token made here works at once and not after it was revoked', async () => {
  const made = (await (
    await as('admin').request('POST', '/api/v1/tokens', { body: { name: 'bob', role: 'viewer' } })
  ).json()) as {
    tokenId: string;
    token: string;
  };
  const bob = createOperator(() => backend.api, made.token);
  expect((await bob.request('GET', '/api/v1/gateways')).status).toBe(200);
  const again = await as('admin').request('POST', '/api/v1/tokens', { body: { name: 'bob', role: 'viewer' } });
  expect(await failure(again)).toMatchObject({ status: 409, code: 'VW_BACKEND_NAME_TAKEN' });
  const listed = http.tokenList.parse(await (await as('admin').request('GET', '/api/v1/tokens')).json());
  expect(listed.tokens.map(({ name }) => name)).toContain('bob');
  expect((await as('admin').request('DELETE', `/api/v1/tokens/${made.tokenId}`)).status).toBe(204);
  expect((await bob.request('GET', '/api/v1/gateways')).status).toBe(401);
});

test('enrolment: one token, one winner, and the key works', async () => {
  const body = { gatewayId: 'gw-new' };
  const { token } = (await (await as('admin').request('POST', '/api/v1/enrolment-tokens', { body })).json()) as {
    token: string;
  };
  const identity = createIdentity('gw-new');
  const enrol = (publicKey: string): Promise<Response> =>
    fetch(`${backend.api}/api/v1/enrol`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, publicKey, fingerprint: 'machine-1' }),
    });
  expect((await enrol('AAAA')).status).toBe(400);
  const [first, second] = await Promise.all([enrol(identity.publicKey), enrol(identity.publicKey)]);
  expect([first.status, second.status].sort()).toEqual([200, 403]);
  const loser = first.status === 403 ? first : second;
  expect(await failure(loser)).toMatchObject({
    code: 'VW_BACKEND_ENROLMENT_REFUSED',
    message: expect.stringContaining('used before'),
  });
  const link = await connectGateway(backend.agents, identity, { labels: { site: 'berlin' } });
  const shown = http.gatewayBody.parse(await (await as('viewer').request('GET', '/api/v1/gateways/gw-new')).json());
  expect(shown).toMatchObject({
    state: 'connected',
    labels: { site: 'berlin' },
    sessionEpoch: 1,
    remoteAddress: '127.0.0.1',
  });
  expect(shown.verbs).toContainEqual(expect.objectContaining({ name: 'exec', matches: true }));
  await link.close();
  const after = await eventually(
    async () => http.gatewayBody.parse(await (await as('viewer').request('GET', '/api/v1/gateways/gw-new')).json()),
    ({ state }) => state === 'disconnected',
  );
  expect(after.lastClose).toBeDefined();
});

test('health is the same on both ports, and complete', async () => {
  for (const url of [backend.api, backend.agents.replace('ws:', 'http:').replace('/ws/agent', '')]) {
    const response = await fetch(`${url}/health`);
    expect(response.status).toBe(200);
    const body = http.healthBody.parse(await response.json());
    expect(body.status).toBe('healthy');
    expect(Object.values(body.parts).every(({ state }) => state === 'up')).toBe(true);
    expect(Object.keys(body.parts).sort()).toEqual(['agents-listener', 'api-listener', 'engine', 'serving', 'store']);
  }
});

test('metrics have the promised names; strangers do not get them', async () => {
  const text = await (await fetch(`${backend.api}/metrics`)).text();
  for (const name of [
    'viworks_agent_sessions{state="connected"}',
    'viworks_tasks{state="queued"}',
    'viworks_part_up{part="store"} 1',
    'viworks_store_commit_seconds_bucket',
  ])
    expect(text).toContain(name);
  const stranger = await fetch(`${backend.api}/metrics`, { headers: { 'x-forwarded-for': '198.51.100.7' } });
  expect(stranger.status).toBe(401);
});

test('the API describes itself', async () => {
  const document = (await (await fetch(`${backend.api}/api/v1/openapi.json`)).json()) as {
    paths: Record<string, unknown>;
  };
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining(['/health', '/api/v1/commands', '/api/v1/tasks/{taskId}/output', '/api/v1/enrol']),
  );
  expect(JSON.stringify(document)).not.toContain('"$ref":"#/definitions');
});

test('the log level changes while it runs', async () => {
  const response = await as('admin').request('PUT', '/api/v1/log-level', { body: { level: 'debug' } });
  expect(await response.json()).toEqual({ level: 'debug' });
  expect(
    (await failure(await as('admin').request('PUT', '/api/v1/log-level', { body: { level: 'loud' } }))).status,
  ).toBe(400);
});
