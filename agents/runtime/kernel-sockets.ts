// The kernel's own tables of TCP sockets, /proc/net/tcp and /proc/net/tcp6, as rows. Pure.

/** A row; the inode is 0 for a connection that nobody has accepted yet, and links every other row to the process that holds it. */
export interface KernelSocket {
  readonly state: string;
  readonly recvQ: number;
  readonly sendQ: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly uid: number;
  readonly inode: number;
}

const STATES = [
  '',
  'ESTABLISHED',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'TIME-WAIT',
  'CLOSED',
  'CLOSE-WAIT',
  'LAST-ACK',
  'LISTEN',
  'CLOSING',
  'NEW-SYN-RECV',
];

const ROW =
  /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) ([0-9A-F]{8}):([0-9A-F]{8}) \S+ \S+\s+(\d+)\s+\d+ (\d+)/;

/** The rows of both tables, one after the other; every other line is left out. For LISTEN the receive queue is the accept queue. */
export function kernelSockets(text: string): readonly KernelSocket[] {
  return text.split('\n').flatMap((line) => {
    const match = ROW.exec(line);
    if (!match) return [];
    const [, local = '', localPort = '', remote = '', remotePort = '', state = '', tx = '', rx = '', uid, inode] =
      match;
    return [
      {
        state: STATES[Number.parseInt(state, 16)] ?? state,
        recvQ: Number.parseInt(rx, 16),
        sendQ: Number.parseInt(tx, 16),
        localAddress: hexAddress(local),
        localPort: Number.parseInt(localPort, 16),
        remoteAddress: hexAddress(remote),
        remotePort: Number.parseInt(remotePort, 16),
        uid: Number(uid),
        inode: Number(inode),
      },
    ];
  });
}

/** The kernel prints addresses as 32-bit words of the machine: little-endian on every machine we know. */
function hexAddress(hex: string): string {
  const words = (hex.match(/.{8}/g) ?? []).map((word) => (word.match(/../g) ?? []).reverse().join(''));
  if (words.length === 1) return (words[0]?.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
  const whole = words.join('').toLowerCase();
  const mapped = /^0{20}ffff(.{8})$/.exec(whole)?.[1];
  if (mapped) return (mapped.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
  return shortenV6(whole);
}

/** 32 hex digits → the usual short form. */
export function shortenV6(hex: string): string {
  const groups = (hex.match(/.{4}/g) ?? []).map((group) => Number.parseInt(group, 16).toString(16)).join(':');
  const runs = [...groups.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  const longest = runs[0];
  if (!longest) return groups;
  const before = groups.slice(0, longest.index);
  const after = groups.slice(longest.index + longest[0].length + 1);
  return `${before}::${after}`;
}
