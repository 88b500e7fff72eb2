// A token reaches the process that is meant and nobody else: against the real kernel with a server that keeps every byte, and against tables
// as the kernel prints them where a second owner of a port, a redirect or a restart cannot be made here.
import { type ChildProcess, spawn } from 'node:child_process';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, expect, expectTypeOf, test } from 'vitest';
import { Secret, systemClock } from '../../agents/runtime/index.ts';
import { canaryFact, registryFact } from './api.ts';
import { deadlinesFor } from './deadlines.ts';
import { dialFromHere, localLink, nothingBetween } from './link.ts';
import type { NetworkVantage } from './network.ts';
import { Credential, type PeerLook, shareLooks, VerifiedStream } from './peer.ts';
import { judgePeers, type PortOwner, peerSection } from './peer-output.ts';
import { runRound } from './round.ts';

const TOKEN = 'vw_never-to-be-seen-0123456789';
const signal = new AbortController().signal;
const place = { dial: dialFromHere, confirm: nothingBetween, clock: systemClock, signal, deadlines: deadlinesFor(0) };
const from: NetworkVantage = { vantage: 'be', host: 'be1', via: '', place, userAgent: (probe) => probe };

const servers: Server[] = [];
const sockets = new Set<Socket>();
const children: ChildProcess[] = [];
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Keeps every byte, and answers every request with `{}`. */
async function recorder(): Promise<{ readonly port: number; bytes(): string }> {
  const kept: Buffer[] = [];
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (chunk) => {
      kept.push(chunk);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}');
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, bytes: () => Buffer.concat(kept).toString('latin1') };
}

function lookFor(owner: Exclude<PortOwner, { kind: 'unknown' }>, port: number): PeerLook {
  return shareLooks(async () => {
    const sections = [peerSection(owner, port)];
    const round = { link: localLink(), sections, sudo: false, clock: systemClock, signal, deadlineMs: 5_000 };
    const section = (await runRound(round)).sections.get('peer.owner');
    return section ? { ok: true, text: section.text } : { ok: false, why: 'nothing was read' };
  });
}

function call(port: number, look: PeerLook) {
  const credential = new Credential(new Secret(TOKEN));
  const endpoint = { address: '127.0.0.1', port, name: 'localhost', trust: undefined };
  return { endpoint, gateway: 'gw1', credential, look };
}

test('the process that is meant gets the token, over as many connections as are open at a time', async () => {
  const { port, bytes } = await recorder();
  const look = lookFor({ kind: 'process', pid: process.pid }, port);
  const facts = await Promise.all(Array.from({ length: 8 }, () => registryFact(from, call(port, look))));
  expect(facts.map(({ reading }) => reading.status === 'unknown' && reading.reason)).toEqual(
    Array.from({ length: 8 }, () => 'unparsed'),
  );
  expect(bytes().split(`Authorization: Bearer ${TOKEN}`)).toHaveLength(9);
  expect(JSON.stringify(facts)).not.toContain(TOKEN);
});

test('whoever else holds the port gets not one byte, and the facts say why', async () => {
  const { port, bytes } = await recorder();
  const other = spawn('sleep', ['60']);
  children.push(other);
  const look = lookFor({ kind: 'process', pid: other.pid ?? 0 }, port);
  const facts = [await registryFact(from, call(port, look)), await canaryFact(from, call(port, look))];
  for (const { reading } of facts) {
    expect(reading).toEqual({
      status: 'unknown',
      reason: 'peer-unproven',
      detail: `the token was not sent: the process that holds port ${port} is not the backend`,
    });
  }
  expect(bytes()).toBe('');
});

test('a process that is gone, a unit that is not there: nothing is sent', async () => {
  const { port, bytes } = await recorder();
  for (const owner of [
    { kind: 'process', pid: 2 ** 22 } as const,
    { kind: 'unit', unit: "no'such.service" } as const,
  ]) {
    const peer = await VerifiedStream.dialBackend(place, { address: '127.0.0.1', port }, lookFor(owner, port));
    expect(peer).toMatchObject({ reason: 'peer-unproven' });
  }
  expect(bytes()).toBe('');
});

test('a credential shows its text to nobody, and takes no stream that was not proven', () => {
  const credential = new Credential(new Secret(TOKEN));
  expect(JSON.stringify({ credential }) + String(Object.values(credential))).not.toContain(TOKEN);
  // The compiler says so: neither a stream nor something of the same shape will do.
  expectTypeOf<Duplex>().not.toExtend<Parameters<Credential['ask']>[0]>();
  expectTypeOf<{ readonly stream: Duplex }>().not.toExtend<VerifiedStream>();
});

/** Rows as /proc/net/tcp has them: port 8080 on 127.0.0.1. */
const row = (of: { local: string; remote: string; state: string; inode: number; uid?: number }): string =>
  `   1: ${of.local} ${of.remote} ${of.state} 00000000:00000000 00:00000000 00000000 ${of.uid ?? 997}        0 ${of.inode} 1 0000000000000000 20 4 30 10 -1`;
const listener = (inode: number): string =>
  row({ local: '0100007F:1F90', remote: '00000000:0000', state: '0A', inode });
const near = (port: string): string =>
  row({ local: `0100007F:${port}`, remote: '0100007F:1F90', state: '01', inode: 900, uid: 0 });
const far = (port: string, inode: number): string =>
  row({ local: '0100007F:1F90', remote: `0100007F:${port}`, state: '01', inode });
const table = (rows: readonly string[], of: { held?: string; again?: number } = {}): string =>
  ['--main 77', of.held ?? '11\n12\n13', '--tcp', ...rows, '--held', '', `--main ${of.again ?? 77}`].join('\n');
const at = { address: '127.0.0.1', port: 8080 };

test.each([
  ['accepted', table([listener(11), near('A001'), far('A001', 12)]), true],
  ['not accepted yet', table([listener(11), near('A001'), far('A001', 0)]), true],
  [
    'a listener of both families',
    table([
      row({
        local: '00000000000000000000000000000000:1F90',
        remote: '00000000000000000000000000000000:0000',
        state: '0A',
        inode: 11,
      }),
      near('A001'),
      row({
        local: '0000000000000000FFFF00000100007F:1F90',
        remote: '0000000000000000FFFF00000100007F:A001',
        state: '01',
        inode: 12,
      }),
    ]),
    true,
  ],
  ['another listener beside ours', table([listener(11), listener(66), near('A001'), far('A001', 12)]), false],
  [
    'one connection of several elsewhere',
    table([listener(11), near('A001'), far('A001', 12), near('A002'), far('A002', 66)]),
    false,
  ],
  ['a redirect: the other end is not in the table', table([listener(11), near('A001')]), false],
  ['our own end is not in the table', table([listener(11)]), false],
  ['a replaced process', table([listener(11), near('A001'), far('A001', 12)], { again: 78 }), false],
  ['no process', table([listener(11), near('A001'), far('A001', 12)]).replaceAll('--main 77', '--main 0'), false],
  ['sockets that may not be seen', table([listener(11), near('A001'), far('A001', 12)], { held: '--denied' }), false],
  ['nothing', '', false],
])('%s', (_name, text, proven) => {
  expect(judgePeers(text, at).proven).toBe(proven);
});
