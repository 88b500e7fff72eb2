// What this machine can carry, and the Debian packages that a lab needs of it.
import { readFile, stat } from 'node:fs/promises';
import process from 'node:process';
import { attempt, must } from './shell.ts';

const tools: Readonly<Record<string, string>> = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  ip: 'iproute2',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  openssl: 'openssl',
};

/** The reason why this machine cannot host a lab, or undefined when it can. Suites print it and skip. */
export async function labObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `the lab needs Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'the lab needs root (namespaces, mounts and systemd-nspawn)';
  const filesystems = await readFile('/proc/filesystems', 'utf8');
  if (!/\boverlay\b/.test(filesystems)) return 'this kernel has no overlayfs';
  if (!(await stat('/etc/debian_version').catch(() => undefined)) && (await missingPackages()).length > 0) {
    return `this is no Debian, and it lacks ${(await missingPackages()).join(', ')}`;
  }
  const probe = await attempt(['unshare', '--mount', '--net', 'true']);
  return probe.code === 0 ? undefined : `this machine allows no new namespaces (${probe.stderr.trim()})`;
}

async function missingPackages(): Promise<readonly string[]> {
  const missing = new Set<string>();
  for (const [tool, name] of Object.entries(tools)) {
    const found = await attempt(['sh', '-c', 'command -v "$1"', 'sh', tool], {
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    if (found.code !== 0) missing.add(name);
  }
  return [...missing];
}

/** Installs what is missing; does nothing, and asks no mirror, when everything is there. */
export async function installTools(say: (line: string) => void, signal?: AbortSignal): Promise<void> {
  const missing = await missingPackages();
  if (missing.length === 0) return;
  say(`installing ${missing.join(', ')} on this machine`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  // A foreign source that cannot be reached does not matter as long as Debian's own can.
  await attempt(['apt-get', 'update', '-q'], { signal, env });
  await must(['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...missing] as ['apt-get', ...string[]], {
    signal,
    env,
  });
}
