// A command's way through the backend: API, engine, real socket to a gateway, output back as server-sent events.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectGateway, createIdentity, type FakeLink, serveEcho } from '../support/fake-gateway.ts';
import { collectOutput, readEvents } from '../support/sse.ts';
import { seedStore, startBackend, type TestBackend } from '../support/test-backend.ts';

let directory: string;
let backend: TestBackend;
let tokens: Record<string, string>;
let link: FakeLink;
const gw1 = createIdentity('gw1');

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vw-backend-'));
  tokens = await seedStore(directory, { gateways: [gw1] });
  backend = await startBackend({ directory });
  link = await connectGateway(backend.agents, gw1);
  serveEcho(link);
});

afterAll(async () => {
  await backend.stop();
  await rm(directory, { recursive: true });
});

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(backend.api + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.operator}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

test('echo hi comes back live, with its exit', async () => {
  const response = await post(
    '/api/v1/commands',
    { verb: 'exec', args: { argv: ['echo', 'hi'] }, gateways: ['gw1'] },
    { accept: 'text/event-stream' },
  );
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const { out, err, task } = await collectOutput(readEvents(response));
  expect(out.toString()).toBe('hi\n');
  expect(err.length).toBe(0);
  expect(task).toMatchObject({ state: 'finished', gatewayId: 'gw1', end: { outcome: 'exited', code: 0 } });
  const settled = await link.next('task.settled');
  expect(settled.taskId).toBe(task?.taskId);
});
