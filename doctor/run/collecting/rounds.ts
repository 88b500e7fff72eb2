// What is asked of each host in its one round, and the facts that come out of it. Composition only: scripts and parsers are the probes'.
import type { Clock } from '../../../agents/runtime/index.ts';
import {
  type Container,
  type Fact,
  notApplicable,
  type Part,
  type Topology,
  type UnitState,
  type Vantage,
} from '../../engine/index.ts';
import { type ConfigPlace, configFact, configSection, trustOf, trustSection } from '../../probes/agents.ts';
import type { Ask, PartUnit } from '../../probes/define-probe.ts';
import {
  containerLogSection,
  containersIn,
  containersSection,
  dockerFacts,
  findContainer,
  innerProcessesOf,
  innerSection,
  logWindow,
  type PartContainer,
} from '../../probes/docker.ts';
import { clockFact, clockSection } from '../../probes/host.ts';
import { probesOf, sectionsOf } from '../../probes/host-probes.ts';
import { nginxFacts, nginxPrelude, nginxSections, withoutNginx } from '../../probes/nginx.ts';
import { type HostRound, say } from '../../probes/probe.ts';
import { runRound } from '../../probes/round.ts';
import type { Section } from '../../probes/script.ts';
import { cpuSection, serviceFacts, serviceSections } from '../../probes/services.ts';
import { connectionsFact, connectionsSection, listenersFact, listenersSection } from '../../probes/sockets.ts';
import type { Hints } from './hints.ts';
import type { RunLog } from './run-log.ts';
import type { Site } from './sites.ts';

/** The whole bundle of one host, in ms: a busy host still answers, and a stuck one leaves time for the network probes. */
const ROUND_MS = 12_000;

export interface RoundContext {
  readonly topology: Topology;
  readonly hints: Hints;
  readonly sudo: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: RunLog;
  /** Called for a host that was logged in to and on which none of our commands ran. */
  mute(site: Site, said: string, why: string): void;
}

/** What later probes need to know of a host. */
export interface SiteView {
  readonly site: Site;
  readonly round: HostRound;
  /** From the script sent to its first words, in ms: one round trip and the start of a shell. */
  readonly roundTripMs: number;
  readonly units: ReadonlyMap<Part, UnitState>;
  readonly containers: readonly Container[];
  readonly trust: { readonly bundle: string; readonly name: string } | null;
}

interface Plan {
  readonly ask: Ask;
  readonly containers: readonly PartContainer[];
  readonly config: ConfigPlace;
  readonly sections: readonly Section[];
  readonly prelude: readonly string[];
}

/** Runs the round of one host and tells its facts. Null when the host cannot be seen. */
export async function lookAtSite(context: RoundContext, site: Site): Promise<SiteView | null> {
  if (!site.link) return null;
  const { clock, signal, log } = context;
  const plan = site.id === 'be' ? backendPlan(context) : gatewayPlan(context, site.id);
  const titles = new Map(plan.sections.map((section) => [section.id, section.title]));
  let last = clock.monotonicMs();
  const result = await runRound({
    link: site.link,
    sections: plan.sections,
    prelude: plan.prelude,
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
  const root = /^\d+$/m.exec(result.sections.get('host.identity')?.text ?? '')?.[0] === '0';
  const via = site.link.via;
  const round: HostRound = {
    vantage: site.id,
    host: site.ref.name,
    via,
    atMs: result.sentMs,
    root,
    sections: result.sections,
    gap: result.gap,
  };
  if (result.sections.size === 0 && result.gap?.reason === 'cut' && !signal.aborted) {
    context.mute(site, result.noise, result.gap.detail);
  }
  log.fact(clockFact(round, { sentMs: result.sentMs, heardMs: result.firstHeardMs }));
  const seat = site.id === 'be' ? 'be' : 'gw';
  log.facts(probesOf(seat).flatMap((probe) => probe.facts(round, plan.ask)));
  const roundTripMs = result.firstHeardMs - result.sentMs;
  return site.id === 'be'
    ? backendView(context, { site, round, roundTripMs, plan, nonce: result.nonce })
    : gatewayView(context, { site, round, roundTripMs, plan });
}

function backendPlan({ topology, hints }: RoundContext): Plan {
  const { backend, nginx } = topology;
  const guessed = topology.inferred.includes('backend.supervision');
  const units: PartUnit[] = [];
  if (backend.unit || backend.supervision === 'process') units.push({ part: 'backend', unit: backend.unit });
  const [api, agents] = backend.sockets;
  if (api) units.push({ part: 'backend-api-socket', unit: api });
  if (agents) units.push({ part: 'backend-agents-socket', unit: agents });
  if (nginx.unit) units.push({ part: 'nginx', unit: nginx.unit });
  const docker = backend.supervision === 'docker' || nginx.supervision === 'docker';
  if (docker) units.push({ part: 'docker', unit: 'docker.service' });
  const containers: PartContainer[] = [];
  const ports = [backend.apiPort, backend.agentsPort];
  if (backend.supervision === 'docker')
    containers.push({ part: 'backend', name: backend.container, ports, vantage: 'be/ns:agent' });
  if (nginx.supervision === 'docker')
    containers.push({ part: 'nginx', name: nginx.container, ports: [topology.publicPort], vantage: 'be/ns:nginx' });
  const config: ConfigPlace = {
    part: 'backend',
    unit: backend.unit,
    file: hints.backendConfig,
    container: backend.supervision === 'docker' ? { part: 'backend', name: backend.container } : null,
  };
  const withNginx = nginx.supervision !== 'none';
  const inContainer = nginx.supervision === 'docker' ? { part: 'nginx' as const, name: nginx.container } : null;
  const ask: Ask = { serverName: topology.serverName, units };
  return {
    ask,
    containers,
    config,
    prelude: withNginx ? [nginxPrelude({ container: inContainer, unit: nginx.unit, entry: hints.nginxEntry })] : [],
    sections: [
      clockSection,
      ...sectionsOf('be', ask),
      listenersSection,
      ...serviceSections(units, [...ports, topology.publicPort]),
      ...(docker || guessed ? [containersSection, innerSection] : []),
      ...containers.map((part) => containerLogSection(part)),
      ...(withNginx ? nginxSections : []),
      configSection(config),
      cpuSection,
    ],
  };
}

function gatewayPlan({ topology, hints }: RoundContext, id: Site['id']): Plan {
  const gateway = topology.gateways.find((item) => `gw:${item.id}` === id);
  const units: PartUnit[] = [];
  if (gateway && gateway.supervision !== 'docker') units.push({ part: 'gateway', unit: gateway.unit });
  if (gateway?.launcherUnit) {
    const socket = gateway.launcherUnit.replace(/\.service$/, '.socket');
    units.push({ part: 'launcher', unit: gateway.launcherUnit }, { part: 'launcher-socket', unit: socket });
  }
  const config: ConfigPlace = {
    part: 'gateway',
    unit: gateway?.unit ?? null,
    file: hints.gatewayConfig,
    container: null,
  };
  const ask: Ask = { serverName: topology.serverName, units };
  return {
    ask,
    containers: [],
    config,
    prelude: [],
    sections: [
      clockSection,
      ...sectionsOf('gw', ask),
      listenersSection,
      connectionsSection(linkPorts(topology)),
      ...serviceSections(units, [hints.gatewayApiPort]),
      configSection(config),
      trustSection(config),
      cpuSection,
    ],
  };
}

function linkPorts(topology: Topology): readonly number[] {
  return [...new Set([topology.publicPort, topology.backend.agentsPort, topology.backend.apiPort])];
}

interface Seen {
  readonly site: Site;
  readonly round: HostRound;
  readonly roundTripMs: number;
  readonly plan: Plan;
}

function backendView(
  context: RoundContext,
  { site, round, roundTripMs, plan, nonce }: Seen & { readonly nonce: string },
): SiteView {
  const { log, topology } = context;
  const services = serviceFacts(round, plan.ask.units);
  const containers = containersIn(round);
  const owners = services.owners;
  const parts = plan.containers.map((part) => ({
    ...part,
    name: part.name ?? findContainer(containers, part)?.name ?? null,
  }));
  log.facts([listenersFact(round, owners), ...services.facts]);
  if (parts.length > 0) log.facts(dockerFacts(round, parts, innerProcessesOf(round)));
  else
    log.fact(
      say(round, {
        key: 'docker.containers',
        section: 'docker.containers',
        command: 'docker ps -a',
        reading: notApplicable('no part runs in a container'),
      }),
    );
  const inContainer = topology.nginx.supervision === 'docker';
  const nginxPart = parts.find((part) => part.part === 'nginx');
  const container = nginxPart ? findContainer(containers, nginxPart) : null;
  if (topology.nginx.supervision === 'none') log.facts(withoutNginx(round, 'this installation has no nginx'));
  else
    log.facts(
      nginxFacts(round, {
        nonce,
        inContainer,
        container,
        startedMs: inContainer ? logWindow(container, round.atMs) : (services.windows.get('nginx') ?? null),
      }),
    );
  for (const vantage of ['be/ns:nginx', 'be/ns:agent'] as const) notInContainer(log, { round, vantage, parts });
  log.fact(configFact(round, plan.config));
  log.facts(notSystemd(round, topology.backend.supervision, 'backend'));
  if (topology.nginx.supervision !== 'systemd') log.facts(notSystemd(round, topology.nginx.supervision, 'nginx'));
  return { site, round, roundTripMs, units: services.units, containers, trust: null };
}

function notInContainer(
  log: RunLog,
  of: { round: HostRound; vantage: Vantage; parts: readonly PartContainer[] },
): void {
  if (of.parts.some((part) => part.vantage === of.vantage)) return;
  const reading = notApplicable('it runs in the network namespace of the host');
  log.fact(
    say(of.round, {
      key: 'tcp.listeners',
      vantage: of.vantage,
      section: 'tcp.listeners',
      command: '',
      lines: [],
      reading,
    }),
  );
}

function notSystemd(round: HostRound, supervision: string, part: Part): readonly Fact[] {
  if (supervision === 'systemd') return [];
  const reading = notApplicable(`it is not run by systemd (${supervision})`);
  const of = { subject: part, command: '', lines: [], reading };
  return [
    say(round, { key: 'unit.state', section: 'unit.state', ...of }),
    say(round, { key: 'unit.setup', section: 'unit.setup', ...of }),
  ];
}

function gatewayView(context: RoundContext, { site, round, roundTripMs, plan }: Seen): SiteView {
  const { log, topology } = context;
  const services = serviceFacts(round, plan.ask.units);
  const gateway = topology.gateways.find((item) => `gw:${item.id}` === site.id);
  log.facts([
    listenersFact(round, services.owners),
    connectionsFact(round, services.owners, linkPorts(topology)),
    ...services.facts,
    configFact(round, plan.config),
    ...notSystemd(round, gateway?.supervision ?? 'systemd', 'gateway'),
  ]);
  if (gateway && gateway.launcherUnit === null) log.facts(notSystemd(round, 'no unit of its own', 'launcher'));
  return { site, round, roundTripMs, units: services.units, containers: [], trust: trustOf(round) };
}
