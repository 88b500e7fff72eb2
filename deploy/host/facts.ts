// What the helper sees on its host before anything is decided. Reads only.

import { readdir, readFile, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { exists } from '../../agents/runtime/index.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { HostFacts } from '../plan/manifest.ts';
import { connectedGateways, countSessions } from './backend-tools.ts';
import { currentRelease, readManifest, readState } from './memory.ts';
import { findDrift, yieldedPlaces } from './outer.ts';
import { run, sha256 } from './tools.ts';

/** What a gateway knows of itself. */
export const IDENTITY_FILE = join(LAYOUT.state, 'gateway/identity.json');

/** Collects the facts. */
export async function readFacts(): Promise<HostFacts> {
  const [state, release, current, nginx, systemd, helper] = await Promise.all([
    readState(),
    readOsRelease(),
    currentRelease(),
    readNginx(),
    readSystemd(),
    readFile(LAYOUT.helper).then(sha256, () => ''),
  ]);
  const manifest = current === null ? null : await readManifest(current).catch(() => null);
  const api = manifest?.gates.backend?.api;
  // Proving who answers takes a few commands: meanwhile the rest is read.
  const asked = api === undefined ? undefined : askBackend(api);
  const space = await statfs(await nearest(LAYOUT.root));
  return {
    hostname: hostname(),
    machineId: (await readFile('/etc/machine-id', 'utf8').catch(() => '')).trim(),
    architecture: process.arch,
    os: release.ID ?? 'unknown',
    osVersion: release.VERSION_ID ?? '',
    systemd,
    nginx,
    ipv6: (await readFile('/proc/net/if_inet6', 'utf8').catch(() => '')) !== '',
    perl: await exists('/usr/bin/perl'),
    state,
    manifest,
    drift: manifest ? await findDrift(manifest) : [],
    yielded: manifest ? await yieldedPlaces(manifest.outer) : [],
    inactive: manifest ? await inactiveUnits(manifest.units.map((unit) => unit.name)) : [],
    runtimes: await names(LAYOUT.runtimes),
    apps: (await names(LAYOUT.apps)).filter((name) => !name.startsWith('.')),
    bad: await badReleases(),
    freeBytes: space.bavail * space.bsize,
    helper,
    gatewayEnrolled: await isEnrolled(),
    ...((await asked) ?? { sessions: null, connected: [] }),
  };
}

async function askBackend(api: string): Promise<Pick<HostFacts, 'sessions' | 'connected'>> {
  const linked = await connectedGateways(api);
  return { sessions: linked?.length ?? (await countSessions(api)), connected: linked ?? [] };
}

/** `systemctl is-active` of several units at once. */
export async function inactiveUnits(units: readonly string[]): Promise<string[]> {
  if (units.length === 0) return [];
  const { stdout } = await run(['systemctl', 'is-active', '--', ...units]);
  const states = stdout.trim().split('\n');
  return units.filter((_, index) => states[index] !== 'active');
}

// The agent keeps its key here, and when the backend took it.
async function isEnrolled(): Promise<boolean> {
  try {
    const identity = JSON.parse(await readFile(IDENTITY_FILE, 'utf8')) as { enrolledAt?: number };
    return (identity.enrolledAt ?? 0) > 0;
  } catch {
    return false;
  }
}

async function readNginx(): Promise<HostFacts['nginx']> {
  if (!(await exists('/usr/sbin/nginx'))) return null;
  const [version, active] = await Promise.all([
    run(['/usr/sbin/nginx', '-v']),
    run(['systemctl', 'is-active', '--quiet', 'nginx.service']),
  ]);
  return { version: /nginx\/([\d.]+)/.exec(version.stderr)?.[1] ?? '', active: active.code === 0 };
}

async function readSystemd(): Promise<number> {
  const { stdout } = await run(['systemctl', '--version']);
  return Number(/^systemd (\d+)/.exec(stdout)?.[1] ?? 0);
}

async function readOsRelease(): Promise<Readonly<Record<string, string>>> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return Object.fromEntries(
    [...text.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)].map(([, key, value]) => [key as string, value as string]),
  );
}

async function badReleases(): Promise<{ id: string; reason: string }[]> {
  const found: { id: string; reason: string }[] = [];
  for (const id of await names(LAYOUT.releases)) {
    const text = await readFile(join(LAYOUT.releases, id, 'BAD'), 'utf8').catch(() => undefined);
    if (text !== undefined) found.push({ id, reason: text.trim() });
  }
  return found;
}

async function nearest(directory: string): Promise<string> {
  return (await exists(directory)) ? directory : nearest(join(directory, '..'));
}

async function names(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).sort();
}
