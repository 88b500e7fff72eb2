// Brings a lab up and down. Down needs no record: it ends what carries this lab's names, whoever left it there.

import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { startTimeOf } from '../../../deploy/local/ledger.ts';
import { ensureBase } from './base.ts';
import { endGroup } from './cgroup.ts';
import { bootHost, haltHost, leaderOf, makeDisk, removeDisk } from './host.ts';
import { renderInventory } from './inventory.ts';
import { diskOf, filesOf, type HostName, hostNames, type Layout } from './layout.ts';
import { installTools, labObstacle } from './machine.ts';
import { makeNetwork, releaseSlices, removeNetwork, type Slice, takeSlice } from './network.ts';
import { hostFingerprint, makeKeys, writeKnownHosts } from './seed.ts';

export interface LabState {
  readonly slice: Slice;
  readonly docker: boolean;
  /** Ids of the breaks that are in, in the order of their injection. */
  readonly broken: readonly string[];
}

export interface LabOptions {
  readonly docker: boolean;
  /** What belongs into a fresh lab of this form, once its hosts are up. */
  readonly furnish?: (state: LabState) => Promise<void>;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export async function readState(layout: Layout): Promise<LabState | undefined> {
  const text = await readFile(filesOf(layout).state, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as LabState);
}

export async function writeState(layout: Layout, state: LabState): Promise<void> {
  await writeFile(filesOf(layout).state, `${JSON.stringify(state, undefined, 2)}\n`);
}

/** Brings the lab up, or finds that it is up; a lab that is half there is taken away first. */
export async function bringUp(layout: Layout, options: LabOptions): Promise<LabState> {
  const obstacle = await labObstacle();
  if (obstacle) throw new Error(`no lab on this machine: ${obstacle}`);
  await mkdir(layout.dir, { recursive: true });
  return withLock(layout, async () => {
    const known = await readState(layout);
    const leaders = await Promise.all(hostNames.map((host) => leaderOf(layout, host)));
    if (known && known.docker === options.docker && leaders.every((leader) => leader !== undefined)) {
      options.say(`lab ${layout.name} is up`);
      return known;
    }
    if (known || leaders.some((leader) => leader !== undefined)) options.say('taking away what an earlier run left');
    await takeAway(layout);
    try {
      return await build(layout, options);
    } catch (error) {
      await takeAway(layout);
      throw error;
    }
  });
}

async function build(layout: Layout, options: LabOptions): Promise<LabState> {
  await installTools(options.say, options.signal);
  const bare = await ensureBase('bare', options);
  const backend = options.docker ? await ensureBase('docker', options) : bare;
  await makeKeys(layout);
  const slice = await takeSlice(layout);
  options.say(
    `network ${slice.prefix}: be1 ${slice.hosts.be1}, gw1 ${slice.hosts.gw1}, this machine ${slice.operator}`,
  );
  await makeNetwork(layout, slice);
  await writeKnownHosts(layout, slice);
  await Promise.all(
    hostNames.map(async (host) => {
      options.say(`booting ${host}`);
      const docker = options.docker && host === 'be1';
      const plan = { layout, slice, host, base: host === 'be1' ? backend : bare, docker, signal: options.signal };
      await makeDisk(plan);
      await bootHost(plan);
      options.say(`${host} is up`);
    }),
  );
  await writeInventories(layout, slice, options.docker);
  const state: LabState = { slice, docker: options.docker, broken: [] };
  // Only a complete lab has a state: what is interrupted before this line is taken away by the next `up`.
  await options.furnish?.(state);
  await writeState(layout, state);
  return state;
}

async function writeInventories(layout: Layout, slice: Slice, docker: boolean): Promise<void> {
  const fingerprints = { be1: await hostFingerprint(layout, 'be1'), gw1: await hostFingerprint(layout, 'gw1') };
  const files = filesOf(layout);
  await writeFile(files.inventory, renderInventory({ slice, fingerprints, user: 'root', docker }));
  await writeFile(files.unprivilegedInventory, renderInventory({ slice, fingerprints, user: 'op', docker }));
}

/** Switches one host off and on again, as a power cut does. */
export async function reboot(layout: Layout, host: HostName, signal?: AbortSignal): Promise<void> {
  const state = await readState(layout);
  if (!state) throw new Error('the lab is not up; `npm run -s lab -- up` brings it up');
  await haltHost(layout, host);
  const docker = state.docker && host === 'be1';
  await bootHost({ layout, slice: state.slice, host, base: '', docker, signal });
}

/** Throws a host's disk away and boots it bare. */
export async function reset(layout: Layout, host: HostName, options: LabOptions): Promise<void> {
  const state = await readState(layout);
  if (!state) throw new Error('the lab is not up; `npm run -s lab -- up` brings it up');
  const docker = state.docker && host === 'be1';
  const base = await ensureBase(docker ? 'docker' : 'bare', options);
  await haltHost(layout, host);
  await removeDisk(layout, host);
  const plan = { layout, slice: state.slice, host, base, docker, signal: options.signal };
  await makeDisk(plan);
  await bootHost(plan);
}

/** Ends every process, mount, link, namespace and control group of this lab. Keys stay, so that the next lab has the same. */
export async function bringDown(layout: Layout): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('the lab needs root');
  if (await stat(layout.dir).catch(() => undefined)) await withLock(layout, () => takeAway(layout));
  else await takeAway(layout);
}

async function takeAway(layout: Layout): Promise<void> {
  await Promise.all(hostNames.map((host) => haltHost(layout, host)));
  await endGroup(layout.cgroup);
  for (const host of hostNames) await removeDisk(layout, host);
  await removeNetwork(layout);
  await releaseSlices(layout);
  await rm(layout.disks, { recursive: true, force: true });
  await rm(path.join(layout.dir, 'kept'), { recursive: true, force: true });
  const files = filesOf(layout);
  for (const file of [
    files.state,
    files.inventory,
    files.unprivilegedInventory,
    files.knownHosts,
    ...hostNames.map(files.console),
  ]) {
    await rm(file, { force: true });
  }
}

/** One `up` or `down` of a lab at a time. A lock whose holder is gone counts for nothing. */
async function withLock<T>(layout: Layout, work: () => Promise<T>): Promise<T> {
  const { lock } = filesOf(layout);
  for (let round = 0; ; round += 1) {
    const taken = await writeFile(lock, `${process.pid} ${startTimeOf(process.pid) ?? ''}`, { flag: 'wx' }).then(
      () => true,
      () => false,
    );
    if (taken) break;
    const [pid = '0', started] = (await readFile(lock, 'utf8').catch(() => '')).split(' ');
    const holderLives = started !== undefined && startTimeOf(Number(pid)) === started;
    if (holderLives) throw new Error(`process ${pid} is working on this lab (${path.relative(process.cwd(), lock)})`);
    if (round > 3) throw new Error(`cannot take ${lock}`);
    await rm(lock, { force: true });
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

/** The folder in which a host's disk is mounted, for tests that look at files from outside. */
export const rootOf = (layout: Layout, host: HostName) => diskOf(layout, host).root;
