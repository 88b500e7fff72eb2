// The gates against a stand-in backend on loopback: what passes, and what each failure is called.
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../agents/runtime/index.ts';
import type { HostState, Manifest } from '../plan/manifest.ts';
import { type GateContext, GateError, gatesOf, passGates } from './gates.ts';
import { EMPTY_STATE } from './memory.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_request, response) => answer(response));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (status: number, body: object) => (response: ServerResponse) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

// Only a gateway's health is looked at here: units are the business of the suites that have a systemd.
const manifest = (localApi: string): Manifest =>
  ({ id: 'r1', gates: { gateway: { id: 'gw-1', localApi } } }) as unknown as Manifest;
const state: HostState = {
  ...EMPTY_STATE,
  started: { 'viworks-gateway-agent.service': { fingerprint: 'f', release: 'r1' } },
};

/** A clock on which every wait is over at once, so that a gate's deadline comes after few tries. */
function hurried(): Clock {
  let now = 0;
  return {
    ...systemClock,
    monotonicMs: () => now,
    sleep: async () => {
      now += 30_000;
    },
  };
}

async function gate(name: string, localApi: string): Promise<string> {
  const notes: string[] = [];
  const context: GateContext = {
    clock: hurried(),
    state,
    note: (step, detail) => void notes.push(`${step}: ${detail}`),
  };
  const gates = (await gatesOf(manifest(localApi), 'gateway', context)).filter(([gateName]) => gateName === name);
  await passGates(gates, context);
  return notes.join();
}

test('a healthy gateway of the right release passes', async () => {
  const api = await serve(json(200, { status: 'healthy', releaseId: 'r1' }));
  await expect(gate('link', api)).resolves.toBe('link: linked');
});

test('a gateway that says no release is believed', async () => {
  await expect(gate('link', await serve(json(200, { status: 'healthy', releaseId: '' })))).resolves.toBe(
    'link: linked',
  );
});

test.each<[string, (response: ServerResponse) => void, RegExp]>([
  [
    'an unhealthy part',
    json(503, { status: 'unhealthy', parts: { link: { state: 'down', message: 'refused' }, spool: { state: 'up' } } }),
    /^link: answered 503 unhealthy: link down \(refused\)$/,
  ],
  ['another release', json(200, { status: 'healthy', releaseId: 'r0' }), /another release answers: r0, not r1/],
  [
    'a page that is no health',
    (response) => void response.writeHead(404).end('no such page'),
    /answered 404 no such page/,
  ],
  ['healthy words with a bad status', json(500, { status: 'healthy' }), /answered 500 healthy/],
])('%s is a shut gate with its reason', async (_name, answer, message) => {
  const shut = gate('link', await serve(answer));
  await expect(shut).rejects.toThrow(GateError);
  await expect(shut).rejects.toThrow(message);
});

test('nobody there is a shut gate too', async () => {
  await expect(gate('link', '127.0.0.1:1')).rejects.toThrow(/ECONNREFUSED/);
});

test('a gate that opens late is passed', async () => {
  let asked = 0;
  const api = await serve((response) =>
    json(++asked < 2 ? 503 : 200, { status: asked < 2 ? 'unhealthy' : 'healthy' })(response),
  );
  await expect(gate('link', api)).resolves.toBe('link: linked');
});
