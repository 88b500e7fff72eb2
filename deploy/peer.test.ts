// The deployer's token reaches the process that is meant and nobody else; a stranger gets not one byte and is named.
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { Credential, Secret } from '../agents/runtime/index.ts';
import { createRecorders } from '../test/support/recorder.ts';
import { askBackend, connectBackend } from './peer.ts';

const TOKEN = 'vw_never-to-be-seen-0123456789';
const credential = new Credential(new Secret(TOKEN));

const recorders = createRecorders();
const children: ChildProcess[] = [];
afterEach(() => {
  recorders.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

const mine = { kind: 'process', pid: process.pid } as const;

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '0.0.0.0'],
  ['::', '0.0.0.0'],
])('the process that is meant gets the token, listening on %s and configured as %s', async (listens, bound) => {
  const { port, bytes } = await recorders.open(listens);
  const answer = await askBackend({ bind: `${bound}:${port}`, owner: mine, ms: 10_000 }, { path: '/x', credential });
  expect(answer.statusCode).toBe(200);
  expect(bytes()).toContain(`Authorization: Bearer ${TOKEN}`);
});

test('whoever else holds the port gets not one byte, with a token or without, and is named', async () => {
  const { port, bytes } = await recorders.open('127.0.0.1');
  const other = spawn('sleep', ['60']);
  children.push(other);
  const owners = [
    { kind: 'process', pid: other.pid ?? 0 },
    { kind: 'process', pid: 2 ** 22 },
    { kind: 'unit', unit: "no'such.service" },
  ] as const;
  for (const owner of owners) {
    const backend = { bind: `127.0.0.1:${port}`, owner, ms: 10_000 };
    for (const ask of [() => askBackend(backend, { path: '/x', credential }), () => connectBackend(backend)])
      await expect(ask()).rejects.toMatchObject({ code: 'VW_DEPLOY_PEER', detail: { port } });
  }
  const asked = connectBackend({ bind: `127.0.0.1:${port}`, owner: owners[0], ms: 10_000 });
  await expect(asked).rejects.toThrow(`pid ${process.pid} of user ${process.getuid?.()} (${process.execPath})`);
  expect(bytes()).toBe('');
});

test('nobody there is what it is', async () => {
  await expect(connectBackend({ bind: '127.0.0.1:1', owner: mine, ms: 10_000 })).rejects.toThrow(/ECONNREFUSED/);
});
