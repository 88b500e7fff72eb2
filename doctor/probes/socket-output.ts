// Pure parsers of `ss`, /proc/net/tcp{,6} and /proc/net/netstat.
import { kernelSockets } from '../../agents/runtime/index.ts';
import type { ListenCounters } from '../engine/index.ts';

/** One row, whatever printed it. */
export interface Socket {
  readonly state: string;
  readonly recvQ: number;
  readonly sendQ: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly uid: number | null;
  readonly pid: number | null;
  readonly process: string | null;
  readonly unit: string | null;
}

const ssStates: Readonly<Record<string, string>> = {
  ESTAB: 'ESTABLISHED',
  'SYN-RECV': 'SYN-RECV',
  UNCONN: 'UNCONN',
};

/** `ss -tn…` with or without -p and -e. */
export function parseSs(text: string): readonly Socket[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([A-Z][A-Z0-9-]*)\s+(\d+)\s+(\d+)\s+(\S+):(\d+|\*)\s+(\S+):(\d+|\*)\s*(.*)$/.exec(line);
    if (!match) return [];
    const [, state = '', recvQ, sendQ, local = '', localPort, remote = '', remotePort, rest = ''] = match;
    // A process chooses its name, brackets included: what the kernel says stands behind the last of them.
    const [, users = '', told = rest] = /^(.*users:\(\(.*\)\))?(.*)$/.exec(rest) ?? [];
    const owner = ownerOf(users);
    const cgroup = /(?:^|\s)cgroup:(\S+)/.exec(told)?.[1];
    // The kernel leaves uid out where it is root's.
    const uid = /(?:^|\s)uid:(\d+)/.exec(told)?.[1] ?? (/(?:^|\s)ino:\d+/.test(told) ? '0' : undefined);
    return [
      {
        state: ssStates[state] ?? state,
        recvQ: Number(recvQ),
        sendQ: Number(sendQ),
        localAddress: bare(local),
        localPort: portOf(localPort),
        remoteAddress: bare(remote),
        remotePort: portOf(remotePort),
        uid: uid === undefined ? null : Number(uid),
        pid: owner?.pid ?? null,
        process: owner?.name ?? null,
        unit: unitOfCgroup(cgroup),
      },
    ];
  });
}

// systemd holds activated sockets beside the service; the service is the one that accepts.
function ownerOf(rest: string): { readonly name: string; readonly pid: number } | undefined {
  const owners = [...rest.matchAll(/\("([^"]*)",pid=(\d+)/g)].map((match) => ({
    name: match[1] ?? '',
    pid: Number(match[2]),
  }));
  const serving = owners.filter((owner) => owner.pid !== 1);
  return (
    serving.reduce<(typeof owners)[number] | undefined>(
      (lowest, owner) => (lowest === undefined || owner.pid < lowest.pid ? owner : lowest),
      undefined,
    ) ?? owners[0]
  );
}

/** Last part of a cgroup path that systemd or Docker named. */
export function unitOfCgroup(path: string | undefined): string | null {
  if (path === undefined || path.startsWith('unreachable')) return null;
  const parts = path.split('/').filter((part) => /\.(service|scope|socket|slice)$/.test(part));
  const named = parts.filter((part) => !part.endsWith('.slice')).at(-1);
  if (named) return named;
  const docker = /\/docker\/([0-9a-f]{64})/.exec(path)?.[1];
  return docker ? `docker-${docker}.scope` : null;
}

/** The file /proc/PID/cgroup: the systemd hierarchy, or the only one. */
export function unitOfCgroupFile(text: string): string | null {
  const lines = text.split('\n');
  const line = lines.find((item) => item.includes(':name=systemd:')) ?? lines.find((item) => item.startsWith('0::'));
  return unitOfCgroup(line?.slice(line.indexOf('/')));
}

/** The rows of /proc/net/tcp and /proc/net/tcp6, one after the other. For LISTEN the receive queue is the accept queue. */
export function parseProcSockets(text: string): readonly Socket[] {
  return kernelSockets(text).map(({ inode: _inode, ...socket }) => ({
    ...socket,
    pid: null,
    process: null,
    unit: null,
  }));
}

/** `[::1]`, `127.0.0.1%lo`, `*` (both families), `[::ffff:127.0.0.1]`. */
function bare(address: string): string {
  const plain = address
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=\d+\.)/, '');
  return plain === '*' ? '::' : plain;
}

function portOf(text: string | undefined): number {
  return text === '*' || text === undefined ? 0 : Number(text);
}

/** The two TcpExt lines: names, then numbers. */
export function parseListenCounters(text: string): ListenCounters {
  const [names = '', numbers = ''] = text.split('\n').filter((line) => line.startsWith('TcpExt:'));
  const values = numbers.split(/\s+/);
  const index = (name: string): number => {
    const at = names.split(/\s+/).indexOf(name);
    if (at < 0) throw new Error(`no ${name} in /proc/net/netstat`);
    return Number(values[at]);
  };
  return { listenOverflows: index('ListenOverflows'), listenDrops: index('ListenDrops') };
}
