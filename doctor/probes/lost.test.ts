// What an SSH connection that breaks leaves behind: whatever failed over it is unknown. The same failures over a connection that still
// answers are observations.
import { once } from 'node:events';
import { Duplex, PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { systemClock } from '../../agents/runtime/index.ts';
import type { Remote, RemoteProcess } from '../../deploy/remote/index.ts';
import { remoteErrors } from '../../deploy/remote/index.ts';
import { backendAsk, gatewayAsk } from '../../test/support/doctor/ask.ts';
import { createFakeClock } from '../../test/support/fake-clock.ts';
import type { Fact } from '../engine/index.ts';
import type { PartContainer } from './ask.ts';
import { deadlinesFor } from './deadlines.ts';
import { probesOf, sectionsOf } from './host-probes.ts';
import { sshLink } from './link.ts';
import { getFact, type NetworkVantage, reachFacts, upgradeFact } from './network.ts';
import { type HostRound, look } from './probe.ts';
import { runRound } from './round.ts';
import { Sections } from './sections.ts';

const dropped = (): Error => remoteErrors.create('VW_REMOTE_DROPPED', { host: 'gw1', what: 'asking' });
const refusedBySshd = (message: string): Error =>
  remoteErrors.create(
    'VW_REMOTE_CHANNEL',
    { host: 'gw1', what: 'a forward', reason: message },
    Object.assign(new Error(message), { reason: 2 }),
  );

type Forward = () => Promise<Duplex>;

/** A host whose forwards do as told; the question whether it still answers goes to `alive`. */
function remote(forward: Forward, alive: boolean, start?: () => Promise<RemoteProcess>): Remote {
  const close = async (): Promise<void> => undefined;
  return {
    target: { name: 'gw1', address: '192.0.2.20', port: 22, user: 'root', hostKeys: [] },
    hostKey: '',
    dialledMs: null,
    ended: new Promise(() => undefined),
    exec: () => Promise.reject(dropped()),
    start: start ?? (() => Promise.reject(dropped())),
    forward: (host) =>
      host === '255.255.255.255'
        ? Promise.reject(alive ? refusedBySshd('Network is unreachable') : dropped())
        : forward(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function vantage(forward: Forward, alive: boolean): NetworkVantage {
  const link = sshLink(remote(forward, alive), systemClock);
  const { signal } = new AbortController();
  const dial = link.dial.bind(link);
  const confirm = link.confirm.bind(link);
  const place = { dial, confirm, clock: systemClock, signal, deadlines: deadlinesFor() };
  return { vantage: 'gw:gw1', host: 'gw1', via: link.via, place, userAgent: (probe) => probe };
}

/** Connects, and ends as soon as something is asked of it. */
const cutOff: Forward = async () => {
  const stream = new Duplex({ read: () => undefined, write: () => stream.destroy() });
  return stream;
};
const endpoint = {
  address: '192.0.2.10',
  port: 443,
  name: 'agents.example.test',
  trust: { bundle: undefined, name: '' },
};
const open = { ...endpoint, trust: undefined, path: '/ws/agent' };

const ways: readonly (readonly [string, (from: NetworkVantage) => Promise<readonly Fact[]>])[] = [
  ['a dial and its TLS', (from) => reachFacts(from, 'public', endpoint)],
  ['a GET', async (from) => [await getFact(from, 'public-api', open)]],
  ['an upgrade', async (from) => [await upgradeFact(from, 'public', open)]],
  ['an upgrade over TLS', async (from) => [await upgradeFact(from, 'public', { ...open, trust: endpoint.trust })]],
];
const reasons = (facts: readonly Fact[]) =>
  facts.map(({ reading }) => (reading.status === 'unknown' ? reading.reason : reading.status));

test.each(ways)('%s: the connection is gone before it begins', async (_, look_) => {
  const facts = await look_(vantage(() => Promise.reject(dropped()), false));
  expect(new Set(reasons(facts))).toEqual(new Set(['lost']));
});

test.each(ways)('%s: it fails, and the host answers nothing any more', async (_, look_) => {
  expect(reasons(await look_(vantage(cutOff, false))).at(-1)).toBe('lost');
  const refused = await look_(vantage(() => Promise.reject(refusedBySshd('Connection refused')), false));
  expect(new Set(reasons(refused))).toEqual(new Set(['lost']));
});

test.each(ways)('%s: it fails, and the host still answers: that was seen', async (_, look_) => {
  expect(reasons(await look_(vantage(cutOff, true))).at(-1)).toBe('known');
  const [first] = await look_(vantage(() => Promise.reject(refusedBySshd('Connection refused')), true));
  expect(first?.reading).toMatchObject({ status: 'known' });
});

test('words of sshd that nobody knows are no outcome', async () => {
  const [first] = await reachFacts(
    vantage(() => Promise.reject(refusedBySshd('Owner died')), true),
    'agents',
    open,
  );
  expect(first?.reading).toMatchObject({ status: 'unknown', reason: 'unparsed' });
});

const inside: PartContainer = { part: 'backend', name: 'backend', ports: [8080], vantage: 'be/ns:agent' };
const asks = [gatewayAsk, backendAsk, { ...backendAsk, containers: [inside, { ...inside, part: 'nginx' as const }] }];
const sections = [...new Map(asks.flatMap(sectionsOf).map((section) => [section.id, section])).values()];
const hostFacts = (seen: HostRound) =>
  asks.flatMap((ask) => probesOf(ask.seat).flatMap((probe) => probe.facts(seen, ask)));

const nothing: HostRound = {
  ...{ vantage: 'gw:gw1', host: 'gw1', via: '', atMs: 0, heardMs: 0, nonce: '', root: true },
  sections: new Sections([]),
  gap: null,
};

/** A round over a shell that prints these frames and then ends like this. */
async function round(
  print: (nonce: string) => string,
  end: 'early' | 'dropped' | 'hangs' | 'stopped',
): Promise<HostRound> {
  const clock = createFakeClock();
  const controller = new AbortController();
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const started = once(stdin, 'data').then(([script]) => {
    const nonce = /^N=(\w+)/.exec(String(script))?.[1] ?? '';
    stdout.write(print(nonce));
  });
  const exited = started.then(async (): Promise<{ code: number | null; signal: string | null }> => {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (end === 'dropped') throw dropped();
    if (end === 'early') return { code: 1, signal: null };
    if (end === 'stopped') controller.abort(new Error('enough'));
    return await new Promise(() => undefined);
  });
  exited.catch(() => undefined);
  const shell = async (): Promise<RemoteProcess> => ({
    stdin,
    stdout,
    stderr: new PassThrough(),
    exited,
    kill: () => undefined,
  });
  const link = sshLink(remote(cutOff, true, shell), clock);
  const running = runRound({ link, sections, sudo: false, clock, signal: controller.signal, deadlineMs: 12_000 });
  await started;
  if (end === 'hangs') await clock.advance(12_000);
  const result = await running;
  return { ...nothing, sections: result.sections, gap: result.gap };
}

const frame = (nonce: string, id: string, text: string) => `\n@${nonce} ${id} 0 ${text.length}\n${text}`;
const first = (nonce: string) => frame(nonce, 'host.addresses', '2: eth0    inet 192.0.2.20/24 scope global eth0\n');

test.each([
  ['dropped', 'lost'],
  ['early', 'cut'],
  ['hangs', 'cut'],
  ['stopped', 'cut'],
] as const)('a round that is %s: what came is known, the rest is %s', async (end, reason) => {
  const seen = await round(first, end);
  expect(look(seen, 'host.addresses').ok).toBe(true);
  expect(look(seen, 'host.name')).toMatchObject({ ok: false, reason });
  const facts = hostFacts(seen);
  const known = facts.filter((item) => item.reading.status === 'known').map((item) => item.key);
  expect(new Set(known)).toEqual(new Set(['host.addresses']));
  // What is not applicable was so before anybody looked.
  expect(new Set(reasons(facts))).toEqual(new Set(['known', reason, 'not-applicable']));
  const before = hostFacts(nothing).filter((item) => item.reading.status === 'not-applicable').length;
  expect(facts.filter((item) => item.reading.status === 'not-applicable')).toHaveLength(before);
});

test.each(['early', 'dropped', 'hangs', 'stopped'] as const)(
  'a host that says nothing of ours and is %s: nothing is known',
  async (end) => {
    const seen = await round(() => 'This account is currently not available.\n', end);
    expect(hostFacts(seen).filter((item) => item.reading.status === 'known')).toEqual([]);
  },
);

test('the host itself may say that its resolver took too long', () => {
  const late = { id: 'host.name', rc: 124, text: '', truncated: false };
  const seen = { ...nothing, sections: new Sections([late]) };
  const answer = hostFacts(seen).find((item) => item.key === 'dns.answer');
  expect(answer?.reading).toMatchObject({ status: 'known', value: { error: 'timeout' } });
});
