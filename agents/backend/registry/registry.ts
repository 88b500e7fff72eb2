// Who is enrolled, who is connected, and with what. Enrolled gateways are kept in memory: HELLO may not wait for the disk twice.
import { BUILT_IN_VERBS, type BuiltInVerb, type http, type Sample, schemaHash } from '../../protocol/index.ts';
import type { Clock } from '../../runtime/index.ts';
import type { GatewayHello, GatewayRecord } from '../storage/records.ts';
import type { Store } from '../storage/store.ts';
import { type Attach, judgeAttach } from './conflict.ts';
import type { GatewayLink } from './link.ts';

interface Entry {
  record: GatewayRecord;
  link: GatewayLink | undefined;
  lastSample: Sample | undefined;
  lastSeenAt: number | undefined;
  attaches: readonly Attach[];
}

/** What a session brings when it attaches. */
export interface Attaching {
  readonly gatewayId: string;
  readonly hello: GatewayHello;
  readonly fingerprint: string;
  readonly remoteAddress: string;
}

/** The registry. */
export interface Registry {
  load(): Promise<void>;
  /** Reads one gateway again: after its enrolment, here or by another process. */
  refresh(gatewayId: string): Promise<GatewayRecord | undefined>;
  /** Gives the new session epoch; undefined when two machines fight for the id, or another process took it meanwhile. */
  attach(attaching: Attaching): Promise<{ epoch: number } | { refused: 'identity_conflict' | 'stale_state' }>;
  /** Makes a link the gateway's session; gives the one it replaces. */
  open(link: GatewayLink): GatewayLink | undefined;
  closed(link: GatewayLink, close: { code: number; name: string }): void;
  seen(gatewayId: string): void;
  sampled(gatewayId: string, sample: Sample): void;
  link(gatewayId: string): GatewayLink | undefined;
  links(): Iterable<GatewayLink>;
  readonly size: number;
  get(gatewayId: string): GatewayRecord | undefined;
  body(gatewayId: string, runningTasks: number): http.GatewayBody | undefined;
  ids(): readonly string[];
  lastHeartbeat(): number | undefined;
}

/** Creates an empty registry; `load` fills it. */
export function createRegistry(deps: { store: Store; clock: Clock }): Registry {
  const { store, clock } = deps;
  const entries = new Map<string, Entry>();
  const open = new Map<string, GatewayLink>();
  let lastHeartbeat: number | undefined;

  function put(record: GatewayRecord): Entry {
    const known = entries.get(record.gatewayId);
    if (known) {
      known.record = record;
      return known;
    }
    const entry = { record, link: undefined, lastSample: undefined, lastSeenAt: record.lastSeenAt, attaches: [] };
    entries.set(record.gatewayId, entry);
    return entry;
  }

  return {
    async load() {
      for (const record of await store.gateways()) put(record);
    },
    async refresh(gatewayId) {
      const record = await store.gateway(gatewayId);
      return record && put(record).record;
    },
    async attach({ gatewayId, hello, fingerprint, remoteAddress }) {
      const entry = entries.get(gatewayId);
      if (!entry) return { refused: 'stale_state' };
      const now = clock.now();
      const judged = judgeAttach(entry.attaches, { at: clock.monotonicMs(), fingerprint });
      entry.attaches = judged.history;
      if (judged.conflict) return { refused: 'identity_conflict' };
      const expected = entry.record.sessionEpoch;
      if (!(await store.attach(gatewayId, expected))) {
        await this.refresh(gatewayId);
        return { refused: 'stale_state' };
      }
      const patch = { hello, remoteAddress, connectedAt: now, lastSeenAt: now };
      entry.record = { ...entry.record, ...patch, sessionEpoch: expected + 1 };
      entry.lastSeenAt = now;
      store.write([{ kind: 'gateway.seen', gatewayId, patch }], 'soon');
      return { epoch: expected + 1 };
    },
    open(link) {
      const before = open.get(link.gatewayId);
      open.set(link.gatewayId, link);
      return before;
    },
    closed(link, close) {
      const entry = entries.get(link.gatewayId);
      if (open.get(link.gatewayId) !== link) return;
      open.delete(link.gatewayId);
      if (!entry) return;
      const patch = { lastClose: { ...close, at: clock.now() }, lastSeenAt: entry.lastSeenAt };
      entry.record = { ...entry.record, ...patch };
      store.write([{ kind: 'gateway.seen', gatewayId: link.gatewayId, patch }], 'soon');
    },
    seen(gatewayId) {
      const entry = entries.get(gatewayId);
      lastHeartbeat = clock.now();
      if (entry) entry.lastSeenAt = lastHeartbeat;
    },
    sampled(gatewayId, sample) {
      const entry = entries.get(gatewayId);
      if (entry) entry.lastSample = sample;
    },
    link: (gatewayId) => open.get(gatewayId),
    links: () => open.values(),
    get size() {
      return open.size;
    },
    get: (gatewayId) => entries.get(gatewayId)?.record,
    ids: () => [...entries.keys()],
    lastHeartbeat: () => lastHeartbeat,
    body(gatewayId, runningTasks) {
      const entry = entries.get(gatewayId);
      return entry && toBody(entry, { connected: open.has(gatewayId), runningTasks });
    },
  };
}

function toBody(entry: Entry, now: { connected: boolean; runningTasks: number }): http.GatewayBody {
  const { record, lastSample, lastSeenAt } = entry;
  const { hello } = record;
  return {
    gatewayId: record.gatewayId,
    state: now.connected ? 'connected' : record.connectedAt === undefined ? 'never_connected' : 'disconnected',
    labels: { ...hello?.labels },
    verbs: Object.entries(hello?.verbs ?? {}).map(([name, verb]) => ({
      name,
      schemaHash: verb.schemaHash,
      matches: builtInHashes().get(name) === undefined || builtInHashes().get(name) === verb.schemaHash,
    })),
    sessionEpoch: record.sessionEpoch,
    enrolledAt: record.enrolledAt,
    runningTasks: now.runningTasks,
    ...(hello && { version: hello.version, revision: hello.revision, incarnation: hello.incarnation }),
    ...(hello && { kernel: { ...hello.kernel, limits: [...hello.kernel.limits] } }),
    ...(record.remoteAddress !== undefined && { remoteAddress: record.remoteAddress }),
    ...(record.connectedAt !== undefined && { connectedAt: record.connectedAt }),
    ...(lastSeenAt !== undefined && { lastSeenAt }),
    ...(record.lastClose && { lastClose: { ...record.lastClose } }),
    ...(lastSample && { lastSample }),
  };
}

let hashes: ReadonlyMap<string, string> | undefined;

function builtInHashes(): ReadonlyMap<string, string> {
  hashes ??= new Map(
    (Object.keys(BUILT_IN_VERBS) as BuiltInVerb[]).map((name) => [name, schemaHash(BUILT_IN_VERBS[name].args)]),
  );
  return hashes;
}
