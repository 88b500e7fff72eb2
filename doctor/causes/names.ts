// Causes in name resolution on a gateway: a stale line of /etc/hosts, one that is not used, a dead resolver, a record that is not there.
import { allOf, anyOf, type CauseRule, causesOf, judge, not, sign, signs, type View } from '../engine/index.ts';
import { on, remedy } from './texts.ts';

const { gateway, parts } = signs;

const hostsLine = (view: View) => {
  const lines = view.value('host.hosts-file', 'gw') ?? [];
  return lines.find((line) => line.names.includes(view.topology.serverName)) ?? null;
};
const inHostsFile = sign(
  [
    (view) =>
      `/etc/hosts:${hostsLine(view)?.line ?? '?'} on ${parts.hostOf(view, 'gw')} says: ${hostsLine(view)?.text ?? ''}`,
    (view) => `no line in /etc/hosts of ${parts.hostOf(view, 'gw')} leads ${view.topology.serverName} there`,
  ],
  (view) =>
    judge(view, ['host.hosts-file', 'gw'], () => {
      const line = hostsLine(view);
      const answer = view.value('dns.answer', 'gw');
      if (!line) return 'no';
      return answer ? answer.addresses.includes(line.address) : 'unknown';
    }),
);

const resolution = (view: View, seat: 'gw' | 'op' | 'be') => {
  const answer = view.value('dns.answer', seat);
  const result = answer?.error ? `ends with "${answer.error}"` : `gives ${answer?.addresses.join(', ') || 'nothing'}`;
  return `looking up ${view.topology.serverName} on ${parts.hostOf(view, seat)} ${result}`;
};
const dnsError = (seat: 'gw' | 'op' | 'be', ...errors: readonly string[]) =>
  sign(
    [
      (view) =>
        `${parts.hostOf(view, seat)} cannot resolve ${view.topology.serverName} (${view.value('dns.answer', seat)?.error ?? ''})`,
      (view) => resolution(view, seat),
    ],
    (view) => judge(view, ['dns.answer', seat], (answer) => answer.error !== null && errors.includes(answer.error)),
  );
/** A line in somebody's /etc/hosts says nothing about DNS. */
const inDns = anyOf(
  ['the name exists in DNS', 'no resolver knows the name'],
  ...(['op', 'be'] as const).map(
    (seat) => (view: View) =>
      judge(view, ['dns.answer', seat], (answer) => answer.addresses.length > 0 && answer.source !== 'hosts-file'),
  ),
);
const resolverElsewhere = anyOf(
  'a resolver elsewhere answers',
  ...(['op', 'be'] as const).map(
    (seat) => (view: View) =>
      judge(
        view,
        ['dns.answer', seat],
        (answer) => answer.source !== 'hosts-file' && (answer.addresses.length > 0 || answer.error === 'nxdomain'),
      ),
  ),
);

/** The line is there and its host does not use it. */
const hostsLineIgnored = allOf(
  [
    (view) =>
      `/etc/hosts:${hostsLine(view)?.line ?? '?'} on ${parts.hostOf(view, 'gw')} names it (${hostsLine(view)?.text ?? ''}), and is not used`,
    (view) =>
      hostsLine(view) === null
        ? `/etc/hosts of ${parts.hostOf(view, 'gw')} does not name ${view.topology.serverName}`
        : resolution(view, 'gw'),
  ],
  (view) => judge(view, ['host.hosts-file', 'gw'], () => (hostsLine(view) === null ? 'no' : 'yes')),
  (view) => judge(view, ['dns.answer', 'gw'], (answer) => answer.error !== null),
);

export const nameCauses: readonly CauseRule[] = causesOf(
  { layer: 'network', hop: 'dns', host: 'gw', predicts: ['network.name.resolves'] },
  {
    'NET-01': {
      name: 'hosts override on the gateway',
      title: (view) =>
        `a line in /etc/hosts of ${parts.hostOf(view, 'gw')} sends ${view.topology.serverName} elsewhere`,
      necessary: [gateway.nameLeadsElsewhere, inHostsFile],
      forbids: [gateway.gatewayUpgrades],
      lookalikes: { 'TLS-03': gateway.nameLeadsElsewhere, 'NET-14': gateway.nameLeadsElsewhere },
      remedy: (view) =>
        remedy(
          'remove or correct the line',
          on(
            view,
            'gw',
            `sed -n ${hostsLine(view)?.line ?? 1}p /etc/hosts`,
            `getent ahosts ${view.topology.serverName}`,
          ),
        ),
      help: `A forgotten override on the gateway: DNS is right for everyone else, but this host connects to another machine, whose certificate or closed port then gets the blame.`,
    },
    'NET-02': {
      name: 'resolver dead',
      title: (view) => `the resolver of ${parts.hostOf(view, 'gw')} does not answer`,
      necessary: [dnsError('gw', 'temporary', 'timeout')],
      signature: [resolverElsewhere],
      forbids: [hostsLineIgnored],
      // No upgrade refutes it: where the name does not resolve, the rest of the way is probed by address.
      lookalikes: { 'NET-03': dnsError('gw', 'temporary', 'timeout') },
      remedy: (view) =>
        remedy(
          'restore the resolver',
          on(view, 'gw', 'cat /etc/resolv.conf', `getent ahosts ${view.topology.serverName}`),
        ),
      help: `Name resolution itself fails on the gateway (EAI_AGAIN); the name exists. By address the same host would connect: the network is fine.`,
    },
    'NET-03': {
      name: 'name does not exist',
      host: 'be',
      title: (view) => `the name ${view.topology.serverName} does not exist`,
      necessary: [
        dnsError('gw', 'nxdomain'),
        anyOf('and it exists nowhere else', dnsError('op', 'nxdomain'), dnsError('be', 'nxdomain')),
        not(inDns),
      ],
      forbids: [hostsLineIgnored],
      lookalikes: { 'NET-02': dnsError('gw', 'nxdomain') },
      remedy: (view) => remedy(`add the record ${view.topology.serverName} → the backend's public address`),
      help: `The record is missing from DNS itself: every resolver says so, not only the gateway's.`,
    },
    'NET-17': {
      name: '/etc/hosts not used',
      title: (view) =>
        `${parts.hostOf(view, 'gw')} has ${view.topology.serverName} in /etc/hosts and does not look there`,
      necessary: [hostsLineIgnored],
      lookalikes: { 'NET-02': hostsLineIgnored, 'NET-03': hostsLineIgnored },
      remedy: (view) =>
        remedy(
          'let name resolution read files first ("hosts: files dns"), and make /etc/hosts world-readable',
          on(
            view,
            'gw',
            'grep ^hosts /etc/nsswitch.conf',
            'ls -l /etc/hosts',
            `getent ahosts ${view.topology.serverName}`,
          ),
        ),
      help: `The name is in /etc/hosts but still does not resolve: nsswitch.conf does not name "files", the line is garbled, or the file is not world-readable. No resolver is involved, so none is to blame.`,
    },
  },
);
