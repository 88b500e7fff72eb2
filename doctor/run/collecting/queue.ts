// The second look: while one dial is held and hears nothing, the accept queues are read again. At most one extra bundle a host.
import { type Fact, fact, type Listener, unknown } from '../../engine/index.ts';
import { innerSockets, insideSection } from '../../probes/docker.ts';
import type { Endpoint } from '../../probes/network.ts';
import type { HostRound } from '../../probes/probe.ts';
import { runRound } from '../../probes/round.ts';
import { listenersIn, listenersOf, queueSection } from '../../probes/sockets.ts';
import type { NetworkContext } from './network-context.ts';
import type { SiteView } from './rounds.ts';

/** The second look must fit between the stall and the answer's deadline, in ms. */
const LOOK_MS = 2_000;

/** What an upgrade calls when nothing comes back: reads the queues and tells the fact. */
export function watchQueue(context: NetworkContext, view: SiteView, endpoint: Endpoint): () => Promise<void> {
  const { clock, signal, log, topology } = context;
  const inside = topology.backend.supervision === 'docker';
  const port = topology.backend.agentsPort;
  return async () => {
    const { link } = view.site;
    if (!link) return;
    const began = clock.monotonicMs();
    await log.probe({ probe: 'tcp.queue', vantage: 'be', title: 'accept queue during a dial' }, async () => {
      const sections = inside ? [queueSection, insideSection] : [queueSection];
      const result = await runRound({ link, sections, sudo: false, clock, signal, deadlineMs: LOOK_MS });
      const later: HostRound = { ...view.round, atMs: clock.now(), sections: result.sections, gap: result.gap };
      const pid = view.containers.find((row) => row.name === topology.backend.container)?.pid ?? null;
      const before = pickRow(rowsOf(view.round, 'tcp.listeners', pid), port);
      const during = pickRow(rowsOf(later, 'tcp.queue', pid), port);
      const heldMs = Math.round(clock.monotonicMs() - began);
      return [queueFact(later, { before, during, endpoint, heldMs, inside: inside && pid !== null })];
    });
  };
}

function rowsOf(round: HostRound, section: string, pid: number | null): readonly Listener[] {
  if (pid === null) return listenersIn(round, section) ?? [];
  const text = innerSockets(round, pid);
  return text === null ? [] : listenersOf(text, new Map());
}

/** Of several rows on the port the one with the longest queue: that is where a dial hangs. */
function pickRow(rows: readonly Listener[], port: number): Listener | null {
  return rows.filter((row) => row.port === port).sort((a, b) => b.recvQ - a.recvQ)[0] ?? null;
}

interface Samples {
  readonly before: Listener | null;
  readonly during: Listener | null;
  readonly endpoint: Endpoint;
  readonly heldMs: number;
  readonly inside: boolean;
}

function queueFact(round: HostRound, { before, during, endpoint, heldMs, inside }: Samples): Fact {
  const row = during ?? before;
  const reading =
    before && during && row
      ? {
          status: 'known' as const,
          value: {
            address: row.address,
            port: row.port,
            backlog: row.sendQ,
            before: before.recvQ,
            during: during.recvQ,
            after: null,
            dialConnected: true,
            heldMs,
          },
        }
      : unknown('not-run', `no LISTEN row for port ${endpoint.port} could be read twice`);
  const lines =
    before && during
      ? [`Recv-Q of ${row?.address}:${row?.port}: ${before.recvQ} before, ${during.recvQ} during an extra dial`]
      : [];
  return fact({
    key: 'tcp.queue',
    vantage: inside ? 'be/ns:agent' : 'be',
    subject: 'agents',
    probe: 'tcp.queue',
    reading,
    evidence: { host: round.host, atMs: round.atMs, command: `${round.via} ss -ltn`.trim(), lines, sha256: '' },
  });
}
