// Listening sockets with their queues and owners, connections to the backend, and counters, from ss or from /proc.
import { type Connection, type Fact, known, type Listener, type Vantage } from '../engine/index.ts';
import { defineProbe } from './define-probe.ts';
import { type HostRound, look, read, say } from './probe.ts';
import { type Owners, ownersOf } from './processes.ts';
import type { Section } from './script.ts';
import { parseListenCounters, parseProcSockets, parseSs, type Socket } from './socket-output.ts';

const fallback = 'cat /proc/net/tcp /proc/net/tcp6 2>/dev/null';

// The extended form names the cgroup also to an ordinary user; an old ss without it still answers the plain one.
const listing = `if have ss; then $T ss -ltnpe 2>/dev/null || $T ss -ltn; else ${fallback}; fi`;

/** LISTEN rows with owners. */
export const listenersProbe = defineProbe({
  id: 'tcp.listeners',
  title: 'listening sockets',
  script: listing,
  key: 'tcp.listeners',
  command: 'ss -ltnpe',
  // Those that matter first: few lines are kept.
  lines: (rows, { ports }) =>
    [...rows].sort((a, b) => Number(ports.includes(b.port)) - Number(ports.includes(a.port))).map(rowText),
  reading: (round) => read(look(round, 'tcp.listeners'), (text) => listenersOf(text, ownersOf(round))),
});

/** The same once more while a dial is being held. */
export const queueSection: Section = { id: 'tcp.queue', title: 'accept queues during a dial', body: listing };

export const countersProbe = defineProbe({
  id: 'tcp.counters',
  title: 'overflowed accept queues',
  script: 'grep ^TcpExt: /proc/net/netstat',
  key: 'tcp.listen-counters',
  command: 'grep ^TcpExt: /proc/net/netstat',
  parse: parseListenCounters,
});

/** What a gateway's host has open towards the backend. Ports only: the names are resolved elsewhere. */
export const connectionsProbe = defineProbe({
  id: 'tcp.connections',
  title: 'connections to the backend',
  seats: ['gw'],
  script: ({ dialled }) =>
    `if have ss; then $T ss -tnpe state all '( ${dialled.map((port) => `dport = :${port}`).join(' or ')} )' 2>/dev/null; else ${fallback}; fi`,
  key: 'tcp.connections',
  command: 'ss -tnp state all',
  reading: (round, { dialled }) =>
    read(look(round, 'tcp.connections'), (text) =>
      socketsOf(text)
        .filter((socket) => socket.state !== 'LISTEN' && dialled.includes(socket.remotePort))
        .map((socket) => connectionOf(socket, ownersOf(round))),
    ),
});

/** Rows of one port, for comparing queues; null when the section could not be read. */
export function listenersIn(round: HostRound, section: string): readonly Listener[] | null {
  const looked = look(round, section);
  return looked.ok ? listenersOf(looked.text, new Map()) : null;
}

/** LISTEN rows of another network namespace, from /proc/PID/net/tcp{,6}. */
export function namespaceListeners(
  round: HostRound,
  of: { readonly section: string; readonly vantage: Vantage; readonly pid: number; readonly text: string },
): Fact {
  return say(round, {
    key: 'tcp.listeners',
    vantage: of.vantage,
    section: of.section,
    command: `nsenter -t ${of.pid} -n ss -ltn`,
    lines: listenersOf(of.text, new Map()).map(rowText),
    reading: known(listenersOf(of.text, new Map())),
  });
}

/** LISTEN rows of whatever printed them. */
export function listenersOf(text: string, owners: Owners): readonly Listener[] {
  return socketsOf(text)
    .filter((socket) => socket.state === 'LISTEN')
    .map((socket) => {
      const owner = socket.pid === null ? undefined : owners.get(socket.pid);
      return {
        address: socket.localAddress,
        port: socket.localPort,
        recvQ: socket.recvQ,
        sendQ: socket.sendQ,
        uid: socket.uid,
        pid: socket.pid,
        process: owner?.process ?? socket.process,
        unit: owner?.unit ?? socket.unit,
        ownership: socket.pid !== null || socket.unit !== null ? 'observed' : 'unknown',
        ...(owner ? { state: owner.state } : {}),
      };
    });
}

function connectionOf(socket: Socket, owners: Owners): Connection {
  const { localAddress, localPort, remoteAddress, remotePort, state, uid, pid } = socket;
  const unit = socket.unit ?? (pid === null ? null : (owners.get(pid)?.unit ?? null));
  return { localAddress, localPort, remoteAddress, remotePort, state, uid, pid, unit };
}

function socketsOf(text: string): readonly Socket[] {
  return /^\s*sl\s+local_address/m.test(text) ? parseProcSockets(text) : parseSs(text);
}

function rowText(row: Listener): string {
  const owner = row.process === null ? '' : ` ${row.process}${row.pid === null ? '' : ` (pid ${row.pid})`}`;
  const host = row.address.includes(':') ? `[${row.address}]` : row.address;
  return `LISTEN ${host}:${row.port} Recv-Q ${row.recvQ} Send-Q ${row.sendQ}${owner}${row.unit ? ` ${row.unit}` : ''}${row.state === 'T' ? ', stopped (state T)' : ''}`;
}
