// What is asked of each host in its one round, and the facts that come out of it. Composition only: scripts and parsers are the probes'.
import type { Container } from '../../engine/index.ts';
import { trustOf } from '../../probes/agents.ts';
import type { Ask, PartContainer, PartUnit } from '../../probes/ask.ts';
import type { Pace } from '../../probes/deadlines.ts';
import { containersIn } from '../../probes/docker.ts';
import { probesOf, sectionsOf } from '../../probes/host-probes.ts';
import type { HostRound } from '../../probes/probe.ts';
import { runRound } from '../../probes/round.ts';
import { type SeenUnits, seenUnits } from '../../probes/units.ts';
import type { RunContext } from './context.ts';
import type { Site } from './sites.ts';

/** The whole bundle of one host, in ms: a busy host still answers, and a stuck one leaves time for the network probes. */
const ROUND_MS = 12_000;

export interface RoundContext extends Omit<RunContext, 'store'> {
  /** Called for a host that was logged in to and on which none of our commands ran. */
  mute(site: Site, said: string, why: string): void;
}

/** What later probes need to know of a host. */
export interface SiteView {
  readonly site: Site;
  readonly round: HostRound;
  readonly ask: Ask;
  readonly pace: Pace;
  readonly units: SeenUnits;
  readonly containers: readonly Container[];
  readonly trust: { readonly bundle: string; readonly name: string } | null;
}

/** Runs the round of one host and tells its facts. Null when the host cannot be seen. */
export async function lookAtSite(context: RoundContext, site: Site): Promise<SiteView | null> {
  if (!site.link) return null;
  const { clock, signal, log } = context;
  const ask = site.id === 'be' ? backendAsk(context) : gatewayAsk(context, site.id);
  const sections = sectionsOf(ask);
  const titles = new Map(sections.map((section) => [section.id, section.title]));
  let last = clock.monotonicMs();
  const result = await runRound({
    link: site.link,
    sections,
    sudo: context.sudo,
    clock,
    signal,
    deadlineMs: ROUND_MS,
    onSection: ({ id, rc, text }) => {
      const now = clock.monotonicMs();
      const title = titles.get(id) ?? id;
      log.section({ probe: id, vantage: site.id, title, raw: text, rc, milliseconds: Math.round(now - last) });
      last = now;
    },
  });
  const identity = result.sections.whole('host.identity');
  const round: HostRound = {
    vantage: site.id,
    host: site.ref.name,
    via: site.link.via,
    atMs: result.sentMs,
    heardMs: result.firstHeardMs,
    nonce: result.nonce,
    root: identity?.ok === true && /^\d+$/m.exec(identity.text)?.[0] === '0',
    sections: result.sections,
    gap: result.gap,
  };
  if (result.sections.size === 0 && result.gap?.reason === 'cut' && !signal.aborted) {
    context.mute(site, result.noise, result.gap.detail);
  }
  log.facts(probesOf(ask.seat).flatMap((probe) => probe.facts(round, ask)));
  const startMs = result.firstHeardMs - result.sentMs;
  return {
    site,
    round,
    ask,
    pace: { startMs, roundTripMs: Math.min(site.link.roundTripMs ?? startMs, startMs) },
    units: seenUnits(round, ask),
    containers: containersIn(round),
    trust: trustOf(round),
  };
}

function backendAsk({ topology, hints }: RoundContext): Ask {
  const { backend, nginx, publicPort } = topology;
  const units: PartUnit[] = [];
  if (backend.unit || backend.supervision === 'process') units.push({ part: 'backend', unit: backend.unit });
  const [api, agents] = backend.sockets;
  if (api) units.push({ part: 'backend-api-socket', unit: api });
  if (agents) units.push({ part: 'backend-agents-socket', unit: agents });
  if (nginx.unit) units.push({ part: 'nginx', unit: nginx.unit });
  const docker = backend.supervision === 'docker' || nginx.supervision === 'docker';
  if (docker) units.push({ part: 'docker', unit: 'docker.service' });
  const ports = [backend.apiPort, backend.agentsPort];
  const own: PartContainer = { part: 'backend', name: backend.container, ports, vantage: 'be/ns:agent' };
  const front: PartContainer = { part: 'nginx', name: nginx.container, ports: [publicPort], vantage: 'be/ns:nginx' };
  const inner = backend.supervision === 'docker' ? own : null;
  const outer = nginx.supervision === 'docker' ? front : null;
  return {
    seat: 'be',
    serverName: topology.serverName,
    units,
    elsewhere: [
      { part: 'backend' as const, by: backend.supervision },
      { part: 'nginx' as const, by: nginx.supervision },
    ].filter(({ by }) => by !== 'systemd'),
    ports: [...ports, publicPort],
    dialled: [],
    docker: docker || topology.inferred.includes('backend.supervision'),
    containers: [inner, outer].filter((part) => part !== null),
    nginx: nginx.supervision === 'none' ? null : { container: outer, unit: nginx.unit, entry: hints.nginxEntry },
    config: { part: 'backend', unit: backend.unit, file: hints.backendConfig, container: inner },
  };
}

function gatewayAsk({ topology, hints }: RoundContext, id: Site['id']): Ask {
  const { publicPort, backend } = topology;
  const gateway = topology.gateways.find((item) => `gw:${item.id}` === id);
  const units: PartUnit[] = [];
  if (gateway && gateway.supervision !== 'docker') units.push({ part: 'gateway', unit: gateway.unit });
  if (gateway?.launcherUnit) {
    const socket = gateway.launcherUnit.replace(/\.service$/, '.socket');
    units.push({ part: 'launcher', unit: gateway.launcherUnit }, { part: 'launcher-socket', unit: socket });
  }
  const elsewhere: Ask['elsewhere'][number][] = [];
  if (gateway && gateway.supervision !== 'systemd') elsewhere.push({ part: 'gateway', by: gateway.supervision });
  if (gateway?.launcherUnit === null) elsewhere.push({ part: 'launcher', by: 'no unit of its own' });
  return {
    seat: 'gw',
    serverName: topology.serverName,
    units,
    elsewhere,
    ports: [hints.gatewayApiPort],
    dialled: [...new Set([publicPort, backend.agentsPort, backend.apiPort])],
    docker: false,
    containers: [],
    nginx: null,
    config: { part: 'gateway', unit: gateway?.unit ?? null, file: hints.gatewayConfig, container: null },
  };
}
