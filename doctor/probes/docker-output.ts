// Pure parsers of `docker inspect`, `docker logs -t` and of the sockets inside containers.
import type { Container, LogLine, LogTail, ReplacedFile } from '../engine/index.ts';

interface Bag {
  readonly [name: string]: unknown;
}

/** One JSON array per line: id, name, image, state, restart policy, restart count, network mode, network settings. */
export function parseContainers(text: string): readonly Container[] {
  return text.split('\n').flatMap((line): Container[] => {
    if (!line.startsWith('[')) return [];
    const row: unknown = JSON.parse(line);
    if (!Array.isArray(row)) throw new Error('not a row of docker inspect');
    const [id, name, image, state, policy, restarts, mode, network] = row;
    const running = bag(state);
    const settings = bag(network);
    return [
      {
        id: String(id),
        name: String(name).replace(/^\//, ''),
        image: String(image),
        state: String(running.Status ?? ''),
        exitCode: Number(running.ExitCode ?? 0),
        restartPolicy: String(bag(policy).Name || 'no'),
        restartCount: Number(restarts ?? 0),
        health: 'Health' in running ? String(bag(running.Health).Status) : null,
        startedAtMs: time(running.StartedAt),
        pid: Number(running.Pid) > 0 ? Number(running.Pid) : null,
        networkMode: mode === 'default' ? 'bridge' : String(mode),
        networks: Object.entries(bag(settings.Networks)).map(([key, value]) => ({
          name: key,
          address: String(bag(value).IPAddress ?? ''),
          aliases: list(bag(value).Aliases).map(String),
        })),
        ports: Object.entries(bag(settings.Ports)).flatMap(([key, value]) =>
          list(value).map((binding) => ({
            hostAddress: String(bag(binding).HostIp ?? ''),
            hostPort: Number(bag(binding).HostPort),
            containerPort: Number.parseInt(key, 10),
          })),
        ),
      },
    ];
  });
}

/** `pid`, then a line of mountinfo: id, parent, device, root, mount point. Spaces in paths are octal there. */
export function parseReplaced(text: string): readonly ReplacedFile[] {
  return text.split('\n').flatMap((line): ReplacedFile[] => {
    const [pid, , , , root = '', destination = ''] = line.split(' ');
    if (!root.endsWith('//deleted')) return [];
    const plain = (path: string) =>
      path.replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)));
    return [{ pid: Number(pid), source: plain(root.slice(0, -'//deleted'.length)), destination: plain(destination) }];
  });
}

/** The /proc/net/tcp text of one pid out of the section; null when the container's sockets could not be read. */
export function parseInnerSockets(text: string, pid: number): string | null {
  const block = text.split(/^--pid /m).find((item) => Number.parseInt(item, 10) === pid);
  if (block === undefined) return null;
  return block.slice(block.indexOf('\n') + 1).split('--state ')[0] ?? '';
}

/** The same section again, as blocks that the process parser reads. */
export function innerProcesses(text: string): string {
  return text
    .split(/^--pid /m)
    .flatMap((item) => {
      const at = item.indexOf('--state ');
      return at < 0 ? [] : [`--pid ${item.slice(at + '--state '.length)}`];
    })
    .join('\n');
}

/** `2026-11-20T16:03:27.123456789Z text`; lines from before the window are left out. */
export function parseDockerLog(
  text: string,
  about: { readonly sinceMs: number | null; readonly cut: boolean },
): LogTail {
  const { sinceMs } = about;
  const lines = text.split('\n').flatMap((line): LogLine[] => {
    const match = /^(\d{4}-\d\d-\d\dT\S+Z) (.*)$/.exec(line);
    if (!match) return line.trim() === '' ? [] : [{ atMs: null, text: line }];
    return [{ atMs: Date.parse(match[1] ?? ''), text: match[2] ?? '' }];
  });
  const kept = sinceMs === null ? lines : lines.filter((line) => line.atMs === null || line.atMs >= sinceMs);
  return {
    source: 'docker',
    sinceMs,
    lines: kept,
    truncated: about.cut || (lines.length >= 120 && kept.length === lines.length),
  };
}

function bag(value: unknown): Bag {
  return typeof value === 'object' && value !== null ? (value as Bag) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Docker writes year 1 for "never". */
function time(value: unknown): number | null {
  const at = Date.parse(String(value ?? ''));
  return Number.isFinite(at) && at > 0 ? at : null;
}
