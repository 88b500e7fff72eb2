// The state of every hop of a gateway's path: from the end-to-end probe where it got that far, else from the bypass probe of the hop itself.
import type { Scene } from './candidates.ts';
import { type HopId, hopAbsence, hops } from './path.ts';
import type { HopReport, HopState } from './report.ts';
import type { Sign } from './sign.ts';
import { judge } from './sign.ts';
import * as backend from './signs/backend.ts';
import * as gateway from './signs/gateway.ts';
import * as nginx from './signs/nginx.ts';
import { gatewayPart, runs } from './signs/parts.ts';
import type { GatewayTopology } from './topology.ts';
import { every, negate, some, type Tri } from './tri.ts';
import { createView, type View } from './view.ts';

interface HopProbe {
  readonly id: HopId;
  /** Does the hop itself work? */
  readonly works: (view: View) => Tri;
  /** Its own bypass probe answers, whatever lies before it: a pass then reads `ok*`, a failure is a second, independent break. */
  readonly independent: boolean;
  readonly detail: (view: View) => string;
}

const firstAnswer = (view: View) => nginx.publicSeen(view);
const holds = (sign: Sign) => (view: View) => sign.holds(view);

/** A dial that got past a hop proves the hop. */
function gatewayDial(view: View, stage: 'tcp' | 'tls'): Tri {
  return judge(view, ['ws.upgrade', 'gw', 'public'], (seen) => (backend.reached(seen, stage) ? 'yes' : 'unknown'));
}

const probes: readonly HopProbe[] = [
  {
    id: 'gateway',
    works: (view) => every([runs(gatewayPart).holds(view), processAlive(view)]),
    independent: true,
    detail: (view) => view.value('unit.state', 'gw', 'gateway')?.activeState ?? '',
  },
  {
    id: 'dns',
    works: (view) =>
      judge(view, ['dns.answer', 'gw'], (answer) =>
        answer.error !== null || answer.addresses.length === 0 ? 'no' : negate(gateway.nameLeadsElsewhere.holds(view)),
      ),
    independent: true,
    detail: (view) => view.value('dns.answer', 'gw')?.addresses.join(', ') ?? '',
  },
  {
    id: 'tcp',
    works: (view) =>
      some([
        judge(view, ['tcp.connect', 'gw', 'public'], (seen) => seen.outcome === 'connected'),
        gatewayDial(view, 'tcp'),
      ]),
    independent: false,
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
    independent: false,
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
    independent: false,
    detail: (view) => nginx.routeOf(view)?.server?.names.join(' ') ?? '',
  },
  {
    id: 'route',
    works: (view) => some([nginx.publicUpgrades.holds(view), nginx.routeGood.holds(view)]),
    independent: true,
    detail: (view) => firstAnswer(view)?.status?.toString() ?? '',
  },
  {
    id: 'ws-port',
    works: (view) =>
      some([
        backend.directUpgrades.holds(view),
        judge(view, ['ws.upgrade', 'be', 'direct'], (seen) => seen.status !== null),
        nginx.publicUpgrades.holds(view),
      ]),
    independent: true,
    detail: (view) => {
      const seen = view.value('ws.upgrade', 'be', 'direct');
      return seen ? (seen.status?.toString() ?? seen.ended) : '';
    },
  },
  {
    id: 'upgrade',
    works: (view) =>
      judge(view, ['ws.upgrade', 'gw', 'public'], backend.upgraded) === 'unknown'
        ? nginx.publicUpgrades.holds(view)
        : judge(view, ['ws.upgrade', 'gw', 'public'], backend.upgraded),
    independent: false,
    detail: (view) => firstAnswer(view)?.status?.toString() ?? firstAnswer(view)?.ended ?? '',
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
    independent: false,
    detail: (view) => firstAnswer(view)?.hello ?? '',
  },
  { id: 'heartbeat', works: holds(gateway.linkUp), independent: false, detail: () => '' },
  { id: 'registry', works: holds(gateway.registryOnline), independent: false, detail: () => '' },
  {
    id: 'canary',
    works: (view) =>
      view.gateway ? judge(view, ['canary', 'op', view.gateway.id], (seen) => seen.outcome === 'ok') : 'no',
    independent: false,
    detail: (view) => {
      const seen = view.gateway ? view.value('canary', 'op', view.gateway.id) : null;
      return seen ? (seen.code ?? seen.outcome) : '';
    },
  },
];

function processAlive(view: View): Tri {
  const alive = judge(
    view,
    ['process.state', 'gw', 'gateway'],
    (process) => process.running && !'TtZ'.includes(process.state),
  );
  return alive === 'no' && view.read('process.state', 'gw', 'gateway').status === 'not-applicable'
    ? 'yes'
    : alive === 'unknown'
      ? 'yes'
      : alive;
}

export function hopStates(scene: Scene, side: GatewayTopology | null): readonly HopReport[] {
  const view = createView(scene.store, scene.topology, side);
  let broken = false;
  return probes.map((probe): HopReport => {
    const label = hops.find((hop) => hop.id === probe.id)?.label ?? probe.id;
    const report = (state: HopState, detail: string): HopReport => ({
      id: probe.id,
      label,
      gateway: side?.id ?? '',
      state,
      detail,
      causes: [],
    });
    const absence = hopAbsence(probe.id, scene.topology, side) ?? tokenAbsence(probe.id, view);
    if (absence) return report('skipped', absence);
    if (!side && (probe.id === 'dns' || probe.id === 'tcp' || probe.id === 'tls'))
      return report('skipped', 'no gateway named');
    const works = probe.works(view);
    const detail = probe.detail(view);
    if (!broken) {
      if (works === 'no') broken = true;
      return report(works === 'yes' ? 'ok' : works === 'no' ? 'fail' : 'unknown', detail);
    }
    if (!probe.independent || works === 'unknown') return report(works === 'yes' ? 'ok-direct' : 'blocked', detail);
    return report(works === 'yes' ? 'ok-direct' : 'fail', detail);
  });
}

/** Without a token the last two hops are skipped with that reason, not unknown. */
function tokenAbsence(id: HopId, view: View): string | null {
  if (!view.gateway || (id !== 'canary' && id !== 'registry')) return null;
  const reading =
    id === 'canary' ? view.read('canary', 'op', view.gateway.id) : view.read('registry.entry', 'op', view.gateway.id);
  if (reading.status === 'not-applicable') return reading.why;
  return reading.status === 'unknown' && reading.reason === 'no-token' ? 'no token' : null;
}
