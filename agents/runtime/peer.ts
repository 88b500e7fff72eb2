// Who holds the other end of a connection on one host, by what the kernel says: the sockets of the program that is meant, and every socket
// of a port. One rule for the doctor and the deployer. Pure; anything that cannot be read proves nothing.
import { type KernelSocket, kernelSockets } from './kernel-sockets.ts';
import { quoteWord } from './shell.ts';

/** Which process has to hold the port: the main process of a unit, or one that was seen running. */
export type PortOwner =
  | { readonly kind: 'unit'; readonly unit: string }
  | { readonly kind: 'process'; readonly pid: number };

/** Whether the program holds the port; `why` completes "the token was not sent: …". */
export type PeerJudgement =
  | { readonly proven: true }
  | {
      readonly proven: false;
      readonly permission: boolean;
      readonly why: string;
      /** The sockets that somebody else holds, by inode. */
      readonly strange: readonly number[];
    };

/**
 * Shell that prints the program's sockets and the sockets of the port. The program is named twice: it may be replaced in between. `$T` before a
 * command is the caller's deadline.
 */
export function peerScript(owner: PortOwner, port: number): string {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  // A process without a unit counts only if it runs as the one who asks: whoever else it is could have chosen any name.
  const main =
    owner.kind === 'unit'
      ? `$T systemctl show -p MainPID ${quoteWord(owner.unit)} 2>/dev/null | sed -n 's/^MainPID=//p'`
      : `[ "$(stat -c %u /proc/${owner.pid} 2>/dev/null)" = "$(id -u)" ] && echo ${owner.pid}`;
  // The sockets once before and once after the table: none that is in use in between is missed.
  return `main() { ${main}; }
held() { ls -l /proc/$1/fd 2>/dev/null | sed -n 's/^[^>]*[0-9] -> socket:\\[\\([0-9]*\\)\\]$/\\1/p'; }
p=$(main); p=\${p:-0}; echo "--main $p"; held $p
[ $p = 0 ] || ls /proc/$p/fd >/dev/null 2>&1 || { echo '--denied'; ${owner.kind === 'unit' ? unitScript(owner.unit, port) : ':'}; }
echo '--tcp'; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -E ':${hex} '
echo '--held'; held $p; echo "--main $(main)"`;
}

/**
 * What anybody may know of a unit and of the sockets of a port: its user and cgroup, the sockets that systemd keeps for it, and the uid and
 * cgroup that the kernel notes for each socket (`ss -e`, kernel 5.7 and iproute2 5.8 on).
 */
function unitScript(unit: string, port: number): string {
  return `echo '--unit'; $T systemctl show -p UID,ControlGroup ${quoteWord(unit)} 2>/dev/null
s=$($T systemctl show -P TriggeredBy ${quoteWord(unit)} 2>/dev/null); [ -z "$s" ] || { echo '--sockets'; $T systemctl show -p ActiveState,Accept,Listen $s 2>/dev/null; }
echo '--cgroups'; $T ss -Htane '( sport = :${port} or dport = :${port} )' 2>/dev/null`;
}

/** Which end is meant: what was dialled. */
export interface Dialled {
  readonly address: string;
  readonly port: number;
}

/**
 * Every listener of the port and the other end of every connection to what was dialled has to be a socket of the program. Our own connection
 * is one of them, whichever it is: it was open before the kernel was asked, and its other end cannot change hands later.
 */
export function judgePeers(text: string, dialled: Dialled): PeerJudgement {
  const mains = [...text.matchAll(/^--main (\d*)$/gm)].map((match) => Number(match[1]));
  const [main = 0, again] = mains;
  if (main === 0) return unproven('the process of the backend could not be found');
  if (again !== main) return unproven('the backend was being restarted');
  const isDenied = /^--denied$/m.test(text);
  const rows = kernelSockets(text);
  const holds = isDenied ? heldByUnit(text) : heldByProcess(text);
  const listeners = rows.filter((row) => row.state === 'LISTEN' && row.localPort === dialled.port);
  if (listeners.length === 0) return unproven(`nothing was seen listening on port ${dialled.port}`);
  const others = listeners.filter((row) => !holds(row));
  if (others.length > 0 && isDenied)
    return { ...unproven('which process holds its port can only be seen by root'), permission: true };
  if (others.length > 0)
    return unproven(
      `the process that holds port ${dialled.port} is not the backend`,
      others.map((row) => row.inode),
    );
  const open = rows.filter((row) => mayBeOurs(row, dialled));
  if (open.length === 0) return unproven('the connection was not seen in the tables of the kernel');
  for (const row of open) {
    const other = rows.find((end) => faces(end, row));
    // A connection that was not accepted yet has no inode: the listeners, which are the program's, are all that can accept it.
    if (!other || !(other.inode === 0 || holds(other)))
      return unproven(`the other end of a connection to port ${dialled.port} is not the backend`);
  }
  return { proven: true };
}

type Holds = (socket: KernelSocket) => boolean;

/** The process has the socket open. */
function heldByProcess(text: string): Holds {
  const own = new Set([...text.matchAll(/^(\d+)$/gm)].map((match) => Number(match[1])));
  return (socket) => own.has(socket.inode);
}

/**
 * What an ordinary user can prove: the socket has the uid and the cgroup of the unit, which only root can give; or systemd made it for a socket
 * unit of this unit, which systemd hands to nobody else, and who took a connection from it runs as the unit's user.
 */
function heldByUnit(text: string): Holds {
  const uid = Number(/^UID=(\d+)$/m.exec(text)?.[1] ?? 0);
  const group = /^ControlGroup=(\/.+)$/m.exec(text)?.[1];
  const kept = /^--sockets$([\s\S]*?)^--cgroups$/m.exec(text)?.[1] ?? '';
  const addresses = new Set(
    kept
      .split(/\n\n+/)
      .flatMap((unit) =>
        /^ActiveState=active$/m.test(unit) && /^Accept=no$/m.test(unit)
          ? [...unit.matchAll(/^Listen=\[?([0-9a-fA-F.:]+?)\]?:(\d+) \(Stream\)$/gm)].map(
              ([, host, port]) => `${host} ${port}`,
            )
          : [],
      ),
  );
  // The first cgroup of a line is the kernel's; a path may have any words in it.
  const groups = new Map(
    [...text.matchAll(/^[A-Z].*? ino:(\d+) sk:\S+ cgroup:(.*?)(?: <->)?\s*$/gm)].map(
      (row) => [Number(row[1]), row[2]] as const,
    ),
  );
  const isKept = (address: string, port: number) =>
    addresses.has(`${address} ${port}`) || addresses.has(`${anyOf(address)} ${port}`);
  return (socket) => {
    const at = groups.get(socket.inode);
    if (at === undefined || group === undefined) return false;
    if (at === group) return socket.uid === uid;
    if (at !== '/init.scope') return false;
    return socket.state === 'LISTEN'
      ? socket.uid === 0 && addresses.has(`${socket.localAddress} ${socket.localPort}`)
      : socket.uid === uid && isKept(socket.localAddress, socket.localPort);
  };
}

/** The address that stands for every one of this family. */
function anyOf(address: string): string {
  return address.includes(':') ? '::' : '0.0.0.0';
}

/** Our end, or one like it; the ends that are closing cannot be written from. */
function mayBeOurs(row: KernelSocket, { address, port }: Dialled): boolean {
  if (row.remotePort !== port || row.remoteAddress !== address) return false;
  return row.state === 'ESTABLISHED' || row.state === 'CLOSE-WAIT';
}

function faces(end: KernelSocket, row: KernelSocket): boolean {
  return (
    end.localPort === row.remotePort &&
    end.localAddress === row.remoteAddress &&
    end.remotePort === row.localPort &&
    end.remoteAddress === row.localAddress
  );
}

function unproven(why: string, strange: readonly number[] = []): Extract<PeerJudgement, { proven: false }> {
  return { proven: false, permission: false, why, strange };
}
