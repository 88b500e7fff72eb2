// The lab's network: a namespace of its own with one bridge, and one link to the machine's namespace while the lab is up,
// so that commands reach the hosts as typed. Documentation addresses only, a /28 for each lab.
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HostName, Layout } from './layout.ts';
import { attempt, must } from './shell.ts';

/** RFC 5737. The machine itself may sit in the first one; then the second is taken. */
const pools = ['192.0.2', '198.51.100'] as const;
const sliceSize = 16;
export const bridge = 'lab0';
const uplink = 'up0';

export interface Slice {
  readonly prefix: string;
  readonly operator: string;
  readonly hosts: Readonly<Record<HostName, string>>;
  /** Routed into the lab, and nobody answers there. */
  readonly nobody: string;
}

export function sliceOf(index: number): Slice {
  const pool = pools[Math.floor(index / (256 / sliceSize))];
  const first = (index % (256 / sliceSize)) * sliceSize;
  const at = (offset: number) => `${pool}.${first + offset}`;
  return { prefix: `${at(0)}/28`, operator: at(1), hosts: { be1: at(10), gw1: at(12) }, nobody: at(14) };
}

const numberOf = (address: string) => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

function overlaps(a: string, b: string): boolean {
  const range = (prefix: string) => {
    const [address = '', bits = '32'] = prefix.split('/');
    const size = 2 ** (32 - Number(bits));
    const start = Math.floor(numberOf(address) / size) * size;
    return [start, start + size] as const;
  };
  const [aStart, aEnd] = range(a);
  const [bStart, bEnd] = range(b);
  return aStart < bEnd && bStart < aEnd;
}

/** Slices that no route of the machine touches (the default route touches everything and counts for nothing). */
export function freeSlices(routes: readonly string[]): readonly number[] {
  const taken = routes.filter((route) => /^[0-9]+\./.test(route));
  return [...Array(pools.length * (256 / sliceSize)).keys()].filter(
    (index) => !taken.some((route) => overlaps(sliceOf(index).prefix, route)),
  );
}

/** Takes a slice for this lab: one file per slice, made exclusively, given back by `down`. */
export async function takeSlice(layout: Layout): Promise<Slice> {
  await mkdir(layout.slices, { recursive: true });
  await releaseSlices(layout);
  const parsed: unknown = JSON.parse((await must(['ip', '-j', '-4', 'route', 'show', 'table', 'all'])) || '[]');
  const routes = (parsed as readonly { readonly dst?: string }[]).map((route) => route.dst ?? '');
  for (const index of freeSlices(routes)) {
    const file = path.join(layout.slices, String(index));
    const made = await writeFile(file, layout.id, { flag: 'wx' }).then(
      () => true,
      () => false,
    );
    if (made) return sliceOf(index);
    await dropStale(file);
  }
  throw new Error(`no free slice of ${pools.join(' or ')}: ${layout.slices} says which labs hold them`);
}

async function dropStale(file: string): Promise<void> {
  const owner = await readFile(file, 'utf8').catch(() => '');
  const alive = await stat(`/run/netns/vwlab-${owner}`).catch(() => undefined);
  const age = await stat(file).catch(() => undefined);
  // A lab that is just starting holds its slice before its namespace exists.
  if (!alive && age && Date.now() - age.mtimeMs > 120_000) await rm(file, { force: true });
}

export async function releaseSlices(layout: Layout): Promise<void> {
  for (const entry of await readdir(layout.slices).catch(() => [])) {
    const file = path.join(layout.slices, entry);
    if ((await readFile(file, 'utf8').catch(() => '')) === layout.id) await rm(file, { force: true });
  }
}

export async function makeNetwork(layout: Layout, slice: Slice): Promise<void> {
  const inside = (...args: string[]) => must(['ip', '-n', layout.namespace, ...args]);
  await must(['ip', 'netns', 'add', layout.namespace]);
  await inside('link', 'set', 'lo', 'up');
  await inside('link', 'add', bridge, 'type', 'bridge');
  await inside('link', 'set', bridge, 'up');
  await must(['ip', 'link', 'add', layout.link, 'type', 'veth', 'peer', 'name', uplink, 'netns', layout.namespace]);
  await inside('link', 'set', uplink, 'master', bridge, 'up');
  await must(['ip', 'addr', 'add', `${slice.operator}/28`, 'dev', layout.link]);
  await must(['ip', 'link', 'set', layout.link, 'up']);
}

export async function removeNetwork(layout: Layout): Promise<void> {
  await attempt(['ip', 'link', 'del', layout.link]);
  if (await stat(`/run/netns/${layout.namespace}`).catch(() => undefined))
    await must(['ip', 'netns', 'del', layout.namespace]);
}
