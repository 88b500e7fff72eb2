// Checks on the agents' own protocol: HELLO is answered, the link is held, the registry agrees, a command comes back.
import { type Check, checksOf, judge, negate, signs, type Tri, type Verdict, type View } from '../engine/index.ts';
import { expectSign, skipped, verdictOf } from './outcome.ts';

const { gateway, parts } = signs;

/** Neither an outage nor healthy: an agent that just started has yet to connect. */
const starting: Verdict = { state: 'unknown', detail: 'the agent was started seconds ago; look again in a moment' };

/** Within its first seconds an agent may still be dialling; calling that an outage would be a false alarm. */
function justStarted(view: View): boolean {
  const running = parts.runs(parts.gatewayPart).holds(view) === 'yes';
  return running && parts.startedWithin(parts.gatewayPart, 10).holds(view) === 'yes';
}

/** Who gave no token did not ask. One that was refused (token-refused) is another thing: it was asked, and there is no answer. */
function withoutToken(detail: string): Verdict {
  return skipped(detail || 'no token');
}

export const agentChecks: readonly Check[] = checksOf({
  'agents.hello.answered': {
    title: 'the backend answers after the upgrade',
    hop: 'hello',
    host: 'be',
    needs: ['ws.upgrade'],
    dependsOn: ['backend.agents.upgrades'],
    evaluate: (view) => {
      if (view.topology.kind !== 'viworks') return skipped('not a viworks installation');
      const answered = judge(view, ['ws.upgrade', 'be', 'direct'], (seen): Tri => {
        if (!signs.backend.upgraded(seen)) return 'unknown';
        if (seen.hello === 'silent' || seen.challenged === false) return 'no';
        return seen.challenged === true || seen.hello !== 'not-sent' ? 'yes' : 'unknown';
      });
      return verdictOf(view, answered, { fail: () => 'connected, and nothing comes' });
    },
  },
  'agents.link.up': {
    title: 'the gateway holds a live link to the backend',
    hop: 'heartbeat',
    host: 'gw',
    needs: ['gateway.health', 'registry.entry', 'tcp.connections'],
    dependsOn: [
      'gateway.process.running',
      'network.name.resolves',
      'network.public.connects',
      'network.tls.verifies',
      'network.agents.upgrades',
      'nginx.agents.upgrades',
      'gateway.url.upgrades',
      'agents.hello.answered',
      // Where nothing was dialled, so that nothing would be started, the backend's own state has to speak.
      'backend.process.running',
    ],
    required: true,
    evaluate: (view) => {
      const up = gateway.linkUp.holds(view);
      if (up === 'no' && justStarted(view)) return starting;
      return verdictOf(view, up, { fail: (at) => `${at.gateway?.id ?? 'gateway'} has no link` });
    },
  },
  'agents.link.steady': {
    title: 'the link stays up',
    hop: 'heartbeat',
    host: 'gw',
    needs: ['log.tail', 'registry.entry'],
    dependsOn: ['gateway.process.running', 'backend.process.running', 'nginx.process.running'],
    required: true,
    evaluate: (view) => {
      const flapping = signs.sessions.flapping.holds(view);
      if (flapping !== 'unknown')
        return verdictOf(view, negate(flapping), { fail: (at) => `flapping: ${signs.sessions.rateText(at)}` });
      const age = signs.sessions.age(view);
      if (!age) return skipped('neither a log nor the registry says how long its sessions last');
      if (age.steady) return { state: 'pass', detail: age.text };
      return {
        state: 'unknown',
        detail: `${age.text}, and the logs that say how often this happens could not be read`,
      };
    },
  },
  'agents.registry.online': {
    title: 'the backend lists the gateway as online',
    hop: 'registry',
    per: 'gateway',
    host: 'be',
    needs: ['registry.entry'],
    dependsOn: ['agents.link.up', 'gateway.process.running', 'backend.api.answers'],
    required: true,
    evaluate: (view) => {
      const reading = view.gateway ? view.read('registry.entry', 'op', view.gateway.id) : null;
      if (!reading || reading.status === 'not-applicable') return skipped('this installation has no registry');
      if (reading.status === 'unknown' && reading.reason === 'no-token') return withoutToken(reading.detail);
      if (gateway.registryOffline.holds(view) === 'yes' && justStarted(view)) {
        return starting;
      }
      return expectSign(gateway.registryOnline, {
        fail: () => (reading.status === 'known' && reading.value.listed ? reading.value.state : 'not listed'),
      })(view);
    },
  },
  'agents.canary.returns': {
    title: "a canary command's exit code and bytes come back",
    hop: 'canary',
    host: 'gw',
    needs: ['canary'],
    dependsOn: [
      'agents.registry.online',
      'agents.link.up',
      'gateway.launcher.running',
      // Its bytes take the same way; a link that is just being cut may still be listed.
      'nginx.agents.upgrades',
      'network.agents.upgrades',
      'backend.api.answers',
    ],
    required: true,
    evaluate: (view) => {
      const reading = view.gateway ? view.read('canary', 'op', view.gateway.id) : null;
      if (!reading || reading.status === 'not-applicable') return skipped('not a viworks installation');
      if (reading.status === 'unknown') {
        return reading.reason === 'no-token'
          ? withoutToken(reading.detail)
          : { state: 'unknown', detail: reading.detail };
      }
      const { outcome, code, message } = reading.value;
      if (outcome === 'offline' && justStarted(view)) {
        return starting;
      }
      return verdictOf(view, outcome === 'ok' ? 'yes' : 'no', {
        fail: () => [code ?? outcome, message].filter(Boolean).join(': '),
      });
    },
  },
});
