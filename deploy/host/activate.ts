// The live part: switch, start what changed, go back, commit. Each act is idempotent and recorded before it is done; the one
// switch point is the link `current`.
import { lstat, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../agents/runtime/index.ts';
import { deployErrors, reasonOf } from '../errors.ts';
import { unitsInDoubt } from '../plan/doubt.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { Drift, HostState, Manifest, ReleaseUnit } from '../plan/manifest.ts';
import { removeAccounts } from './accounts.ts';
import { gatesOf, type Part, passGates } from './gates.ts';
import { verifyLayers } from './layers.ts';
import { currentRelease, readManifest, readState, record, writeState } from './memory.ts';
import { applyOuter, findForeign, keepForeign, yieldedPlaces } from './outer.ts';
import { replaceLink, run } from './tools.ts';

/** What acting needs: time, and somebody to tell. */
export interface ActContext {
  readonly clock: Clock;
  readonly bootId: string;
  note(step: string, detail: string): void;
}

const START_MS = 90_000;

/** Forgets what the units in doubt were started with, so that the next activation starts them again. */
export async function forgetStarts(drift: readonly Drift[]): Promise<void> {
  const current = await currentRelease();
  if (current === null) return;
  const state = await readState();
  const doubted = unitsInDoubt((await readManifest(current)).units, { phase: state.phase, drift });
  if (doubted.length === 0) return;
  const started = Object.fromEntries(Object.entries(state.started).filter(([name]) => !doubted.includes(name)));
  await writeState({ ...state, started });
}

/** Switches to a staged release: from here on until commit, anything that goes wrong has to end in `goBack`. */
export async function switchTo(id: string, context: ActContext): Promise<void> {
  const next = await readManifest(id);
  await verifyLayers(next);
  const from = await currentRelease();
  const current = from === null ? null : await readManifest(from);
  let state = await readState();
  const foreign = [...state.foreign, ...(await findForeign(current, next.outer))];
  const directories = [...state.made.directories, ...(await missingStateDirectories(next))];
  await record(context.clock, { step: 'arm', from, to: id });
  state = {
    ...state,
    phase: 'activating',
    // What a held deploy left running was verified by nobody.
    started: state.phase === 'hold' ? {} : state.started,
    way: { from, to: id },
    bootId: context.bootId,
    epoch: state.epoch + 1,
    foreign,
    made: { ...state.made, directories },
  };
  await writeState(state);
  await keepForeign(foreign);
  await record(context.clock, { step: 'switch', to: id });
  await replaceLink(LAYOUT.current, `releases/${id}`);
  await applyOuter(next.outer, current?.outer ?? [], state);
  await systemctl(['daemon-reload'], 'daemon-reload');
  for (const path of await yieldedPlaces(next.outer)) context.note('left', `${path}, which is not ours`);
  context.note('switched', id);
}

/** Starts or restarts the units of one part whose fingerprint changed, and reloads nginx for the backend. */
export async function startPart(part: Part, context: ActContext): Promise<readonly string[]> {
  const { next, current } = await activating();
  const restarted = await startUnits(next, current, { part, context });
  if (part === 'backend' && next.nginx) await reloadNginx(context);
  return restarted;
}

/** Makes the activated release the committed one: the point after which nobody goes back by himself. */
export async function commit(context: ActContext): Promise<void> {
  const state = await readState();
  if (state.phase !== 'activating' || state.way === null) throw new Error(`there is nothing to commit: ${state.phase}`);
  const { from, to } = state.way;
  await record(context.clock, { step: 'commit', release: to });
  // A repair of the running release has no new way back.
  const previous = from === null || from === to ? state.previous : from;
  await writeState({ ...state, phase: 'committed', current: to, previous, way: null });
  await collectGarbage(to, previous);
}

/** Takes back what preparing a release did, when it was refused before the switch. */
export async function discard(id: string, context: ActContext): Promise<void> {
  const state = await readState();
  if (state.phase === 'activating' || state.current === id || state.previous === id) return;
  // A mark on a release that failed here has to outlive the next attempt.
  if (await lstat(join(LAYOUT.releases, id, 'BAD')).catch(() => undefined)) return;
  await record(context.clock, { step: 'discard', release: id });
  await rm(join(LAYOUT.releases, id), { recursive: true, force: true });
  if (state.phase !== 'empty') return;
  await removeAccounts(state.made);
  await rm(LAYOUT.settings, { recursive: true, force: true });
  await writeState({ ...state, made: { ...state.made, accounts: [], groups: [] } });
}

/** Why a host goes back, and whether the release is to blame: a deployer that went away says nothing about it. */
export interface Retreat {
  readonly reason: string;
  readonly blame: boolean;
}

/** Goes back to what was there before the switch and passes its gates; marks the release when it failed. */
export async function goBack({ reason, blame }: Retreat, context: ActContext): Promise<string> {
  const state = await readState();
  if (state.phase !== 'activating' || state.way === null) return state.current ?? 'absent';
  const { from, to } = state.way;
  await record(context.clock, { step: 'roll-back', from: to, to: from, reason: reason.slice(0, 2000) });
  const failed = await readManifest(to);
  try {
    if (from === null) await takeAway(failed, state, context);
    else await returnTo(await readManifest(from), failed, { state, context });
  } catch (error) {
    await record(context.clock, { step: 'hold', reason: reasonOf(error) });
    await writeState({ ...(await readState()), phase: 'hold' });
    throw deployErrors.create('VW_DEPLOY_HOLD', { reason: reasonOf(error) }, error);
  }
  if (blame)
    await writeFile(join(LAYOUT.releases, to, 'BAD'), `${reason.split('\n')[0] ?? ''}\n`).catch(() => undefined);
  const after = await readState();
  await writeState({ ...after, phase: from === null ? 'empty' : 'committed', current: from, way: null });
  await record(context.clock, { step: 'rolled-back', to: from });
  return from ?? 'absent';
}

async function returnTo(
  old: Manifest,
  failed: Manifest,
  parts: { state: HostState; context: ActContext },
): Promise<void> {
  const { state, context } = parts;
  await replaceLink(LAYOUT.current, `releases/${old.id}`);
  await applyOuter(old.outer, failed.outer, state);
  const gone = failed.units.filter((unit) => !old.units.some((other) => other.name === unit.name));
  await stopUnits(gone);
  await systemctl(['daemon-reload'], 'daemon-reload');
  for (const part of ['backend', 'gateway'] as const) {
    await startUnits(old, failed, { part, context });
    if (part === 'backend' && (old.nginx || failed.nginx)) await reloadNginx(context);
    const gate = { clock: context.clock, state: await readState(), note: context.note };
    await passGates(await gatesOf(old, part, gate), gate);
  }
}

// Back from a first install: units stopped, links and files gone, foreign things restored, accounts and state removed.
async function takeAway(manifest: Manifest, state: HostState, context: ActContext): Promise<void> {
  await endTasks(manifest);
  await stopUnits(manifest.units);
  await applyOuter([], manifest.outer, state);
  await rm(LAYOUT.current, { force: true });
  await systemctl(['daemon-reload'], 'daemon-reload');
  await run(['systemctl', 'reset-failed', '--', ...manifest.units.map((unit) => unit.name)]);
  // What a foreign unit of the same name was before: running if it was enabled.
  for (const { path } of state.foreign) {
    const unit = /^\/etc\/systemd\/system\/([^/]+\.(?:service|socket))$/.exec(path)?.[1];
    if (unit !== undefined && (await run(['systemctl', 'is-enabled', '--quiet', '--', unit])).code === 0) {
      await run(['systemctl', 'start', '--', unit]);
    }
  }
  if (manifest.nginx) await reloadNginx(context);
  for (const directory of state.made.directories) await rm(directory, { recursive: true, force: true });
  await removeAccounts(state.made);
  await rm(LAYOUT.settings, { recursive: true, force: true });
  const { packages } = state.made;
  if (packages.length > 0) context.note('stays', `package ${packages.join(', ')}, installed by this deployer`);
  const made = { accounts: [], groups: [], directories: [], packages };
  await writeState({ ...state, started: {}, foreign: [], made });
}

/** Takes everything off the host: what is there afterwards is what was there before the first deploy. */
export async function removeAll(keepData: boolean, context: ActContext): Promise<void> {
  const current = await currentRelease();
  const state = await readState();
  await record(context.clock, { step: 'remove', current, keepData });
  if (current !== null) {
    const made = keepData ? { ...state.made, directories: [], accounts: [], groups: [] } : state.made;
    await takeAway(await readManifest(current), { ...state, made }, context);
  }
  await rm(LAYOUT.root, { recursive: true, force: true });
  await rm(join(LAYOUT.helper, '..'), { recursive: true, force: true });
  await rm(LAYOUT.deployState, { recursive: true, force: true });
  if (!keepData && (await readdir(LAYOUT.state).catch(() => ['?'])).length === 0)
    await rm(LAYOUT.state, { recursive: true });
}

// Stopping the launcher ends no task, so that an update may; whoever takes the launcher away ends them first.
async function endTasks(manifest: Manifest): Promise<void> {
  if (!manifest.gates.gateway) return;
  await run(['systemctl', 'stop', 'viworks-gateway-agent.service'], { ms: START_MS });
  await run(['systemctl', 'kill', '--kill-whom=all', '--signal=KILL', 'viworks-launcher.service']);
}

async function activating(): Promise<{ next: Manifest; current: Manifest | null }> {
  const { phase, way } = await readState();
  if (phase !== 'activating' || way === null) throw new Error(`nothing is being activated: ${phase}`);
  return { next: await readManifest(way.to), current: way.from === null ? null : await readManifest(way.from) };
}

async function startUnits(
  wanted: Manifest,
  other: Manifest | null,
  parts: { part: Part; context: ActContext },
): Promise<string[]> {
  const { part, context } = parts;
  const mine = wanted.units.filter((unit) => unit.part === part);
  const gone = other?.units.filter((unit) => unit.part === part && !wanted.units.some((one) => one.name === unit.name));
  await stopUnits(gone ?? []);
  const touched: string[] = [];
  for (const unit of mine) {
    const { started } = await readState();
    const same = started[unit.name]?.fingerprint === unit.fingerprint;
    if (same && (await run(['systemctl', 'is-active', '--quiet', '--', unit.name])).code === 0) continue;
    await record(context.clock, { step: 'start', unit: unit.name });
    // A socket cannot be restarted under its running service.
    if (unit.kind === 'socket') {
      const services = mine.filter((one) => one.kind === 'service').map((one) => one.name);
      await run(['systemctl', 'stop', '--', ...services, unit.name], { ms: START_MS });
    }
    await writeState(withStarted(await readState(), unit, wanted.id));
    await systemctl(['restart', '--', unit.name], unit.name);
    touched.push(unit.name);
    context.note('started', unit.name);
  }
  return touched;
}

function withStarted(state: HostState, unit: ReleaseUnit, release: string): HostState {
  return { ...state, started: { ...state.started, [unit.name]: { fingerprint: unit.fingerprint, release } } };
}

async function stopUnits(units: readonly ReleaseUnit[]): Promise<void> {
  if (units.length === 0) return;
  // Sockets first, or a late connection would start the service again.
  const names = [...units].sort((a, b) => b.kind.localeCompare(a.kind)).map((unit) => unit.name);
  await run(['systemctl', 'stop', '--', ...names], { ms: START_MS });
}

async function systemctl(args: readonly string[], what: string): Promise<void> {
  // What a unit said in earlier lives explains nothing.
  const since = await run(['date', '+%F %T.%6N']);
  const ran = await run(['systemctl', ...args], { ms: START_MS });
  if (ran.code === 0) return;
  const query = ['-u', what, '--since', since.stdout.trim(), '-n', '15', '--no-pager', '-o', 'cat'] as const;
  const journal = what.includes('.') ? (await run(['journalctl', ...query])).stdout : '';
  const first = ran.stderr.trim().split('\n')[0] ?? '';
  const said = [first, journal.trim().replace(/^(?=.)/gm, '    ')].filter(Boolean).join('\n');
  throw deployErrors.create('VW_DEPLOY_HOST_FAILED', { what, reason: said });
}

async function reloadNginx(context: ActContext): Promise<void> {
  await record(context.clock, { step: 'nginx' });
  await systemctl(['reload-or-restart', 'nginx.service'], 'nginx.service');
}

async function missingStateDirectories(manifest: Manifest): Promise<string[]> {
  const wanted = [
    ...(manifest.gates.backend ? ['backend'] : []),
    ...(manifest.gates.gateway ? ['gateway', 'launcher'] : []),
  ].map((name) => join(LAYOUT.state, name));
  const missing: string[] = [];
  for (const directory of wanted) if (!(await lstat(directory).catch(() => undefined))) missing.push(directory);
  return missing;
}

// Keeps the two releases that matter and everything that was marked bad; a layer stays while any release or process needs it.
async function collectGarbage(current: string, previous: string | null): Promise<void> {
  const releases = (await readdir(LAYOUT.releases)).filter((name) => !name.startsWith('.'));
  const apps = new Set<string>();
  const runtimes = new Set<string>([process.execPath.split('/').at(-2) ?? '']);
  for (const id of releases) {
    const bad = await lstat(join(LAYOUT.releases, id, 'BAD')).catch(() => undefined);
    if (id !== current && id !== previous && !bad) {
      await rm(join(LAYOUT.releases, id), { recursive: true, force: true });
      continue;
    }
    if (bad) continue;
    const manifest = await readManifest(id);
    apps.add(manifest.app);
    runtimes.add(manifest.runtime);
  }
  for (const [directory, kept] of [
    [LAYOUT.apps, apps],
    [LAYOUT.runtimes, runtimes],
  ] as const) {
    for (const name of await readdir(directory)) {
      if (!kept.has(name)) await rm(join(directory, name), { recursive: true, force: true });
    }
  }
}
