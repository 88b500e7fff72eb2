// The state of every hop of a gateway's path: from the end-to-end probe where it got that far, else from the bypass probe of the hop itself.

import { answerThrough, refusedAtRoute, signs } from '../signs/index.ts';
import {
  type Claim,
  createView,
  every,
  type GatewayTopology,
  type HopId,
  type HopReport,
  type HopState,
  hopAbsence,
  hops,
  judge,
  negate,
  some,
  type Tri,
  type View,
} from '../vocabulary/index.ts';
import type { Scene } from './candidates.ts';

const { backend, gateway, identity, nginx, parts } = signs;

interface HopProbe {
  readonly id: HopId;
  /** Does the hop itself work? */
  readonly works: (view: View) => Tri;
  /** The hops that its probe has to pass first. Where one of them is broken, a failure here is only a consequence: `blocked`. */
  readonly after: readonly HopId[];
  readonly detail: (view: View) => string;
}

const firstAnswer = (view: View) => answerThrough(view);
/** In words: the status, or how it ended without one. */
const answerText = (view: View) => {
  const seen = firstAnswer(view);
  if (!seen) return '';
  // A 101 that no agent stays for is told by what is wrong with it.
  return seen.status === null || (seen.status === 101 && !backend.upgraded(seen)) ? seen.ended : `${seen.status}`;
};
const holds = (sign: Claim) => (view: View) => sign.holds(view);

/** A dial that got past a hop proves the hop. */
function gatewayDial(view: View, stage: 'tcp' | 'tls'): Tri {
  return judge(view, ['ws.upgrade', 'gw', 'public'], (seen) => (backend.reached(seen, stage) ? 'yes' : 'unknown'));
}

function decideOr(first: Tri, second: Tri): Tri {
  return first === 'unknown' ? second : first;
}

const probes: readonly HopProbe[] = [
  {
    id: 'gateway',
    // An agent under another unit's name still holds its link: that counts, not the name.
    works: (view) => {
      const runs = every([parts.runs(parts.gatewayPart).holds(view), processAlive(view)]);
      return runs === 'no' && gateway.linkUp.holds(view) === 'yes' ? 'yes' : runs;
    },
    after: [],
    detail: (view) => {
      const unit = view.value('unit.state', 'gw', 'gateway');
      if (unit?.loadState === 'not-found') return 'not installed';
      return unit?.loadState === 'loaded' ? unit.activeState : (unit?.loadState ?? '');
    },
  },
  {
    id: 'dns',
    works: (view) =>
      judge(view, ['dns.answer', 'gw'], (answer) =>
        answer.error !== null || answer.addresses.length === 0 ? 'no' : negate(gateway.nameLeadsElsewhere.holds(view)),
      ),
    after: [],
    detail: (view) => view.value('dns.answer', 'gw')?.addresses.join(', ') ?? '',
  },
  {
    id: 'tcp',
    works: (view) =>
      decideOr(
        judge(view, ['tcp.connect', 'gw', 'public'], (seen) => seen.outcome === 'connected'),
        gatewayDial(view, 'tcp'),
      ),
    after: ['dns'],
    detail: (view) => view.value('tcp.connect', 'gw', 'public')?.outcome ?? '',
  },
  {
    id: 'tls',
    works: (view) =>
      view.topology.url.startsWith('ws:')
        ? 'yes'
        : judge(
            view,
            ['tls.certificate', 'gw', 'public'],
            (seen) => seen.handshake === 'ok' && seen.verification === 'OK',
          ),
    after: ['tcp'],
    detail: (view) => view.value('tls.certificate', 'gw', 'public')?.verification ?? '',
  },
  {
    id: 'vhost',
    works: (view) =>
      some([
        nginx.publicUpgrades.holds(view),
        judge(view, ['nginx.route', 'be', 'agents'], (route) =>
          route.action === 'undecided' ? 'unknown' : route.action !== 'no-server' && route.server?.matched !== false,
        ),
      ]),
    after: ['tcp', 'tls'],
    detail: (view) => nginx.routeOf(view)?.server?.names.join(' ') ?? '',
  },
  {
    id: 'route',
    // Who made the status decides: what nginx turned down itself, the port behind it never heard of.
    works: (view) =>
      refusedAtRoute(view) === 'yes' || nginx.answerStripped.holds(view) === 'yes'
        ? 'no'
        : some([nginx.publicUpgrades.holds(view), nginx.routeGood.holds(view)]),
    after: ['vhost'],
    detail: answerText,
  },
  {
    id: 'ws-port',
    // Whoever else holds the port, what it answers is no answer of the backend.
    works: (view) =>
      identity.portForeign(view) === 'yes'
        ? 'no'
        : some([
            backend.directUpgrades.holds(view),
            judge(view, ['ws.upgrade', 'be', 'direct'], (seen) => seen.status !== null),
            nginx.publicUpgrades.holds(view),
          ]),
    after: [],
    detail: (view) => {
      const seen = view.value('ws.upgrade', 'be', 'direct');
      return seen ? (seen.status?.toString() ?? seen.ended) : '';
    },
  },
  {
    id: 'upgrade',
    works: (view) =>
      decideOr(judge(view, ['ws.upgrade', 'gw', 'public'], backend.upgraded), nginx.publicUpgrades.holds(view)),
    after: ['dns', 'tcp', 'tls', 'vhost', 'route', 'ws-port'],
    detail: answerText,
  },
  {
    id: 'hello',
    works: (view) =>
      some(
        (['gw', 'be', 'op'] as const).map((seat) =>
          judge(view, ['ws.upgrade', seat, 'public'], (seen) =>
            seen.hello === 'not-sent' ? (seen.challenged === true ? 'yes' : 'unknown') : seen.hello !== 'silent',
          ),
        ),
      ),
    after: ['upgrade'],
    detail: (view) => firstAnswer(view)?.hello ?? '',
  },
  { id: 'heartbeat', works: holds(gateway.linkUp), after: ['gateway', 'upgrade', 'hello'], detail: () => '' },
  { id: 'registry', works: holds(gateway.registryOnline), after: ['heartbeat'], detail: () => '' },
  {
    id: 'canary',
    works: (view) =>
      view.gateway ? judge(view, ['canary', 'op', view.gateway.id], (seen) => seen.outcome === 'ok') : 'no',
    after: ['heartbeat', 'registry'],
    detail: (view) => {
      const seen = view.gateway ? view.value('canary', 'op', view.gateway.id) : null;
      return seen ? (seen.code ?? seen.outcome) : '';
    },
  },
];

/** A process that is known to be stopped or gone speaks against the unit; one that cannot be seen does not. */
function processAlive(view: View): Tri {
  const reading = view.read('process.state', 'gw', 'gateway');
  if (reading.status === 'unknown' && (reading.reason === 'lost' || reading.reason === 'cut')) return 'unknown';
  if (reading.status !== 'known') return 'yes';
  return reading.value.running && !'TZ'.includes(reading.value.state) ? 'yes' : 'no';
}

export function hopStates(scene: Scene, side: GatewayTopology | null): readonly HopReport[] {
  const view = createView(scene.store, scene.topology, side);
  const states = new Map<HopId, HopState>();
  return probes.map((probe): HopReport => {
    const absence = absenceOf(probe.id, view);
    const state = absence === null ? stateOf(probe, view, states) : 'skipped';
    states.set(probe.id, state);
    return {
      id: probe.id,
      label: hops.find((hop) => hop.id === probe.id)?.label ?? probe.id,
      gateway: side?.id ?? '',
      state,
      detail: absence ?? probe.detail(view),
      causes: [],
    };
  });
}

function stateOf(probe: HopProbe, view: View, before: ReadonlyMap<HopId, HopState>): HopState {
  const isBroken = (state: HopState | undefined) => state === 'fail' || state === 'blocked';
  const works = probe.works(view);
  if (works === 'yes') return [...before.values()].some(isBroken) ? 'ok-direct' : 'ok';
  if (probe.after.some((id) => isBroken(before.get(id)))) return 'blocked';
  return works === 'no' ? 'fail' : 'unknown';
}

/** Why a hop is not examined: the installation lacks it, or there is no token to ask with, or none that is taken. */
function absenceOf(id: HopId, view: View): string | null {
  const absence = hopAbsence(id, view.topology, view.gateway);
  if (absence) return absence;
  if (!view.gateway) return ['dns', 'tcp', 'tls', 'heartbeat', 'canary'].includes(id) ? 'no gateway named' : null;
  if (id !== 'canary' && id !== 'registry') return null;
  const key = id === 'canary' ? 'canary' : 'registry.entry';
  const reading = view.read(key, 'op', view.gateway.id);
  if (reading.status === 'not-applicable') return reading.why;
  if (reading.status !== 'unknown') return null;
  if (reading.reason === 'no-token') return 'no token';
  return reading.reason === 'token-refused' ? 'the token was refused' : null;
}
