// The client against real servers: trust, refusals, proxies' pages, silence.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type ApiTarget, Secret, systemClock } from '../../agents/runtime/index.ts';
import { type IssuedCertificate, issueServerCertificate } from '../../deploy/ca/authority.ts';
import { createClient } from './client.ts';

const home = mkdtempSync(join(tmpdir(), 'viworks-client-'));
const open: { close(): unknown }[] = [];
let issued: IssuedCertificate;
beforeAll(async () => {
  const names = ['localhost'];
  const signal = AbortSignal.timeout(10_000);
  issued = await issueServerCertificate({
    caDir: join(home, 'ca'),
    project: 'test',
    names,
    clock: systemClock,
    signal,
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of open.splice(0)) server.close();
});
afterAll(() => rmSync(home, { recursive: true }));

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(server);
  return (server.address() as AddressInfo).port;
}
const target = (url: string, more: Partial<ApiTarget> = {}): ApiTarget => ({
  url: new URL(url),
  token: new Secret('t'),
  ca: undefined,
  context: undefined,
  ...more,
});
const get = (given: ApiTarget) => createClient(given).json({ method: 'GET', path: '/api/v1/gateways' });
const answering = (listener: RequestListener) => listen(createServer(listener));

test('the token goes along; the answer comes back', async () => {
  const port = await answering((request, response) =>
    response.end(JSON.stringify({ said: request.headers.authorization })),
  );
  expect(await get(target(`http://127.0.0.1:${port}`))).toEqual({ said: 'Bearer t' });
});

test('trust: the given authority, the system’s, and nothing else', async () => {
  const tls = createTlsServer({ cert: issued.certificatePem, key: issued.keyPem }, (_request, response) =>
    response.end('{}'),
  );
  const url = `https://localhost:${await listen(tls)}`;
  expect(await get(target(url, { ca: issued.trustPem }))).toEqual({});
  const other = await issueServerCertificate({
    caDir: join(home, 'other'),
    project: 'other',
    names: ['localhost'],
    clock: systemClock,
    signal: AbortSignal.timeout(10_000),
  });
  const error = { code: 'VW_CLI_UNTRUSTED', exitCode: 64, hint: expect.stringContaining('--trust-file') };
  await expect(get(target(url, { ca: other.trustPem }))).rejects.toMatchObject(error);
  // The system's roots are read once a process, so this comes last.
  const roots = join(home, 'roots.pem');
  writeFileSync(roots, issued.trustPem);
  vi.stubEnv('SSL_CERT_FILE', roots);
  expect(await get(target(url))).toEqual({});
});

test.each<[string, number, string, object]>([
  [
    'a bad token',
    401,
    JSON.stringify({ code: 'X', message: 'unknown token' }),
    { code: 'VW_CLI_UNAUTHORISED', exitCode: 64 },
  ],
  ['a weak role', 403, JSON.stringify({ code: 'X', message: 'viewer' }), { code: 'VW_CLI_UNAUTHORISED' }],
  [
    'a refusal',
    409,
    JSON.stringify({ code: 'X', message: 'other body', hint: 'h' }),
    { code: 'VW_CLI_REFUSED', message: 'other body', hint: 'h' },
  ],
  [
    'a failure',
    500,
    JSON.stringify({ code: 'X', message: 'disk', hint: 'h' }),
    { code: 'VW_CLI_BACKEND_FAILED', retry: 'later' },
  ],
  ['a proxy without backend', 502, '<html>', { code: 'VW_CLI_UNREACHABLE', message: expect.stringContaining('502') }],
  ['a page of somebody else', 404, '<html>', { code: 'VW_CLI_ANSWER', exitCode: 69 }],
  ['a page of somebody else with 200', 200, '<html>', { code: 'VW_CLI_ANSWER' }],
])('%s', async (_name, status, body, error) => {
  const port = await answering((_request, response) => response.writeHead(status).end(body));
  await expect(get(target(`http://127.0.0.1:${port}`, { context: 'acme' }))).rejects.toMatchObject(error);
});

test('nobody there, and a connection that is cut in the middle of the answer', async () => {
  await expect(get(target('http://127.0.0.1:1'))).rejects.toMatchObject({
    code: 'VW_CLI_UNREACHABLE',
    message: expect.stringContaining('ECONNREFUSED'),
  });
  const port = await answering((_request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('{');
    setImmediate(() => response.destroy());
  });
  await expect(get(target(`http://127.0.0.1:${port}`))).rejects.toMatchObject({ code: 'VW_CLI_UNREACHABLE' });
});

test('an abort gives its own reason', async () => {
  const silent = createTcpServer(() => {});
  const port = await listen(silent);
  const controller = new AbortController();
  const reason = new Error('enough');
  const call = createClient(target(`http://127.0.0.1:${port}`)).json({
    method: 'GET',
    path: '/',
    signal: controller.signal,
  });
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
});
