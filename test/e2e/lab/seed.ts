// What makes a base image this host: its name, address, keys and names of the others. Written into the upper layer before boot.
import { chmod, chown, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { filesOf, type HostName, hostNames, type Layout } from './layout.ts';
import type { Slice } from './network.ts';
import { must } from './shell.ts';

export const serverName = 'agents.example.test';

/** Makes the operator's key and one host key for each host; keeps those that are there. */
export async function makeKeys(layout: Layout): Promise<void> {
  const files = filesOf(layout);
  await mkdir(path.dirname(files.hostKey('be1')), { recursive: true, mode: 0o700 });
  for (const file of [files.identity, ...hostNames.map((host) => files.hostKey(host))]) {
    const there = await readFile(file).catch(() => undefined);
    if (!there) await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', `lab-${layout.name}`, '-f', file]);
  }
}

export async function hostFingerprint(layout: Layout, host: HostName): Promise<string> {
  const line = await must(['ssh-keygen', '-lf', `${filesOf(layout).hostKey(host)}.pub`]);
  return line.split(' ')[1] ?? '';
}

export async function writeKnownHosts(layout: Layout, slice: Slice): Promise<void> {
  const lines = await Promise.all(
    hostNames.map(
      async (host) => `${slice.hosts[host]} ${await readFile(`${filesOf(layout).hostKey(host)}.pub`, 'utf8')}`,
    ),
  );
  await writeFile(filesOf(layout).knownHosts, lines.join(''));
}

export interface Seed {
  readonly layout: Layout;
  readonly slice: Slice;
  readonly host: HostName;
  readonly root: string;
  readonly docker: boolean;
}

export async function seedHost({ layout, slice, host, root, docker }: Seed): Promise<void> {
  const files = filesOf(layout);
  const put = async (file: string, text: string) => {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  };
  await put('etc/hostname', `${host}\n`);
  await put(
    'etc/hosts',
    [
      '127.0.0.1 localhost',
      '::1 localhost ip6-localhost',
      `${slice.hosts.be1} be1 ${serverName}`,
      `${slice.hosts.gw1} gw1`,
      '',
    ].join('\n'),
  );
  await put('etc/systemd/network/10-host0.network', networkUnit(slice.hosts[host]));
  const identity = await readFile(`${files.identity}.pub`, 'utf8');
  for (const [home, uid] of [
    ['root', 0],
    ['home/op', 1000],
  ] as const) {
    await put(`${home}/.ssh/authorized_keys`, identity);
    await chmod(path.join(root, home, '.ssh'), 0o700);
    await chown(path.join(root, home, '.ssh'), uid, uid);
    await chown(path.join(root, home, '.ssh/authorized_keys'), uid, uid);
  }
  for (const suffix of ['', '.pub']) {
    const target = path.join(root, `etc/ssh/ssh_host_ed25519_key${suffix}`);
    await copyFile(`${files.hostKey(host)}${suffix}`, target);
    await chmod(target, suffix === '' ? 0o600 : 0o644);
  }
  if (docker) await put('etc/systemd/system/docker.service.d/lab.conf', dockerDropIn);
}

const networkUnit = (address: string) => `[Match]
Name=host0

[Network]
Address=${address}/28
LinkLocalAddressing=no
IPv6AcceptRA=no
`;

// systemd-nspawn mounts the controllers read-only; dockerd makes its groups below this host's own, so they may be writable.
const dockerDropIn = `[Service]
ExecStartPre=/bin/sh -c 'for group in /sys/fs/cgroup /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$$group" || true; done'
`;
