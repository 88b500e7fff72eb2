// One lab host: an overlay of the base image, booted by systemd-nspawn in the lab's network namespace, in a control group of
// its own. Everything that it runs is found again through that group, also after the lab's own process was killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { scheduler } from 'node:timers/promises';
import { endGroup, makeGroups, processesIn } from './cgroup.ts';
import { diskOf, filesOf, type HostName, type Layout } from './layout.ts';
import { bridge, type Slice } from './network.ts';
import { seedHost } from './seed.ts';
import { attempt, must, type ShellOptions, type ShellResult } from './shell.ts';

export interface HostPlan {
  readonly layout: Layout;
  readonly slice: Slice;
  readonly host: HostName;
  readonly base: string;
  readonly docker: boolean;
  readonly signal?: AbortSignal | undefined;
}

const groupOf = (layout: Layout, host: HostName) => path.join(layout.cgroup, host);
// The machine name keeps systemd-nspawn's own run-time files of two labs apart; the host calls itself be1 or gw1.
const machineOf = (layout: Layout, host: HostName) => `vwl-${layout.id}-${host}`;

/** Mounts a fresh upper layer over the base and writes what makes it this host. */
export async function makeDisk(plan: HostPlan): Promise<void> {
  const disk = diskOf(plan.layout, plan.host);
  for (const dir of [disk.upper, disk.work, disk.root]) await mkdir(dir, { recursive: true });
  if (plan.docker) await mkdir(disk.docker, { recursive: true });
  const options = `lowerdir=${plan.base},upperdir=${disk.upper},workdir=${disk.work}`;
  await must(['mount', '-t', 'overlay', 'overlay', '-o', options, disk.root]);
  await seedHost({ layout: plan.layout, slice: plan.slice, host: plan.host, root: disk.root, docker: plan.docker });
}

/** Boots the host on its disk; comes back when its ssh answers and systemd says that it has started. */
export async function bootHost(plan: HostPlan): Promise<void> {
  const { layout, host } = plan;
  const disk = diskOf(layout, host);
  const doors = await makeGroups(groupOf(layout, host), plan.docker);
  const console = await open(filesOf(layout).console(host), 'w');
  try {
    const child = spawn(
      'sh',
      [
        '-c',
        `for door in ${doors.join(' ')}; do echo $$ > "$door" || exit 1; done; exec "$@"`,
        'sh',
        ...nspawn(plan, disk),
      ],
      { detached: true, stdio: ['ignore', console.fd, console.fd] },
    );
    child.unref();
    await answered(plan, child);
  } finally {
    await console.close();
  }
}

function nspawn(plan: HostPlan, disk: { readonly root: string; readonly docker: string }): readonly string[] {
  return [
    'nsenter',
    `--net=/run/netns/${plan.layout.namespace}`,
    'systemd-nspawn',
    '--quiet',
    '--register=no',
    '--keep-unit',
    `--directory=${disk.root}`,
    `--machine=${machineOf(plan.layout, plan.host)}`,
    `--hostname=${plan.host}`,
    `--network-bridge=${bridge}`,
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    '--console=read-only',
    '--boot',
    ...(plan.docker
      ? ['--capability=all', '--system-call-filter=add_key keyctl bpf', `--bind=${disk.docker}:/var/lib/docker`]
      : []),
  ];
}

async function answered(plan: HostPlan, child: ChildProcess): Promise<void> {
  for (let round = 0; round < 300; round += 1) {
    plan.signal?.throwIfAborted();
    if (child.exitCode !== null) break;
    const pid = await leaderOf(plan.layout, plan.host);
    if (pid) {
      const state = await inHost(pid, 'systemctl is-system-running; ss -Hltn "sport = :22" | grep -q . && echo ssh');
      // `degraded` is an answer too: the caller's own breaks may have failed a unit before a reboot.
      if (/^(running|degraded)/.test(state.stdout) && state.stdout.includes('ssh')) return;
    }
    await scheduler.wait(100);
  }
  const log = await readFile(filesOf(plan.layout).console(plan.host), 'utf8').catch(() => '');
  throw new Error(`${plan.host} did not come up; its console says:\n${log.split('\n').slice(-15).join('\n')}`);
}

/** The host's own first process, as the machine numbers it; undefined while it is not up. */
export async function leaderOf(layout: Layout, host: HostName): Promise<number | undefined> {
  const hierarchy = (await stat('/sys/fs/cgroup/unified').catch(() => undefined))
    ? '/sys/fs/cgroup/unified'
    : '/sys/fs/cgroup';
  const file = path.join(hierarchy, groupOf(layout, host), 'payload/init.scope/cgroup.procs');
  const pids = await readFile(file, 'utf8').catch(() => '');
  const first = pids.split('\n').find(Boolean);
  return first ? Number(first) : undefined;
}

const hostEnvironment = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'LC_ALL=C',
  'HOME=/root',
  'TERM=dumb',
];

/** Runs a script in the host's namespaces, past its sshd: leaves no login behind, and works when ssh is what is broken. */
export function inHost(leader: number, script: string, options: ShellOptions = {}): Promise<ShellResult> {
  const enter = [
    'nsenter',
    `--target=${leader}`,
    '--mount',
    '--uts',
    '--ipc',
    '--net',
    '--pid',
    '--root',
    '--wd=/',
  ] as const;
  return attempt([...enter, 'env', '-C', '/', '-i', ...hostEnvironment, 'sh', '-c', script], {
    timeoutMs: 60_000,
    ...options,
  });
}

/** Cuts the host's power. */
export async function haltHost(layout: Layout, host: HostName): Promise<void> {
  const leader = await leaderOf(layout, host);
  if (leader) {
    process.kill(leader, 'SIGKILL');
    // systemd-nspawn then takes away its link and its lock by itself; what is left after that is ended below.
    for (let round = 0; round < 40 && (await processesIn(groupOf(layout, host))).length > 0; round += 1)
      await scheduler.wait(50);
  }
  await endGroup(groupOf(layout, host));
  await rm(`/run/systemd/nspawn/propagate/${machineOf(layout, host)}`, { recursive: true, force: true });
  // Its lock outlives it, named by the folder's device and inode.
  const root = await stat(diskOf(layout, host).root).catch(() => undefined);
  if (root) await rm(`/run/systemd/nspawn/locks/inode-${root.dev}:${root.ino}`, { force: true });
}

/** Unmounts and forgets the disk. */
export async function removeDisk(layout: Layout, host: HostName): Promise<void> {
  const disk = diskOf(layout, host);
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mount) => mount.startsWith(`${disk.base}/`));
  for (const mount of mounts.reverse()) await must(['umount', mount]);
  await rm(disk.base, { recursive: true, force: true });
}
