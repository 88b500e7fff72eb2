// Checks on the way from a gateway to the public port: name, TCP, TLS, and the upgrade from there.
import { type Check, checksOf, judge, signs, type View } from '../engine/index.ts';
import { expectSign, skipped, verdictOf } from './outcome.ts';

const { backend, gateway } = signs;

const describeUpgrade = (view: View, target: 'public' | 'public-agent-path') => {
  const seen = view.value('ws.upgrade', 'gw', target);
  return `${seen?.path ?? ''}: ${seen?.status ?? seen?.tlsError ?? seen?.ended ?? 'no answer'}`;
};

export const networkChecks: readonly Check[] = checksOf({
  'network.name.resolves': {
    title: 'the server name leads the gateway to the backend',
    hop: 'dns',
    host: 'gw',
    needs: ['dns.answer', 'host.addresses'],
    evaluate: (view) => {
      const reading = view.read('dns.answer', 'gw');
      if (reading.status === 'unknown') return { state: 'unknown', detail: 'not asked' };
      if (reading.status === 'not-applicable') return skipped(reading.why);
      const { name, error, addresses } = reading.value;
      if (error !== null || addresses.length === 0)
        return { state: 'fail', detail: `${name}: ${error ?? 'no address'}` };
      // The address may be a load balancer's: an address that works is a right one.
      if (gateway.gatewayUpgrades.holds(view) === 'yes') return { state: 'pass', detail: addresses.join(', ') };
      const elsewhere = gateway.nameLeadsElsewhere.holds(view);
      if (elsewhere === 'yes') return { state: 'fail', detail: gateway.nameLeadsElsewhere.claim(view) };
      return { state: 'pass', detail: addresses.join(', ') };
    },
  },
  'network.public.connects': {
    title: 'the gateway can connect to the public port',
    hop: 'tcp',
    host: 'gw',
    needs: ['tcp.connect'],
    dependsOn: ['network.name.resolves', 'nginx.process.running'],
    evaluate: (view) => {
      const connected = judge(view, ['tcp.connect', 'gw', 'public'], (seen) => seen.outcome === 'connected');
      return verdictOf(view, connected, {
        fail: (at) => {
          const seen = at.value('tcp.connect', 'gw', 'public');
          return `${seen?.address ?? ''}:${at.topology.publicPort}: ${seen?.outcome ?? 'no answer'}`;
        },
      });
    },
  },
  'network.tls.verifies': {
    title: 'the gateway accepts the certificate that is served',
    hop: 'tls',
    host: 'gw',
    needs: ['tls.certificate'],
    dependsOn: ['network.public.connects'],
    evaluate: (view) => {
      if (view.topology.url.startsWith('ws:')) return skipped('the installation has no TLS');
      const good = judge(
        view,
        ['tls.certificate', 'gw', 'public'],
        (seen) => seen.handshake === 'ok' && seen.verification === 'OK',
      );
      return verdictOf(view, good, {
        fail: (at) => {
          const seen = at.value('tls.certificate', 'gw', 'public');
          return seen?.handshake === 'ok' ? seen.verification : (seen?.error ?? seen?.handshake ?? '');
        },
      });
    },
  },
  'network.agents.upgrades': {
    title: 'an upgrade from the gateway host gets 101',
    hop: 'upgrade',
    host: 'gw',
    needs: ['ws.upgrade'],
    dependsOn: ['network.tls.verifies', 'network.public.connects', 'network.name.resolves', 'nginx.agents.upgrades'],
    evaluate: expectSign(gateway.gatewayUpgrades, { fail: (view) => describeUpgrade(view, 'public') }),
  },
  'gateway.url.upgrades': {
    title: "an upgrade to the URL in the gateway's configuration gets 101",
    hop: 'gateway',
    host: 'gw',
    needs: ['ws.upgrade', 'agent.config'],
    dependsOn: ['network.agents.upgrades', 'nginx.agents.upgrades'],
    evaluate: (view) => {
      const elsewhere = view.read('ws.upgrade', 'gw', 'agent-url');
      if (elsewhere.status === 'known') {
        const { url, status, tlsError, ended } = elsewhere.value;
        return verdictOf(view, backend.upgraded(elsewhere.value) ? 'yes' : 'no', {
          fail: () => `${url}: ${status ?? tlsError ?? ended}`,
        });
      }
      const reading = view.read('ws.upgrade', 'gw', 'public-agent-path');
      if (reading.status !== 'known') return skipped('the configuration asks for the canonical URL, or was not read');
      return verdictOf(view, backend.upgraded(reading.value) ? 'yes' : 'no', {
        fail: (at) => describeUpgrade(at, 'public-agent-path'),
      });
    },
  },
});
