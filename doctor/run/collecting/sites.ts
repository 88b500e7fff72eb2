// The hosts of a run: one connection each, opened in parallel; a host that cannot be seen is a fact, and the run goes on without it.
import { ViworksError } from '../../../agents/runtime/index.ts';
import { endOf, openRemote, type RemoteTarget } from '../../../deploy/remote/index.ts';
import {
  type Fact,
  fact,
  type HostAccess,
  type HostRef,
  known,
  notApplicable,
  type Reading,
} from '../../engine/index.ts';
import { DIAL_MS } from '../../probes/deadlines.ts';
import { type HostLink, localLink, sshLink } from '../../probes/link.ts';
import type { RunContext } from './context.ts';
import type { EarlyLinks } from './early.ts';

/** A vantage that lies on a host: the backend's, or a gateway's. */
export type SiteId = 'be' | `gw:${string}`;

export interface Site {
  readonly id: SiteId;
  readonly ref: HostRef;
  /** Null when the host cannot be seen. */
  readonly link: HostLink | null;
  /** How we got in, and when by the clock's monotonic time; null for a host that was not logged in to. */
  readonly login: { readonly access: HostAccess; readonly atMs: number; readonly command: string } | null;
}

export interface SiteContext extends Pick<RunContext, 'topology' | 'clock' | 'signal' | 'log'> {
  /** By host name; hosts of transport `local` need none. */
  readonly targets: ReadonlyMap<string, RemoteTarget>;
  /** Where the key of a host is named, `file:line:column`. */
  readonly keyPlaces: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Connections that were opened before the run, where ssh may have had a question. */
  readonly early?: EarlyLinks | undefined;
}

/** How long a host is waited for, in ms: dropped packets are noticed soon, and a host that answers may take its time for the login. */
export const SSH_LIMITS = { dialMs: DIAL_MS, connectMs: 10_000 } as const;

/** Opens every host once, however many parts live on it; each is ready when it is, whatever the others do. Never throws for a host. */
export function openSites(context: SiteContext): readonly Promise<Site>[] {
  const { topology } = context;
  const wanted: { id: SiteId; ref: HostRef }[] = [
    { id: 'be', ref: topology.backend.host },
    ...topology.gateways.map((gateway) => ({ id: `gw:${gateway.id}` as const, ref: gateway.host })),
  ];
  const openings = new Map<string, Promise<Opened>>();
  return wanted.map(async ({ id, ref }) => {
    const key = ref.transport === 'local' ? 'local' : ref.address;
    const opening = openings.get(key) ?? openLink(context, id, ref);
    openings.set(key, opening);
    const { link, seen } = await opening;
    const access = link && seen?.reading.status === 'known' ? seen.reading.value : null;
    const login = access && seen ? { access, atMs: context.clock.monotonicMs(), command: seen.command } : null;
    if (seen) context.log.fact(accessFact(context, { id, ref }, seen));
    const state = link ? ('ready' as const) : ('unreachable' as const);
    const detail = seen?.lines[0] ?? '';
    context.log.emit({ type: 'host.state', host: id, name: ref.name, state, detail, atMs: context.clock.now() });
    return { id, ref, link, login };
  });
}

/** The host let us in and runs none of our commands: it is not seen, whatever could be dialled through it. */
export function toldNothing(
  context: Pick<SiteContext, 'clock' | 'log'>,
  site: Site,
  of: { readonly said: string; readonly why: string },
): void {
  const line = of.said.split('\n').find((text) => text.trim() !== '');
  const heard = line === undefined ? `nothing came back; ${of.why}` : `it says: ${line.trim().slice(0, 200)}`;
  const user = site.login?.access.user ?? '';
  takeBack(context, site, { outcome: 'no-shell', message: `the account ${user} runs none of our commands; ${heard}` });
}

/** The connection to a host broke while it was looked at. */
export function broke(context: Pick<SiteContext, 'clock' | 'log'>, site: Site, atMs: number): void {
  const after = Math.max(0, atMs - (site.login?.atMs ?? atMs)) / 1000;
  const message = `the SSH connection to ${site.ref.name} broke after ${after.toFixed(1)} s`;
  takeBack(context, site, { outcome: 'cut', message });
}

function takeBack(
  context: Pick<SiteContext, 'clock' | 'log'>,
  { id, ref, login }: Site,
  change: Pick<HostAccess, 'outcome' | 'message'>,
): void {
  if (!login) return;
  const seen = { reading: known({ ...login.access, ...change }), lines: [change.message], command: login.command };
  context.log.fact(accessFact(context, { id, ref }, seen));
  const { message: detail } = change;
  context.log.emit({
    type: 'host.state',
    host: id,
    name: ref.name,
    state: 'unreachable',
    detail,
    atMs: context.clock.now(),
  });
}

interface Opened {
  readonly link: HostLink | null;
  readonly seen: AccessSeen | null;
}

async function openLink(context: SiteContext, id: SiteId, ref: HostRef): Promise<Opened> {
  const { clock, log, signal, env } = context;
  if (ref.transport === 'local') {
    return {
      link: localLink(),
      seen: { reading: notApplicable('this machine, no SSH'), lines: ['this machine'], command: '' },
    };
  }
  const target = context.targets.get(ref.name);
  if (!target) return { link: null, seen: null };
  const login = `${target.user}@${target.address}`;
  log.emit({ type: 'host.state', host: id, name: ref.name, state: 'connecting', detail: login, atMs: clock.now() });
  const began = clock.monotonicMs();
  const base = { user: target.user, address: target.address, port: target.port };
  const took = (): number => Math.round(clock.monotonicMs() - began);
  const command = `ssh -p ${target.port} ${login} true`;
  try {
    const early = await context.early?.take(ref.name, signal);
    const remote = early?.remote ?? (await openRemote(target, { signal, clock, env, ...SSH_LIMITS }));
    const milliseconds = early?.milliseconds ?? took();
    const expectedKey = target.hostKeys[0] ?? null;
    const value: HostAccess = {
      ...base,
      outcome: 'ok',
      message: '',
      milliseconds,
      expectedKey,
      offeredKey: remote.hostKey,
    };
    return {
      link: sshLink(remote, clock),
      seen: { reading: known(value), lines: [`ssh ok ${milliseconds} ms`], command },
    };
  } catch (error) {
    if (signal.aborted) return { link: null, seen: null };
    const failure = failureOf(error);
    const isKey = error instanceof ViworksError && error.code === 'VW_REMOTE_IDENTITY_FILE';
    const place = isKey ? context.keyPlaces.get(ref.name) : undefined;
    const message = [place, told(failure, ref.name)].filter(Boolean).join('  ');
    const value: HostAccess = { ...base, ...failure, message, milliseconds: took() };
    return { link: null, seen: { reading: known(value), lines: [value.message], command } };
  }
}

type Failure = Pick<HostAccess, 'outcome' | 'message' | 'expectedKey' | 'offeredKey' | 'remedy'>;

function failureOf(error: unknown): Failure {
  const keys = { expectedKey: null, offeredKey: null };
  if (!(error instanceof ViworksError)) return { ...keys, outcome: 'protocol-error', message: String(error) };
  const { detail, message, hint } = error;
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  const seen = { expectedKey: text(detail.expected), offeredKey: text(detail.actual) };
  return { ...seen, outcome: endOf(error) ?? 'protocol-error', message, remedy: hint };
}

// The host is named beside it wherever this is shown.
function told({ message }: Failure, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}

interface AccessSeen {
  readonly reading: Reading<HostAccess>;
  readonly lines: readonly string[];
  readonly command: string;
}

function accessFact(
  context: Pick<SiteContext, 'clock'>,
  site: { readonly id: SiteId; readonly ref: HostRef },
  seen: AccessSeen,
): Fact {
  const { reading, lines, command } = seen;
  const evidence = { host: site.ref.name, atMs: context.clock.now(), command, lines, sha256: '' };
  return fact({ key: 'host.access', vantage: 'op', subject: site.id, probe: 'host.access', reading, evidence });
}
