// What lies outside of /opt/viworks: links to units, the line in nginx. Foreign things in their places are kept and come back.

import { lstat, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceFile } from '../../agents/runtime/index.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { Drift, Foreign, HostState, Manifest, OuterEntry } from '../plan/manifest.ts';
import { linkTarget, replaceLink, run, sha256 } from './tools.ts';

const KEPT = join(LAYOUT.deployState, 'foreign');

/** What stands at the place of an entry, compared with it. */
export async function compareOuter(entry: OuterEntry): Promise<'same' | 'missing' | 'edited' | 'replaced' | 'mode'> {
  const info = await lstat(entry.path).catch(() => undefined);
  if (!info) return 'missing';
  if (entry.kind === 'link') return (await linkTarget(entry.path)) === entry.target ? 'same' : 'replaced';
  if (!info.isFile()) return 'replaced';
  if (sha256(await readFile(entry.path)) !== sha256(entry.content)) return 'edited';
  return (info.mode & 0o7777) === entry.mode && info.uid === 0 ? 'same' : 'mode';
}

/** Places of a release where something foreign stands that ours gives way to. */
export async function yieldedPlaces(entries: readonly OuterEntry[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of entries) if (await isYielded(entry)) found.push(entry.path);
  return found;
}

async function isYielded(entry: OuterEntry): Promise<boolean> {
  return yieldsPlace(entry) && (await compareOuter(entry)) === 'replaced';
}

function yieldsPlace(entry: OuterEntry): boolean {
  return entry.kind === 'link' && entry.yields === true;
}

/** What stands where one of `next` will stand although `current` did not put it there. Nothing is touched. */
export async function findForeign(current: Manifest | null, next: readonly OuterEntry[]): Promise<Foreign[]> {
  const ours = new Set(current?.outer.map((entry) => entry.path));
  const found: Foreign[] = [];
  for (const entry of next) {
    if (yieldsPlace(entry) || ours.has(entry.path) || (await compareOuter(entry)) === 'same') continue;
    if (!(await lstat(entry.path).catch(() => undefined))) continue;
    found.push({ path: entry.path, kept: join(KEPT, entry.path.replaceAll('/', '%')) });
  }
  return found;
}

/** Moves foreign things aside, with owner, mode and times. Idempotent. */
export async function keepForeign(foreign: readonly Foreign[]): Promise<void> {
  for (const { path, kept } of foreign) {
    if (await lstat(kept).catch(() => undefined)) continue;
    await mkdir(dirname(kept), { recursive: true, mode: 0o700 });
    await run(['cp', '-a', '--', path, `${kept}.new`]);
    await rename(`${kept}.new`, kept);
  }
}

/** Makes the outside say what a release wants, and takes away what only the other release wanted. Idempotent. */
export async function applyOuter(
  wanted: readonly OuterEntry[],
  other: readonly OuterEntry[],
  state: Pick<HostState, 'foreign'>,
): Promise<void> {
  const kept = new Map(state.foreign.map((entry) => [entry.path, entry.kept]));
  const stays = new Set(wanted.map((entry) => entry.path));
  for (const entry of other) {
    if (stays.has(entry.path) || (await isYielded(entry))) continue;
    const foreign = kept.get(entry.path);
    await rm(entry.path, { recursive: true, force: true });
    if (foreign !== undefined) await run(['cp', '-a', '--', foreign, entry.path]);
  }
  for (const entry of wanted) {
    if ((await compareOuter(entry)) === 'same' || (await isYielded(entry))) continue;
    if (entry.kind === 'link') await replaceLink(entry.path, entry.target);
    else await replaceFile(entry.path, entry.content, { mode: entry.mode });
  }
}

/** Managed files that are not what the current release shipped. */
export async function findDrift(manifest: Manifest): Promise<Drift[]> {
  const drift: Drift[] = [];
  for (const file of manifest.files) {
    const path = join(LAYOUT.releases, manifest.id, file.path);
    const info = await lstat(path).catch(() => undefined);
    if (!info) drift.push({ path, what: 'missing' });
    else if (!info.isFile()) drift.push({ path, what: 'replaced' });
    else if (sha256(await readFile(path)) !== file.sha256) drift.push({ path, what: 'edited' });
    else if ((info.mode & 0o7777) !== file.mode) drift.push({ path, what: 'mode' });
  }
  for (const entry of manifest.outer) {
    const what = await compareOuter(entry);
    if (what !== 'same' && !(await isYielded(entry))) drift.push({ path: entry.path, what });
  }
  return drift;
}

/** Keeps a copy of every edited file beside it, before it is replaced. */
export async function keepEdited(drift: readonly Drift[]): Promise<string[]> {
  const kept: string[] = [];
  for (const { path, what } of drift) {
    if (what !== 'edited' && what !== 'replaced') continue;
    // A release is taken away some day; a copy of somebody's work must not go with it.
    const beside = path.startsWith(LAYOUT.releases)
      ? join(KEPT, `edited-${path.slice(LAYOUT.releases.length + 1).replaceAll('/', '%')}`)
      : path;
    const copy = `${beside}.viworks-orig`;
    await mkdir(dirname(copy), { recursive: true });
    await rm(copy, { recursive: true, force: true });
    await run(['cp', '-a', '--', path, copy]);
    kept.push(copy);
  }
  return kept;
}
