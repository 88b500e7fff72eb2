// Ways in which many facts are missing at once: an ordinary user, a host that cannot be seen, a network-only look.
import { type Fact, type Reading, unknown } from '../../../doctor/engine/index.ts';

type Blindness = (fact: Fact) => Reading<unknown> | null;

const denied = unknown('no-permission');
const gone = unknown('unreachable', 'no SSH');
const onHost = (fact: Fact, host: 'be' | 'gw') => fact.vantage.startsWith(host);

const ordinaryUser: Blindness = (fact) => {
  if (['log.tail', 'nginx.test', 'firewall.rules', 'tls.disk-certificate', 'docker.containers'].includes(fact.key))
    return denied;
  if (fact.vantage === 'be/ns:agent' || fact.vantage === 'be/ns:nginx') return denied;
  if (fact.key === 'tcp.listeners' && fact.reading.status === 'known') {
    const value = fact.reading.value.map((row) => ({
      ...row,
      pid: null,
      process: null,
      unit: null,
      ownership: 'unknown' as const,
    }));
    return { status: 'known', value };
  }
  if (fact.key === 'process.state' && fact.reading.status === 'known' && fact.reading.value.running) {
    return { status: 'known', value: { ...fact.reading.value, binaryDeleted: null, openFiles: null } };
  }
  return null;
};

/** What a vantage needs: the host itself for facts on it, an SSH forward for dials from it. */
export const blindness: Readonly<Record<string, Blindness>> = {
  'looked at by an ordinary user': ordinaryUser,
  'the backend host cannot be seen': (fact) => (onHost(fact, 'be') ? gone : null),
  'the gateway host cannot be seen': (fact) => (onHost(fact, 'gw') ? gone : null),
  'neither host can be seen': (fact) => (onHost(fact, 'be') || onHost(fact, 'gw') ? gone : null),
  'no forwards are allowed': (fact) =>
    fact.vantage !== 'op' &&
    ['ws.upgrade', 'http.response', 'tcp.connect', 'tls.certificate', 'tcp.queue'].includes(fact.key)
      ? unknown('forward-forbidden')
      : null,
  'there is no token': (fact) => (fact.key === 'registry.entry' || fact.key === 'canary' ? unknown('no-token') : null),
  'no log can be read': (fact) => (fact.key === 'log.tail' ? denied : null),
  'no configuration can be read': (fact) => (fact.key === 'agent.config' || fact.key === 'nginx.files' ? denied : null),
};
