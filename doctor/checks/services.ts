// Checks on what runs on the hosts: backend, nginx, the gateway's unit, the launcher.
import { apiPath, type Check, checksOf, judge, signs, some, type View } from '../engine/index.ts';
import { expectSign, skipped, verdictOf } from './outcome.ts';

const { backend, identity, nginx, parts } = signs;
const port = (view: View) => view.topology.backend.agentsPort;

/** Names of the parts that a health page of ours calls down. */
function partsDown(body: string): readonly string[] {
  try {
    const page = JSON.parse(body) as { readonly parts?: Readonly<Record<string, { readonly state?: string }>> };
    return Object.entries(page.parts ?? {}).flatMap(([name, part]) => (part.state === 'down' ? [name] : []));
  } catch {
    return [];
  }
}

/** The page is there on the API port itself, and nginx asks the WebSocket port for it. */
function misrouted(view: View): boolean {
  const route = view.value('nginx.route', 'be', 'api');
  const own = view.value('http.response', 'be', 'api-health');
  return own?.status === 200 && route?.action === 'proxy' && nginx.targetsPort(route, port(view));
}

export const serviceChecks: readonly Check[] = checksOf({
  'backend.process.running': {
    title: 'the backend is running',
    hop: 'ws-port',
    host: 'be',
    needs: ['unit.state', 'docker.containers', 'process.state'],
    evaluate: (view) => {
      const runs = parts.runs(parts.backendPart).holds(view);
      // Started by hand it serves all the same: then what it is counts, not the unit's state.
      const answers = runs === 'no' && backend.directUpgrades.holds(view) === 'yes';
      const value = answers ? identity.servedByHand.holds(view) : runs;
      return verdictOf(view, value, {
        fail: (at) => `${parts.nameOf(at, parts.backendPart)} is ${parts.stateWords(at, parts.backendPart)}`,
      });
    },
  },
  'backend.api.answers': {
    title: 'the API port answers GET /health',
    hop: 'api',
    host: 'be',
    needs: ['http.response'],
    dependsOn: ['backend.process.running'],
    evaluate: expectSign(backend.apiAnswers, {
      fail: (view) =>
        `port ${view.topology.backend.apiPort}: ${view.value('http.response', 'be', 'api-health')?.outcome ?? 'no answer'}`,
    }),
  },
  'backend.health.good': {
    title: "the backend's own health page says that it is healthy",
    hop: 'api',
    host: 'be',
    needs: ['http.response'],
    dependsOn: ['backend.api.answers'],
    evaluate: (view) => {
      const reading = view.read('http.response', 'be', 'api-health');
      if (reading.status !== 'known' || reading.value.status === null) return { state: 'unknown', detail: 'no answer' };
      const down = partsDown(reading.value.body);
      // It asks itself every ten seconds; what we have just seen is newer.
      if (down.length > 0 && down.every((part) => part === 'agents-listener')) {
        if (backend.directUpgrades.holds(view) === 'yes')
          return {
            state: 'warn',
            detail: `its own page still says that ${down.join(', ')} is down; the port answers us`,
          };
      }
      return verdictOf(view, reading.value.status === 503 ? 'no' : 'yes', {
        fail: () => `GET /health: 503 ${reading.value.body.slice(0, 160)}`,
      });
    },
  },
  'backend.agents.listens': {
    title: 'something listens on the agents port',
    hop: 'ws-port',
    host: 'be',
    needs: ['tcp.listeners'],
    dependsOn: ['backend.process.running'],
    evaluate: expectSign(backend.agentsListens, { fail: (view) => `no LISTEN row for port ${port(view)}` }),
  },
  'backend.agents.upgrades': {
    title: 'an upgrade sent straight to the agents port gets 101',
    hop: 'ws-port',
    host: 'be',
    needs: ['ws.upgrade'],
    dependsOn: ['backend.agents.listens'],
    evaluate: expectSign(backend.directUpgrades, {
      fail: (view) => {
        const seen = view.value('ws.upgrade', 'be', 'direct');
        return `direct upgrade on port ${port(view)}: ${seen?.status ?? seen?.ended ?? 'no answer'}`;
      },
    }),
  },
  'nginx.process.running': {
    title: 'nginx is running',
    hop: 'vhost',
    host: 'be',
    needs: ['unit.state', 'docker.containers', 'process.state', 'nginx.processes'],
    evaluate: (view) => {
      if (view.topology.nginx.supervision === 'none') return skipped('no nginx here');
      const byProcess = judge(view, ['nginx.processes', 'be'], (seen) => seen.masterPid !== null);
      const runs = parts.runs(parts.nginxPart).holds(view);
      // A unit that says active outranks an invisible process; a visible master outranks an unknown unit.
      const value = runs === 'unknown' ? byProcess : runs === 'no' ? some([runs, byProcess]) : runs;
      return verdictOf(view, value, {
        fail: (at) => `${parts.nameOf(at, parts.nginxPart)} is ${parts.stateWords(at, parts.nginxPart)}`,
      });
    },
  },
  'nginx.agents.upgrades': {
    title: 'an upgrade through nginx gets 101',
    hop: 'route',
    host: 'be',
    needs: ['ws.upgrade'],
    dependsOn: ['nginx.process.running', 'backend.agents.upgrades'],
    required: true,
    evaluate: (view) => {
      const seen = nginx.publicSeen(view);
      if (nginx.onlyOthersRefused(view)) {
        const asked = `a rule by address refuses this dial (${seen?.status}), which is no gateway's`;
        if (signs.gateway.linkUp.holds(view) === 'yes')
          return { state: 'pass', detail: `${asked}; gateways are connected` };
        return { state: 'unknown', detail: asked };
      }
      return expectSign(nginx.publicUpgrades, {
        fail: () => `upgrade through nginx: ${seen?.status ?? seen?.ended ?? 'no answer'}`,
      })(view);
    },
  },
  'nginx.api.answers': {
    title: 'the HTTP API answers through nginx',
    hop: 'api',
    host: 'be',
    needs: ['http.response'],
    dependsOn: ['nginx.process.running', 'backend.api.answers'],
    evaluate: (view) => {
      const seats = (['be', 'op', 'gw'] as const).filter((seat) => view.value('http.response', seat, 'public-api'));
      const seat = seats[0];
      if (!seat) return { state: 'unknown', detail: 'not probed' };
      const seen = view.value('http.response', seat, 'public-api');
      const status = seen?.status ?? null;
      const works = status !== null && status !== 426 && status < 500 && !(status >= 400 && misrouted(view));
      return verdictOf(view, works ? 'yes' : 'no', {
        fail: () => `GET ${apiPath(view.topology)} through nginx: ${seen?.status ?? seen?.outcome}`,
      });
    },
  },
  'gateway.process.running': {
    title: 'the gateway agent is running',
    hop: 'gateway',
    host: 'gw',
    needs: ['unit.state', 'docker.containers', 'process.state'],
    evaluate: (view) => {
      const runs = parts.runs(parts.gatewayPart).holds(view);
      // Under another unit's name the agent still runs: then the live link, not the unit's name, counts.
      const value = runs === 'no' && signs.gateway.linkUp.holds(view) === 'yes' ? 'yes' : runs;
      return verdictOf(view, value, {
        fail: (at) => `${parts.nameOf(at, parts.gatewayPart)} is ${parts.stateWords(at, parts.gatewayPart)}`,
      });
    },
  },
  'gateway.launcher.running': {
    title: 'the launcher that starts tasks is running',
    hop: 'canary',
    host: 'gw',
    needs: ['unit.state'],
    evaluate: (view) => {
      if (!parts.expectsLauncher(view)) return skipped('no launcher here');
      const active = (part: 'launcher' | 'launcher-socket') =>
        judge(view, ['unit.state', 'gw', part], (unit) => unit.activeState === 'active');
      return verdictOf(view, some([active('launcher'), active('launcher-socket')]), {
        fail: (at) => `${parts.nameOf(at, parts.launcherPart)} is ${parts.stateWords(at, parts.launcherPart)}`,
      });
    },
  },
});
