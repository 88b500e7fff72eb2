// The base images: a bare Debian host, the same with a Docker engine, and a container's root. Built once, kept outside the
// checkout under a hash of everything that went into them, made under a temporary name and renamed when complete.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { cacheRoot } from './layout.ts';
import { attempt, must } from './shell.ts';

const suite = 'bookworm';
/** A number to raise when `finish` changes, so that no stale image is taken for a fresh one. */
const recipe = 6;

const barePackages = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'openssh-server',
  'iproute2',
  'iptables',
  'ca-certificates',
  'procps',
] as const;

const kinds = {
  bare: barePackages,
  docker: [...barePackages, 'docker.io'],
  container: ['nginx-light'],
} as const;

export type BaseKind = keyof typeof kinds;

export interface BaseOptions {
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

function fingerprint(kind: BaseKind): string {
  return createHash('sha256')
    .update(JSON.stringify([suite, recipe, kind, kinds[kind]]))
    .digest('hex')
    .slice(0, 12);
}

export const basePath = (kind: BaseKind) => path.join(cacheRoot, `${kind}-${fingerprint(kind)}`);

/** Answers with the folder of a complete base image (or the tar of the container's root), building it when it is not there. */
export async function ensureBase(kind: BaseKind, options: BaseOptions): Promise<string> {
  const target = kind === 'container' ? `${basePath(kind)}.tar` : basePath(kind);
  if (await stat(target).catch(() => undefined)) return target;
  await mkdir(cacheRoot, { recursive: true });
  await removeStale();
  const building = `${basePath(kind)}.building-${process.pid}`;
  options.say(`building the ${kind} base image (once; it is kept in ${cacheRoot})`);
  try {
    const mirror = await debianMirror();
    await must(['debootstrap', '--variant=minbase', `--include=${kinds[kind].join(',')}`, suite, building, mirror], {
      signal: options.signal,
    });
    options.say('installed its packages, finishing it');
    if (kind === 'container') {
      await finishContainer(building, `${building}.tar`, options);
      await rename(`${building}.tar`, target);
    } else {
      await finishHost(building, kind, options);
      await rename(building, target).catch(async (error: unknown) => {
        // Somebody else was quicker with the same image.
        if (!(await stat(target).catch(() => undefined))) throw error;
      });
    }
  } finally {
    await rm(building, { recursive: true, force: true });
    await rm(`${building}.tar`, { force: true });
  }
  return target;
}

/** The mirror that apt uses on this machine for Debian itself. */
async function debianMirror(): Promise<string> {
  const listed = await attempt(['apt-get', 'indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Created-By: Packages']);
  const line = listed.stdout.split('\n').find((entry) => entry.startsWith('Debian http'));
  return line?.split(' ')[1] ?? 'http://deb.debian.org/debian';
}

async function removeStale(): Promise<void> {
  for (const entry of await readdir(cacheRoot)) {
    const builder = /\.building-([0-9]+)/.exec(entry)?.[1];
    if (builder && !(await stat(`/proc/${builder}`).catch(() => undefined))) {
      await rm(path.join(cacheRoot, entry), { recursive: true, force: true });
    }
  }
}

const inRoot = (root: string, script: string, options: BaseOptions) =>
  must(['chroot', root, '/bin/sh', '-euc', script], {
    signal: options.signal,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
  });

/** Packages that may be installed on a host: by our deployer, and by a peer of the bench that needs python. Lab hosts reach no mirror, so each carries its own small repository. */
const shelf = ['nginx-light', 'python3'];

async function finishHost(root: string, kind: BaseKind, options: BaseOptions): Promise<void> {
  await writeFile(path.join(root, 'etc/resolv.conf'), await readFile('/etc/resolv.conf'));
  await inRoot(
    root,
    `apt-get clean; apt-get update -q; apt-get install -y -q --download-only ${shelf.join(' ')}`,
    options,
  );
  await inRoot(
    root,
    `mkdir -p /srv/apt
     for deb in /var/cache/apt/archives/*.deb; do mv "$deb" "/srv/apt/$(basename "$deb" | sed 's/%3a/-/')"; done
     cd /srv/apt
     for deb in *.deb; do
       dpkg-deb -f "$deb"
       printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d' ' -f1)"
     done > Packages
     echo 'deb [trusted=yes] file:/srv/apt ./' > /etc/apt/sources.list
     rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin
     apt-get update -q`,
    options,
  );
  await inRoot(
    root,
    `systemctl enable systemd-networkd ssh
     systemctl disable ssh.socket
     systemctl mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer
     ${kind === 'docker' ? 'systemctl enable docker' : ''}
     useradd --create-home --shell /bin/bash op
     rm -f /etc/ssh/ssh_host_* /etc/machine-id /etc/resolv.conf
     : > /etc/machine-id
     rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/locale/*`,
    options,
  );
}

async function finishContainer(root: string, tar: string, options: BaseOptions): Promise<void> {
  await inRoot(
    root,
    `apt-get clean
     rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /etc/nginx/sites-enabled/*
     ln -sf /dev/stdout /var/log/nginx/access.log
     ln -sf /dev/stderr /var/log/nginx/error.log`,
    options,
  );
  await must(['tar', '--numeric-owner', '-C', root, '-cf', tar, '.'], { signal: options.signal });
}
