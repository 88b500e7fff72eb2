// One control group per lab host in every hierarchy that systemd (and dockerd) needs. systemd-nspawn puts its payload into
// `payload` below the group it was started in; without a group of its own each, two hosts would share one.
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { scheduler } from 'node:timers/promises';

interface Hierarchy {
  readonly mount: string;
  readonly kind: 'unified' | 'systemd' | 'controller';
}

/** The control group mounts, read from the kernel: v2 may be the whole tree, or a side tree of a hybrid one. */
export function parseHierarchies(mountinfo: string): readonly Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const [type, , superOptions] = (right ?? '').split(' ');
    const mount = left?.split(' ')[4];
    if (!mount?.startsWith('/sys/fs/cgroup')) continue;
    if (type === 'cgroup2') found.push({ mount, kind: 'unified' });
    if (type === 'cgroup')
      found.push({ mount, kind: superOptions?.includes('name=systemd') ? 'systemd' : 'controller' });
  }
  return found;
}

async function hierarchies(): Promise<readonly Hierarchy[]> {
  return parseHierarchies(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Makes the host's groups and answers with the `cgroup.procs` files that its first process has to enter. */
export async function makeGroups(group: string, withControllers: boolean): Promise<readonly string[]> {
  const doors: string[] = [];
  for (const { mount, kind } of await hierarchies()) {
    if (kind === 'controller' && !withControllers) continue;
    const dir = path.join(mount, group);
    await mkdir(dir, { recursive: true });
    // A v1 cpuset starts empty at every level and takes no process until it has processors and memory.
    for (const level of mount.includes('cpuset') ? [path.dirname(dir), dir] : []) {
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        await writeFile(path.join(level, file), await readFile(path.join(mount, file), 'utf8'));
      }
    }
    doors.push(path.join(dir, 'cgroup.procs'));
  }
  return doors;
}

async function groupsBelow(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => groupsBelow(path.join(dir, entry.name))),
  );
  return entries.length === 0 ? [] : [...below.flat(), dir];
}

/** Every process of a group and below, from the hierarchies that systemd keeps up to date. */
export async function processesIn(group: string): Promise<readonly number[]> {
  const pids = new Set<number>();
  for (const { mount, kind } of await hierarchies()) {
    if (kind === 'controller') continue;
    for (const dir of await groupsBelow(path.join(mount, group))) {
      const text = await readFile(path.join(dir, 'cgroup.procs'), 'utf8').catch(() => '');
      for (const pid of text.split('\n').filter(Boolean)) pids.add(Number(pid));
    }
  }
  return [...pids];
}

/** Ends every process of the group, each by its pid, and removes the group. */
export async function endGroup(group: string): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const pids = (await processesIn(group)).filter((pid) => pid > 1);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself between the listing and the signal.
      }
    }
    await scheduler.wait(50);
  }
  for (const { mount } of await hierarchies()) await removeTree(path.join(mount, group));
}

async function removeTree(dir: string): Promise<void> {
  // The kernel lets go of an emptied group a moment after its last process was reaped.
  for (let round = 0; round < 60; round += 1) {
    const groups = await groupsBelow(dir);
    if (groups.length === 0) return;
    for (const group of groups) await rmdir(group).catch(() => undefined);
    if ((await groupsBelow(dir)).length === 0) return;
    await scheduler.wait(50);
  }
}
