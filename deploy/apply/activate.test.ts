// What is told when a gate has failed and somebody presses Ctrl-C on the way back: hosts that answer by operation, no network.
import { expect, test } from 'vitest';
import { runtimeErrors, systemClock } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { activateFleet, type Fleet } from './activate.ts';
import type { DeployContext, JudgedHost } from './hosts.ts';
import { describeInterrupt, nothingReached } from './interrupted.ts';

type Answers = Readonly<Record<string, () => unknown>>;

// The backend's host and its gateways'; what is not answered here is done without a word.
async function activate(answers: Readonly<Record<string, Answers>>, interrupt: AbortController) {
  const host = (name: string): JudgedHost => {
    const request = async (op: string): Promise<unknown> => answers[name]?.[op]?.();
    const gates = name === 'be1' ? { backend: { api: '127.0.0.1:8443' } } : { gateway: {} };
    const facts = { gatewayEnrolled: true };
    const link = { request, bare: () => undefined };
    return { name, link, facts, parcel: { manifest: { id: 'new', gates } } } as unknown as JudgedHost;
  };
  const gateways = Object.keys(answers).filter((name) => name !== 'be1');
  const reached = nothingReached();
  const context = {
    inventory: {
      backend: { host: 'be1' },
      gateways: gateways.map((name) => ({ id: `${name}-id`, host: name })),
      deploy: { windowSeconds: 60, soakSeconds: 0 },
    },
    progress: { event: () => undefined, flush: () => undefined },
    clock: systemClock,
    signal: interrupt.signal,
    reached,
    env: {},
  } as unknown as DeployContext;
  const backend = host('be1');
  const fleet: Fleet = { changing: [backend, ...gateways.map(host)], unchanged: [], backend };
  const error: unknown = await activateFleet(fleet, context).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, reached };
}

const interrupted = runtimeErrors.create('VW_RUNTIME_INTERRUPTED', { signal: 'SIGINT' });
const notLinked = (): never => {
  throw deployErrors.create('VW_DEPLOY_HOST_FAILED', { host: 'gw1', what: 'verification', reason: 'it is not linked' });
};

test('left on the way back: why it went back, who is back for certain and who will be', async () => {
  const interrupt = new AbortController();
  const leave = (): never => {
    interrupt.abort(interrupted);
    throw interrupted;
  };
  const { error, reached } = await activate(
    { gw1: { verify: notLinked, 'go-back': () => 'old' }, be1: { 'go-back': leave } },
    interrupt,
  );
  expect(error).toBe(interrupted);
  expect(describeInterrupt(reached)).toBe(
    `interrupted · back (verified): gw1 · switched, rolling back automatically now: be1
failed before: gw1: verification: it is not linked
look in a few seconds: viworks deploy status; then again: viworks deploy apply`,
  );
});

test('a way back that was verified to its end stays the verdict', async () => {
  const interrupt = new AbortController();
  const late = (): string => {
    interrupt.abort(interrupted);
    return 'old';
  };
  const { error } = await activate(
    { gw1: { verify: notLinked, 'go-back': () => 'old' }, be1: { 'go-back': late } },
    interrupt,
  );
  expect(error).toMatchObject({ code: 'VW_DEPLOY_ROLLED_BACK', message: expect.stringContaining('it is not linked') });
});

test('a host that is held is told, whoever leaves; one that was not waited for is not called held', async () => {
  const interrupt = new AbortController();
  const hold = (): never => {
    throw deployErrors.create('VW_DEPLOY_HOLD', { host: 'gw1', reason: 'the old one does not link either' });
  };
  const leave = (): never => {
    interrupt.abort(interrupted);
    throw interrupted;
  };
  const { error } = await activate(
    { gw1: { verify: notLinked, 'go-back': hold }, be1: { 'go-back': leave } },
    interrupt,
  );
  expect(error).toMatchObject({
    code: 'VW_DEPLOY_HOLD',
    message: expect.stringMatching(
      /new: .*not linked\n {2}old: gw1: the old one .*\n +be1: .*rolls back automatically/,
    ),
  });
});

test('what failed while another host is waited for is told, and what failed by the interrupt is not', async () => {
  const interrupt = new AbortController();
  const cut = async (): Promise<never> => {
    await new Promise((resolve) => setImmediate(resolve));
    interrupt.abort(interrupted);
    throw deployErrors.create('VW_DEPLOY_HOST_FAILED', { host: 'gw2', what: 'the host helper ended', reason: '' });
  };
  const { error, reached } = await activate({ be1: {}, gw1: { verify: notLinked }, gw2: { verify: cut } }, interrupt);
  expect(error).toBe(interrupted);
  expect([...reached.failed]).toEqual(['gw1: verification: it is not linked']);
  expect(describeInterrupt(reached)).toContain('rolling back automatically now: be1, gw1, gw2\nfailed before: gw1');
});
