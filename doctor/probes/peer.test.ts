// The doctor's token reaches the process that is meant and nobody else: against the real kernel, with a server that keeps every byte.
import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { type PeerLook, type PortOwner, ProbeCredential, systemClock } from '../../agents/runtime/index.ts';
import { createRecorders } from '../../test/support/recorder.ts';
import { canaryFact, registryFact } from './api.ts';
import { deadlinesFor } from './deadlines.ts';
import { dialFromHere, localLink, nothingBetween } from './link.ts';
import type { NetworkVantage } from './network.ts';
import { dialBackend, peerSection, shareLooks } from './peer.ts';
import { runRound } from './round.ts';

const TOKEN = 'vw_probe_never-to-be-seen-0123456789';
const signal = new AbortController().signal;
const place = { dial: dialFromHere, confirm: nothingBetween, clock: systemClock, signal, deadlines: deadlinesFor() };
const from: NetworkVantage = { vantage: 'be', host: 'be1', via: '', place, userAgent: (probe) => probe };

const recorders = createRecorders();
const children: ChildProcess[] = [];
afterEach(() => {
  recorders.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function lookFor(owner: PortOwner, port: number): PeerLook {
  return shareLooks(async () => {
    const sections = [peerSection(owner, port)];
    const round = { link: localLink(), sections, sudo: false, clock: systemClock, signal, deadlineMs: 5_000 };
    const section = (await runRound(round)).sections.whole('peer.owner');
    return section?.ok ? { ok: true, text: section.text } : { ok: false, why: 'nothing was read' };
  });
}

function call(port: number, look: PeerLook) {
  const credential = ProbeCredential.of(TOKEN) ?? { why: 'none' };
  const endpoint = { address: '127.0.0.1', port, name: 'localhost', trust: undefined };
  return { endpoint, gateway: 'gw1', credential, look };
}

test('the process that is meant gets the token, over as many connections as are open at a time', async () => {
  const { port, bytes } = await recorders.open('127.0.0.1');
  const look = lookFor({ kind: 'process', pid: process.pid }, port);
  const facts = await Promise.all(Array.from({ length: 8 }, () => registryFact(from, call(port, look))));
  expect(facts.map(({ reading }) => reading.status === 'unknown' && reading.reason)).toEqual(
    Array.from({ length: 8 }, () => 'unparsed'),
  );
  expect(bytes().split(`Authorization: Bearer ${TOKEN}`)).toHaveLength(9);
  expect(JSON.stringify(facts)).not.toContain(TOKEN);
});

test('whoever else holds the port gets not one byte, and the facts say why', async () => {
  const { port, bytes } = await recorders.open('127.0.0.1');
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
  const { port, bytes } = await recorders.open('127.0.0.1');
  for (const owner of [
    { kind: 'process', pid: 2 ** 22 } as const,
    { kind: 'unit', unit: "no'such.service" } as const,
  ]) {
    const peer = await dialBackend(place, { address: '127.0.0.1', port }, lookFor(owner, port));
    expect(peer).toMatchObject({ reason: 'peer-unproven' });
  }
  expect(bytes()).toBe('');
});
