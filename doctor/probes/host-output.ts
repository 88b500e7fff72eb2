// Pure parsers of what a host says about itself.
import { shortenV6 } from '../../agents/runtime/index.ts';
import type { DnsAnswer, HostIdentity, HostsLine, Mount } from '../engine/index.ts';

export function parseIdentity(text: string): HostIdentity {
  const [kernel = '', uid = '', user = '', , hostname = '', boot = '', init = '', system = ''] = text.split('\n');
  if (!/^\d+$/.test(uid)) throw new Error('no user id in the answer');
  const bootSeconds = Number(/^btime (\d+)/.exec(boot)?.[1] ?? Number.NaN);
  return {
    hostname,
    kernel,
    system: system.replaceAll('"', ''),
    user,
    root: uid === '0',
    systemd: init === 'systemd',
    bootedAtMs: Number.isFinite(bootSeconds) ? bootSeconds * 1000 : null,
  };
}

/** Whether this user's groups may read the journal: `id -Gn` is the fourth line of the identity. */
export function mayReadJournal(identity: string): boolean {
  const [, uid, , groups = ''] = identity.split('\n');
  return uid === '0' || groups.split(' ').some((group) => ['systemd-journal', 'adm', 'wheel'].includes(group));
}

export function parseMounts(text: string): readonly Mount[] {
  const [space = '', rest = ''] = text.split('--inodes\n');
  const [inodes = '', mounts = ''] = rest.split('--mounts\n');
  const options = new Map<string, { type: string; readOnly: boolean }>();
  for (const line of mounts.split('\n')) {
    const [, path = '', type = '', flags = ''] = line.split(' ');
    options.set(unquoteOctal(path), { type, readOnly: flags.split(',').includes('ro') });
  }
  const inodePercent = new Map(dfRows(inodes).map((row) => [row.path, row.percent]));
  const seen = new Set<string>();
  const rows = dfRows(space).flatMap((row) => {
    const mount = options.get(row.path);
    const pseudo = /^(proc|sysfs|cgroup2?|devpts|mqueue|securityfs|debugfs|tracefs|bpf|pstore)$/.test(
      mount?.type ?? '',
    );
    // What the kernel and the service manager mount for themselves is nobody's disk.
    const own = /^\/(sys|proc|dev|run\/host|run\/credentials)(\/|$)/.test(row.path);
    if (pseudo || own || seen.has(row.path) || row.percent === null) return [];
    seen.add(row.path);
    return [
      {
        path: row.path,
        fileSystem: mount?.type ?? '',
        usedPercent: row.percent,
        availableBytes: row.available * 1024,
        inodesUsedPercent: inodePercent.get(row.path) ?? null,
        readOnly: mount?.readOnly ?? false,
      },
    ];
  });
  return [...rows, ...readOnlyBinds(rows, options)];
}

const disks = /^(ext[234]|xfs|btrfs|f2fs|zfs|overlay|tmpfs|nfs4?|cifs|9p|virtiofs)$/;

/** A part of a disk that is mounted once more, read-only: df shows each disk once, and only by its first place. */
function readOnlyBinds(
  rows: readonly Mount[],
  options: ReadonlyMap<string, { readonly type: string; readonly readOnly: boolean }>,
): readonly Mount[] {
  return [...options].flatMap(([path, { type, readOnly }]) => {
    if (!readOnly || !disks.test(type) || rows.some((row) => row.path === path)) return [];
    if (/^\/(sys|proc|dev|run|boot|snap)(\/|$)/.test(path)) return [];
    const below = rows
      .filter((row) => row.path === '/' || path.startsWith(`${row.path}/`))
      .sort((a, b) => b.path.length - a.path.length)[0];
    return below ? [{ ...below, path, fileSystem: type, readOnly: true }] : [];
  });
}

function dfRows(text: string) {
  return text.split('\n').flatMap((line) => {
    const match = /^\S+\s+\d+\s+\d+\s+(-?\d+)\s+(\d+%|-)\s+(\/.*)$/.exec(line);
    if (!match) return [];
    const percent = match[2] === '-' ? null : Number.parseInt(match[2] ?? '', 10);
    return [{ available: Math.max(0, Number(match[1])), percent, path: match[3] ?? '' }];
  });
}

/** /proc/self/mounts writes blanks in paths as \040. */
function unquoteOctal(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}

/** `ip -o addr`, or /proc/net/fib_trie with /proc/net/if_inet6; loopback left out. */
export function parseAddresses(text: string): readonly string[] {
  const found = new Set<string>();
  if (/^\d+: \S+\s+inet6? /m.test(text)) {
    for (const match of text.matchAll(/^\d+: \S+\s+inet6? ([0-9a-f.:]+)/gm)) found.add(match[1] ?? '');
  } else {
    const [trie = '', inet6 = ''] = text.split('--inet6\n');
    for (const match of trie.matchAll(/\|-- ([\d.]+)\n[^\n]*\/32 host LOCAL/g)) found.add(match[1] ?? '');
    for (const match of inet6.matchAll(/^([0-9a-f]{32}) /gm)) found.add(shortenV6(match[1] ?? ''));
  }
  return [...found].filter((address) => !address.startsWith('127.') && address !== '::1');
}

export function parseHostsFile(text: string): readonly HostsLine[] {
  return text.split('\n').flatMap((line, index) => {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (!address || names.length === 0) return [];
    return [{ line: index + 1, address, names, text: line.trim() }];
  });
}

/** `getent ahosts NAME`: exit 2 = the name service has no answer; it does not say whether the name or the service is at fault. */
export function parseNameAnswer(
  text: string,
  about: { readonly name: string; readonly rc: number; readonly hostsAddresses: readonly string[] },
): DnsAnswer {
  const addresses = [...new Set(text.split('\n').flatMap((line) => /^([0-9a-f.:]+)\s/i.exec(line)?.[1] ?? []))];
  const fromFile = addresses.length > 0 && addresses.every((address) => about.hostsAddresses.includes(address));
  return {
    name: about.name,
    addresses,
    error: addresses.length > 0 ? null : about.rc === 124 ? 'timeout' : 'other',
    source: fromFile ? 'hosts-file' : addresses.length > 0 ? 'resolver' : 'unknown',
    milliseconds: null,
  };
}
