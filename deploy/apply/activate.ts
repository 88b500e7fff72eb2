// The switch of a fleet: backend first, then the gateways, each through its gates; then a soak, then the commit everywhere.
// Whatever fails takes every host that was switched back to what it ran before.
import { describe, fromUnknown, type Timer, ViworksError } from '../../agents/runtime/index.ts';
import { deployErrors, reasonOf } from '../errors.ts';
import type { Part } from '../host/gates.ts';
import { ENROLMENT_SECRET, gatewayOn } from '../plan/release.ts';
import { type DeployContext, type JudgedHost, openHosts } from './hosts.ts';
import { discardHost, holderOf } from './prepare.ts';
import type { DeployEvent } from './progress.ts';

const ALIVE_MS = 10_000;
const VERIFY_MS = 180_000;
const START_MS = 240_000;
const BACK_MS = 300_000;

/** Hosts that take part: those that change, the others, and the backend's, which answers for all of them. */
export interface Fleet {
  readonly changing: readonly JudgedHost[];
  readonly unchanged: readonly JudgedHost[];
  readonly backend: JudgedHost;
}

/** Activates, soaks and commits. On failure every switched host goes back, and VW_DEPLOY_ROLLED_BACK or _HOLD is thrown. */
export async function activateFleet(fleet: Fleet, context: DeployContext): Promise<void> {
  const switched: JudgedHost[] = [];
  const watch = keepAlive(switched, context);
  try {
    const backend = fleet.changing.find((host) => host.name === fleet.backend.name);
    if (backend) await activateBackend(backend, switched, context);
    context.progress.flush();
    const gateways = fleet.changing.filter((host) => gatewayOn(context.inventory, host.name));
    await allOf(
      gateways.map((host) => activateGateway(host, { fleet, switched, context })),
      context,
    );
    if (backend)
      await allOf(
        fleet.unchanged.map((host) => reacquaint(host, fleet, context)),
        context,
      );
    await canaries(fleet, context);
    context.progress.flush();
    await soak(fleet, context);
    for (const host of fleet.changing) {
      await host.link.request('commit');
      context.reached.committed.add(host.name);
    }
  } catch (error) {
    context.progress.flush();
    context.signal.throwIfAborted();
    context.reached.failed.add(describe(error));
    const untouched = fleet.changing.filter((host) => !switched.includes(host));
    await Promise.all(untouched.map((host) => discardHost(host, context.signal)));
    throw await takeBack(switched, error, context);
  } finally {
    watch.cancel();
  }
}

// A host that hears nothing for a minute goes back by itself: one may wait while another one starts.
function keepAlive(switched: readonly JudgedHost[], { clock }: DeployContext): Timer {
  const tell = (): void => {
    for (const host of switched) host.link.request('alive', {}, { ms: START_MS }).catch(() => undefined);
    timer = clock.after(ALIVE_MS, tell);
  };
  let timer = clock.after(ALIVE_MS, tell);
  return { cancel: () => timer.cancel() };
}

async function activateBackend(host: JudgedHost, switched: JudgedHost[], context: DeployContext): Promise<void> {
  switched.push(host);
  await step({ host: host, name: 'switched', context }, () => switchHost(host, context));
  await step({ host: host, name: 'backend started', context }, () =>
    host.link.request('start', { part: 'backend' }, { ms: START_MS }),
  );
  await step({ host: host, name: 'nginx answers with the new release, ws 101 + CHALLENGE', context }, () =>
    verify(host, 'backend'),
  );
}

// From here on the host goes back by itself when it hears nothing for the inventory's window.
function switchHost(host: JudgedHost, { inventory, reached }: DeployContext): Promise<unknown> {
  reached.switched.add(host.name);
  const windowMs = inventory.deploy.windowSeconds * 1000;
  return host.link.request('switch', { id: host.parcel.manifest.id, windowMs }, { ms: START_MS });
}

async function activateGateway(
  host: JudgedHost,
  parts: { fleet: Fleet; switched: JudgedHost[]; context: DeployContext },
): Promise<void> {
  const { fleet, switched, context } = parts;
  const gateway = gatewayOn(context.inventory, host.name);
  if (!gateway) return;
  if (!switched.includes(host)) {
    switched.push(host);
    await step({ host: host, name: 'switched', context }, () => switchHost(host, context));
  }
  const enrolled = await enrolIfUnknown(host, fleet, context);
  await step({ host: host, name: 'gateway started', context }, () =>
    host.link.request('start', { part: 'gateway' }, { ms: START_MS }),
  );
  await step({ host: host, name: 'linked', context }, () => verify(host, 'gateway'));
  if (enrolled) await forgetToken(host);
}

// A backend that was set up anew knows none of the gateways that stayed as they were.
async function reacquaint(host: JudgedHost, fleet: Fleet, context: DeployContext): Promise<void> {
  if (!(await enrolIfUnknown(host, fleet, context))) return;
  await step({ host: host, name: 'gateway restarted', context }, () =>
    host.link.request('restart-gateway', {}, { ms: START_MS }),
  );
  await step({ host: host, name: 'linked', context }, () => verify(host, 'gateway'));
  await forgetToken(host);
}

async function enrolIfUnknown(host: JudgedHost, fleet: Fleet, context: DeployContext): Promise<boolean> {
  const gateway = gatewayOn(context.inventory, host.name);
  if (!gateway || (await isEnrolled(host, fleet, gateway.id))) return false;
  await step({ host: host, name: 'enrolled', context }, async () => {
    const token = await fleet.backend.link.request<string>('create-enrolment', { gateway: gateway.id });
    if (host.facts?.gatewayEnrolled === true) await host.link.request('forget-enrolment');
    await host.link.request('secrets', { files: [{ name: ENROLMENT_SECRET, content: token }] });
  });
  return true;
}

// Spent: it would only be one more thing to steal.
async function forgetToken(host: JudgedHost): Promise<void> {
  await host.link.request('secrets', { files: [{ name: ENROLMENT_SECRET, content: '' }] });
}

// Both have to know each other: a gateway that kept its key is a stranger to a store that was set up anew.
async function isEnrolled(host: JudgedHost, fleet: Fleet, gateway: string): Promise<boolean> {
  if (host.facts?.gatewayEnrolled !== true) return false;
  return (await fleet.backend.link.request<string>('gateway-state', { api: apiOf(fleet), gateway })) !== 'unknown';
}

async function canaries(fleet: Fleet, context: DeployContext): Promise<void> {
  const changing = new Set(fleet.changing.map((host) => host.name));
  const backendChanged = changing.has(fleet.backend.name);
  const { gateways } = context.inventory;
  const asked = gateways.filter((gateway) => backendChanged || changing.has(gateway.host));
  await allOf(
    asked.map((gateway) => {
      const args = { api: apiOf(fleet), gateway: gateway.id };
      return step({ host: { name: gateway.host }, name: 'canary ok', context }, () =>
        fleet.backend.link.request('canary', args, { ms: VERIFY_MS }),
      );
    }),
    context,
  );
}

async function soak(fleet: Fleet, context: DeployContext): Promise<void> {
  const { clock, inventory, progress, signal } = context;
  const seconds = inventory.deploy.soakSeconds;
  if (seconds > 0) await clock.sleep(seconds * 1000, signal);
  await allOf(
    fleet.changing.map(async (host) => {
      for (const part of partsOf(host)) await verify(host, part);
    }),
    context,
  );
  progress.event({ host: `soak ${seconds} s`, phase: 'soak', step: 'everything still answers', status: 'done' });
  progress.flush();
}

function partsOf(host: JudgedHost): Part[] {
  const { gates } = host.parcel.manifest;
  return [...(gates.backend ? (['backend'] as const) : []), ...(gates.gateway ? (['gateway'] as const) : [])];
}

function verify(host: JudgedHost, part: Part): Promise<unknown> {
  return host.link.request('verify', { part }, { ms: VERIFY_MS });
}

function apiOf(fleet: Fleet): string {
  return fleet.backend.parcel.manifest.gates.backend?.api ?? '';
}

async function takeBack(switched: readonly JudgedHost[], cause: unknown, context: DeployContext): Promise<Error> {
  const failure = fromUnknown(cause);
  const reason = describe(cause);
  const held: string[] = [];
  const left: string[] = [];
  // Gateways first: they are to find the old backend when they come back.
  for (const host of [...switched].reverse()) {
    try {
      const to = await goBack(host, reason, context);
      const where = to === 'absent' ? 'as it was before' : `back on ${to}`;
      context.reached.switched.delete(host.name);
      context.reached.back.add(host.name);
      context.progress.event({ host: host.name, phase: 'rollback', step: `is ${where} (verified)`, status: 'done' });
    } catch (error) {
      // Nobody waits for it any more: it goes back by itself, and that is no verdict about it.
      if (context.signal.aborted && fromUnknown(error).code !== 'VW_DEPLOY_HOLD') left.push(host.name);
      else held.push(`${host.name}: ${reasonOf(error)}`);
    }
  }
  context.progress.flush();
  const host = String(failure.detail.host ?? switched.at(-1)?.name ?? '');
  if (held.length > 0) {
    const old = [...held, ...left.map((name) => `${name}: was interrupted, and rolls back automatically`)];
    const both = `  new: ${reasonOf(cause)}\n  old: ${old.join('\n       ')}`;
    return deployErrors.create('VW_DEPLOY_HOLD', { host, reason: both }, cause);
  }
  if (left.length > 0) return fromUnknown(context.signal.reason);
  const own = failure instanceof ViworksError && failure.code === 'VW_DEPLOY_HOST_FAILED';
  const what = own ? String(failure.detail.what) : 'the new release';
  return deployErrors.create(
    'VW_DEPLOY_ROLLED_BACK',
    { host, what, reason: own ? String(failure.detail.reason) : reason },
    cause,
  );
}

// A host whose connection is gone goes back by itself; it is asked anew what it is, never assumed.
async function goBack(host: JudgedHost, reason: string, context: DeployContext): Promise<string> {
  try {
    return await host.link.request<string>('go-back', { reason, blame: true }, { ms: BACK_MS });
  } catch (error) {
    if (context.signal.aborted || fromUnknown(error).code === 'VW_DEPLOY_HOLD') throw error;
    const [again] = await openHosts([host.name], context);
    if (!again) throw error;
    try {
      await again.link.request('lock', { holder: holderOf(context, 'taking back') });
      return await again.link.request<string>('go-back', { reason, blame: true }, { ms: BACK_MS });
    } finally {
      await again.link.close();
    }
  }
}

interface Step {
  readonly host: { readonly name: string };
  readonly name: string;
  readonly context: DeployContext;
}

async function step<T>({ host, name, context }: Step, work: () => Promise<T>): Promise<T> {
  const started = context.clock.monotonicMs();
  const event = (status: DeployEvent['status'], detail?: string): void =>
    context.progress.event({
      host: host.name,
      phase: 'activate',
      step: name,
      status,
      ms: context.clock.monotonicMs() - started,
      detail,
    });
  try {
    const value = await work();
    event('done');
    return value;
  } catch (error) {
    event('failed', describe(error));
    throw error;
  }
}

// All are waited for, also when one has failed: nobody may be half-way when the way back begins. What failed is noted at once,
// since an interrupt may come while the others are waited for.
async function allOf(works: readonly Promise<unknown>[], { signal, reached }: DeployContext): Promise<void> {
  const noted = works.map((work) =>
    work.catch((error: unknown) => {
      if (!signal.aborted) reached.failed.add(describe(error));
      throw error;
    }),
  );
  const results = await Promise.allSettled(noted);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
