// Where a lab keeps its things. Every name on the machine (namespace, link, cgroup, disks) derives from the lab's own folder,
// so that two checkouts and several named labs run side by side, and leftovers are found without any record of them.
import { createHash } from 'node:crypto';
import path from 'node:path';

export const repositoryRoot = path.resolve(import.meta.dirname, '../../..');

/** Outside the checkout: the base images are the same for every lab, and upper layers must not lie on an overlay. */
export const cacheRoot = '/var/cache/viworks-lab';
const diskRoot = '/var/lib/viworks-lab';

export type HostName = 'be1' | 'gw1';
export const hostNames: readonly HostName[] = ['be1', 'gw1'];

export interface Layout {
  readonly name: string;
  readonly id: string;
  readonly dir: string;
  readonly disks: string;
  readonly slices: string;
  readonly namespace: string;
  readonly link: string;
  readonly cgroup: string;
}

/** The default lab lives in `.lab/`, the others in `.lab-NAME/`. */
export function layoutOf(name: string, root: string = repositoryRoot): Layout {
  if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name)) {
    throw new Error(`a lab's name is made of a-z, 0-9 and "-", not ${JSON.stringify(name)}`);
  }
  const dir = path.join(root, name === 'lab' ? '.lab' : `.lab-${name}`);
  // Eight hex digits fit an interface name (15 characters) with room for a prefix.
  const id = createHash('sha256').update(dir).digest('hex').slice(0, 8);
  return {
    name,
    id,
    dir,
    disks: path.join(diskRoot, id),
    slices: path.join(diskRoot, 'slices'),
    namespace: `vwlab-${id}`,
    link: `vwl${id}`,
    cgroup: `viworks-lab-${id}`,
  };
}

export interface HostDisk {
  readonly base: string;
  readonly upper: string;
  readonly work: string;
  readonly root: string;
  readonly docker: string;
}

export function diskOf(layout: Layout, host: HostName): HostDisk {
  const base = path.join(layout.disks, host);
  return {
    base,
    upper: path.join(base, 'upper'),
    work: path.join(base, 'work'),
    root: path.join(base, 'root'),
    docker: path.join(base, 'docker'),
  };
}

export const filesOf = (layout: Layout) => ({
  inventory: path.join(layout.dir, 'viworks.toml'),
  unprivilegedInventory: path.join(layout.dir, 'viworks-op.toml'),
  identity: path.join(layout.dir, 'id_ed25519'),
  knownHosts: path.join(layout.dir, 'known_hosts'),
  state: path.join(layout.dir, 'state.json'),
  lock: path.join(layout.dir, 'lock'),
  console: (host: HostName) => path.join(layout.dir, `${host}.console`),
  hostKey: (host: HostName) => path.join(layout.dir, 'host-keys', host),
});
