// Which live probes are sent from where, given what the rounds saw: every hop alone and the whole path, from every vantage in reach.
import { lookup } from 'node:dns/promises';
import { errnoOf } from '../../../agents/runtime/index.ts';
import {
  apiPath,
  type DnsAnswer,
  type Fact,
  known,
  type Listener,
  partsOfUrl,
  type Topology,
  type UrlParts,
  type Vantage,
} from '../../engine/index.ts';
import { apiNotAsked, canaryFact, canaryNotSent, gatewayHealthFact, registryFact } from '../../probes/api.ts';
import { deadlinesFor, type Pace } from '../../probes/deadlines.ts';
import { dial, type Trust } from '../../probes/dial.ts';
import { dialFromHere, nothingBetween } from '../../probes/link.ts';
import {
  type Endpoint,
  factFrom,
  getFact,
  type NetworkVantage,
  reachFacts,
  upgradeFact,
  upgradeNotSent,
} from '../../probes/network.ts';
import { dialAddresses, dialAgain } from './loss.ts';
import type { NetworkContext } from './network-context.ts';
import { watchPeer } from './peer.ts';
import { watchQueue } from './queue.ts';
import type { SiteView } from './rounds.ts';
import { timesOf } from './times.ts';

const DORMANT = 'its service is inactive behind a socket unit: a dial would start it';

/** Sends all of them, vantages in parallel. */
export async function probeNetwork(context: NetworkContext): Promise<void> {
  const { views, topology } = context;
  const backend = views.find((view) => view.site.id === 'be');
  const jobs: Promise<void>[] = [fromOperator(context, backend)];
  if (backend) jobs.push(fromBackend(context, backend));
  for (const gateway of topology.gateways) {
    const view = views.find((item) => item.site.id === `gw:${gateway.id}`);
    if (view) jobs.push(fromGateway(context, view, backend));
  }
  await Promise.all(jobs);
}

type Port = 'agents' | 'api';

/** Whether a dial of these ports would start a service that is meant to be down. Through nginx both are within reach. */
function dormant({ store }: NetworkContext, ...ports: readonly Port[]): boolean {
  const service = store.get('unit.state', 'be', 'backend');
  if (service.status !== 'known' || ['active', 'activating', 'reloading'].includes(service.value.activeState))
    return false;
  const asked: readonly Port[] = ports.length > 0 ? ports : ['agents', 'api'];
  return asked.some((port) => {
    const socket = store.get('unit.state', 'be', `backend-${port}-socket`);
    return socket.status === 'known' && socket.value.activeState === 'active';
  });
}

function vantageOf(context: NetworkContext, vantage: Vantage, view: SiteView | undefined): NetworkVantage {
  const { clock, signal, run, version, topology } = context;
  const link = view?.site.link;
  return {
    vantage,
    host: view?.site.ref.name ?? 'here',
    via: link?.via ?? '',
    place: {
      clock,
      signal,
      dial: link ? (host, port, stop) => link.dial(host, port, stop) : dialFromHere,
      deadlines: deadlinesFor(paceOf(context, view)),
      confirm: link ? (stop) => link.confirm(stop) : nothingBetween,
    },
    agentName: topology.kind === 'viworks' ? `viworks-gateway/${version}` : null,
    userAgent: (probe) => `viworks-doctor/${version} probe=${run}-${probe}`,
  };
}

/** Here nothing was measured: what is dialled from here goes the way that the scripts went. */
function paceOf({ views }: NetworkContext, view: SiteView | undefined): Pace | undefined {
  const measured = (view ? [view] : views).map((item) => item.pace);
  if (measured.length === 0) return undefined;
  return {
    roundTripMs: Math.max(...measured.map((pace) => pace.roundTripMs)),
    startMs: Math.max(...measured.map((pace) => pace.startMs)),
  };
}

function isSecure(topology: Topology): boolean {
  return topology.url.startsWith('wss:');
}

function publicEndpoint(topology: Topology, address: string, trust: Trust): Endpoint {
  const { publicPort: port, serverName: name } = topology;
  return { address, port, name, trust: isSecure(topology) ? trust : undefined };
}

async function publicProbes(context: NetworkContext, from: NetworkVantage, endpoint: Endpoint): Promise<void> {
  const { log, topology } = context;
  const title = (what: string): string => `${what} from ${from.host}`;
  const about = (probe: string, what: string) => ({ probe, vantage: from.vantage, title: title(what) });
  const { path } = topology;
  const times = from.vantage === 'be' ? timesOf(context, 'public') : 1;
  const jobs = [
    log.probe(about('tcp.connect.public', 'dial the public port'), () => reachFacts(from, 'public', endpoint)),
  ];
  if (dormant(context)) {
    log.fact(upgradeNotSent(from, 'public', { ...endpoint, path, why: DORMANT }));
  } else {
    jobs.push(
      log.probe(about('ws.upgrade.public', 'upgrade through nginx'), () =>
        upgradeFact(from, 'public', { ...endpoint, path, times }),
      ),
      log.probe(about('http.response.public-api', `GET ${apiPath(topology)} through nginx`), () =>
        getFact(from, 'public-api', { ...endpoint, path: apiPath(topology) }),
      ),
    );
  }
  await Promise.all(jobs);
}

async function fromOperator(context: NetworkContext, backend: SiteView | undefined): Promise<void> {
  const { topology, log, clock, operatorTrust } = context;
  const from = vantageOf(context, 'op', undefined);
  await log.probe({ probe: 'dns.answer', vantage: 'op', title: `resolve ${topology.serverName} here` }, async () => {
    const began = clock.monotonicMs();
    const answer = await resolveHere(topology.serverName);
    const value = { ...answer, milliseconds: Math.round(clock.monotonicMs() - began) };
    const lines = [`${topology.serverName}: ${value.addresses.join(', ') || value.error}`];
    const command = `getent ahosts ${topology.serverName}`;
    return factFrom(from, { key: 'dns.answer', reading: known(value), command, lines });
  });
  // By address: the public name of a lab or of a private network need not resolve here.
  const address = backend?.site.ref.address ?? topology.backend.host.address;
  await publicProbes(context, from, publicEndpoint(topology, address, operatorTrust));
}

/** getent does not say whether the name or the name service is at fault; sshd, asked to connect to the name, does. */
async function whyUnresolved(
  context: NetworkContext,
  from: NetworkVantage,
  answer: DnsAnswer,
): Promise<readonly Fact[]> {
  const { topology } = context;
  const dialled = await dial(from.place, topology.serverName, topology.publicPort);
  if (dialled.ok) dialled.stream.destroy();
  const message = dialled.ok ? '' : dialled.message;
  const error = /not known|no address/i.test(message) ? 'nxdomain' : /temporary/i.test(message) ? 'temporary' : null;
  if (error === null) return [];
  const command = `getent ahosts ${topology.serverName}`;
  const lines = [`${topology.serverName}: ${message}`];
  return [factFrom(from, { key: 'dns.answer', reading: known({ ...answer, error }), command, lines })];
}

async function resolveHere(name: string): Promise<DnsAnswer> {
  const base = { name, addresses: [] as string[], error: null, source: 'resolver' as const, milliseconds: null };
  try {
    return { ...base, addresses: [...new Set((await lookup(name, { all: true })).map((item) => item.address))] };
  } catch (error) {
    const code = errnoOf(error);
    return { ...base, error: code === 'ENOTFOUND' ? 'nxdomain' : code === 'EAI_AGAIN' ? 'temporary' : 'other' };
  }
}

async function fromBackend(context: NetworkContext, view: SiteView): Promise<void> {
  const { topology, log, operatorTrust } = context;
  const from = vantageOf(context, 'be', view);
  await Promise.all([
    publicProbes(context, from, publicEndpoint(topology, listenAddress(context, topology.publicPort), operatorTrust)),
    directProbes(context, from, view),
    log
      .probe({ probe: 'http.response.api-health', vantage: 'be', title: 'GET /health on the API port' }, async () => {
        if (dormant(context, 'api')) return [];
        const times = timesOf(context, 'api');
        return await getFact(from, 'api-health', { ...apiEndpoint(context, view), path: '/health', times });
      })
      // Beside the other probes: a command to a gateway that is cut off takes as long as a dial that is dropped.
      .then(() => throughApi(context, view)),
  ]);
}

/** The agents port itself: the canonical path first, and only when that is answered wrongly the paths that tell why. */
async function directProbes(context: NetworkContext, from: NetworkVantage, view: SiteView): Promise<void> {
  const { topology, log, store } = context;
  const endpoint = agentsEndpoint(context, view);
  const title = (what: string): string => `${what} on the agents port`;
  if (dormant(context, 'agents')) {
    log.fact(upgradeNotSent(from, 'direct', { ...endpoint, path: topology.path, why: DORMANT }));
    return;
  }
  const onStall = watchQueue(context, view, endpoint);
  const times = timesOf(context, 'agents');
  await Promise.all([
    log.probe({ probe: 'tcp.connect.agents', vantage: 'be', title: title('dial') }, () =>
      reachFacts(from, 'agents', endpoint),
    ),
    log.probe({ probe: 'ws.upgrade.direct', vantage: 'be', title: title('upgrade') }, () =>
      upgradeFact(from, 'direct', { ...endpoint, path: topology.path, onStall, times }),
    ),
  ]);
  const seen = store.get('ws.upgrade', 'be', 'direct');
  if (seen.status !== 'known' || seen.value.reached === 'none' || seen.value.status === null) return;
  await log.probe({ probe: 'http.response.agents-health', vantage: 'be', title: title('GET /health') }, () =>
    getFact(from, 'agents-health', { ...endpoint, path: '/health' }),
  );
  if (seen.value.status === 101) return;
  await log.probe({ probe: 'ws.upgrade.direct-root', vantage: 'be', title: title('upgrade /') }, () =>
    upgradeFact(from, 'direct-root', { ...endpoint, path: '/' }),
  );
}

async function fromGateway(context: NetworkContext, view: SiteView, backend: SiteView | undefined): Promise<void> {
  const { topology, log, store, hints } = context;
  const id = view.site.id;
  const from = vantageOf(context, id, view);
  const { operatorTrust } = context;
  const guessed = { ...operatorTrust, name: `${operatorTrust.name} (what the gateway trusts could not be read)` };
  const trust = view.trust ?? guessed;
  const answer = store.get('dns.answer', id);
  const resolves = answer.status !== 'known' || answer.value.addresses.length > 0;
  // Where the name does not resolve the rest of the way is still looked at, by address.
  const address = resolves ? topology.serverName : topology.backend.host.address;
  const endpoint = publicEndpoint(topology, address, trust);
  const config = store.get('agent.config', id, 'gateway');
  const healthPort =
    portOf(config.status === 'known' ? config.value.values['local_api.port'] : undefined) ?? hints.gatewayApiPort;
  const local: Endpoint = { address: '127.0.0.1', port: healthPort, name: 'localhost', trust: undefined };
  const jobs = [publicProbes(context, from, endpoint), dialAddresses(context, from, endpoint)];
  if (answer.status === 'known' && answer.value.error === 'other') {
    const title = `why ${topology.serverName} does not resolve`;
    jobs.push(log.probe({ probe: 'dns.answer', vantage: id, title }, () => whyUnresolved(context, from, answer.value)));
  }
  if (topology.kind === 'viworks') {
    jobs.push(
      log.probe({ probe: 'gateway.health', vantage: id, title: "the gateway's own health" }, () =>
        gatewayHealthFact(from, local),
      ),
    );
  }
  if (backend && isOpenToOthers(context) && !dormant(context, 'agents')) {
    const open: Endpoint = { ...local, address: topology.backend.host.address, port: topology.backend.agentsPort };
    const title = 'dial the agents port from outside';
    jobs.push(log.probe({ probe: 'tcp.connect.agents', vantage: id, title }, () => reachFacts(from, 'agents', open)));
  }
  const own = config.status === 'known' ? partsOfUrl(config.value.url) : null;
  const elsewhere = own !== null && isElsewhere(own, topology);
  if (elsewhere && !dormant(context)) {
    const title = `upgrade at ${own.host}:${own.port}, as the gateway is configured`;
    const place: Endpoint = { address: own.host, port: own.port, name: own.host, trust: endpoint.trust };
    jobs.push(
      log.probe({ probe: 'ws.upgrade.agent-url', vantage: id, title }, () =>
        upgradeFact(from, 'agent-url', { ...place, path: own.path }),
      ),
    );
  }
  const path = elsewhere ? null : (own?.path ?? null);
  if (path !== null && path !== topology.path && !dormant(context)) {
    jobs.push(
      log.probe({ probe: 'ws.upgrade.public-agent-path', vantage: id, title: `upgrade ${path} through nginx` }, () =>
        upgradeFact(from, 'public-agent-path', { ...endpoint, path }),
      ),
    );
    if (backend) {
      const be = vantageOf(context, 'be', backend);
      jobs.push(
        log.probe(
          { probe: 'ws.upgrade.direct-agent-path', vantage: 'be', title: `upgrade ${path} on the agents port` },
          () =>
            upgradeFact(be, 'direct-agent-path', {
              ...agentsEndpoint(context, backend),
              path,
            }),
        ),
      );
    }
  }
  await Promise.all(jobs);
  await dialAgain(context, from, endpoint);
}

/** Whether the agents port is bound to more than loopback: only then a dial from another host says anything. */
function isOpenToOthers({ store, topology }: NetworkContext): boolean {
  const reading = store.get('tcp.listeners', 'be');
  const rows = reading.status === 'known' ? reading.value : [];
  return rows.some((row) => row.port === topology.backend.agentsPort && !/^(127\.|::1$)/.test(row.address));
}

/** Another host or port than the canonical URL's, with the same scheme: what a wrong scheme leads to is no question of where. */
function isElsewhere(own: UrlParts, topology: Topology): boolean {
  const meant = partsOfUrl(topology.url);
  if (meant?.scheme !== own.scheme) return false;
  return own.host !== meant.host || own.port !== meant.port;
}

/** Registry and canary over the API port of the backend's host, whatever nginx does. */
async function throughApi(context: NetworkContext, backend: SiteView): Promise<void> {
  const { topology, log, store, credential } = context;
  if (topology.kind !== 'viworks' || dormant(context, 'api')) return;
  const from = vantageOf(context, 'be', backend);
  const endpoint = apiEndpoint(context, backend);
  // An API that has just kept us waiting for its health page would do so for each gateway twice more.
  const health = store.get('http.response', 'be', 'api-health');
  if (health.status === 'known' && health.value.outcome === 'timeout') {
    const why = `the API did not answer GET /health either: ${health.value.outcome}`;
    for (const { id } of topology.gateways) log.facts(apiNotAsked(from, id, why));
    return;
  }
  const look = watchPeer(context, backend);
  await Promise.all(
    topology.gateways.map(async ({ id: gateway }) => {
      await log.probe({ probe: 'registry.entry', vantage: 'op', title: `registry entry of ${gateway}` }, () =>
        registryFact(from, { endpoint, gateway, credential, look }),
      );
      // To a gateway that is not there a command would only wait for its expiry.
      const entry = store.get('registry.entry', 'op', gateway);
      if (entry.status === 'known' && !entry.value.online) {
        log.fact(canaryNotSent(from, gateway, entry.value.listed ? entry.value.state : 'not listed'));
        return;
      }
      await log.probe({ probe: 'canary', vantage: 'op', title: `canary on ${gateway}` }, () =>
        canaryFact(from, { endpoint, gateway, credential, look }),
      );
    }),
  );
}

function apiEndpoint(context: NetworkContext, view: SiteView): Endpoint {
  const { topology } = context;
  const place = containerPlace(context, view, topology.backend.apiPort);
  const address = place?.address ?? listenAddress(context, topology.backend.apiPort);
  return { address, port: place?.port ?? topology.backend.apiPort, name: 'localhost', trust: undefined };
}

function agentsEndpoint(context: NetworkContext, view: SiteView): Endpoint {
  const { topology } = context;
  const place = containerPlace(context, view, topology.backend.agentsPort);
  const address = place?.address ?? listenAddress(context, topology.backend.agentsPort);
  return { address, port: place?.port ?? topology.backend.agentsPort, name: topology.serverName, trust: undefined };
}

/** Where a port of the backend's container is reached from its host: as published, else at the container's own address. */
function containerPlace(
  context: NetworkContext,
  view: SiteView,
  port: number,
): { address: string; port: number } | null {
  const { backend } = context.topology;
  if (backend.supervision !== 'docker') return null;
  const named = view.containers.find((row) => row.name === backend.container);
  const row = named ?? view.containers.find((item) => /backend|control/.test(`${item.name} ${item.image}`));
  if (!row || row.networkMode === 'host') return null;
  const published = row.ports.find((item) => item.containerPort === port);
  if (published) {
    const any = published.hostAddress === '' || published.hostAddress === '0.0.0.0' || published.hostAddress === '::';
    return { address: any ? '127.0.0.1' : published.hostAddress, port: published.hostPort };
  }
  const own = row.networks.find((network) => network.address !== '')?.address;
  return own === undefined ? null : { address: own, port };
}

/** Loopback where it is served, else the one address that is. */
function listenAddress({ store }: NetworkContext, port: number): string {
  const reading = store.get('tcp.listeners', 'be');
  const rows: readonly Listener[] = reading.status === 'known' ? reading.value.filter((row) => row.port === port) : [];
  if (rows.length === 0 || rows.some((row) => ['127.0.0.1', '0.0.0.0', '::'].includes(row.address))) return '127.0.0.1';
  // Only ::1: what nginx dials by the name localhost is 127.0.0.1 as well, and that is refused.
  return rows.find((row) => row.address !== '::1')?.address ?? '127.0.0.1';
}

function portOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : null;
}
