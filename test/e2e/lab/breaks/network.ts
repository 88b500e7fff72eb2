// Faults of names and packet filters between the two hosts.
import { restartGateway } from '../places.ts';
import { gatewayConnected, upgradeDirect, upgradeThroughNginx } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';

type Host = 'be1' | 'gw1';

/** A packet filter rule, put first; connections that stand are cut by it as well. */
function filterBreak(fault: {
  readonly id: string;
  readonly what: string;
  readonly host: Host;
  readonly rule: (bench: Workbench) => string;
  readonly witness: Break['witness'];
}): Break {
  return {
    id: fault.id,
    what: fault.what,
    form: 'systemd',
    inject: async (bench) => {
      await bench.run(fault.host, `iptables -I ${fault.rule(bench)}`);
      await restartGateway(bench);
    },
    witness: fault.witness,
    mend: async (bench) => {
      await bench.attempt(fault.host, `iptables -D ${fault.rule(bench)}`);
      await restartGateway(bench);
    },
  };
}

/** From here all is well; only the gateway is cut off. */
export const onlyGatewayCut: Break['witness'] = async (bench) =>
  (await upgradeThroughNginx(bench)) === 101 && !(await gatewayConnected(bench))
    ? 'this machine gets 101, the gateway has no connection'
    : undefined;

async function forgetName(bench: Workbench): Promise<void> {
  await bench.write('gw1', '/etc/hosts', (await bench.read('gw1', '/etc/hosts')).replace(' agents.example.test', ''));
}

/** A resolver that answers every question with NXDOMAIN. */
const nameless = `use strict; use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.53', LocalPort => 53, Proto => 'udp') or die "$!";
while (defined $socket->recv(my $query, 512)) {
  my ($id) = unpack 'n', $query;
  $socket->send(pack('n6', $id, 0x8183, 1, 0, 0, 0) . substr($query, 12));
}
`;

export const networkBreaks: readonly Break[] = [
  {
    id: 'NET-01',
    what: "a stale line in the gateway's /etc/hosts",
    form: 'systemd',
    inject: async (bench) => {
      const hosts = await bench.read('gw1', '/etc/hosts');
      await bench.write(
        'gw1',
        '/etc/hosts',
        `${bench.addresses.gw1} agents.example.test # moved in March\n${hosts.replace(' agents.example.test', '')}`,
      );
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const resolved = (await bench.run('gw1', 'getent hosts agents.example.test')).split(/\s+/)[0];
      return resolved === bench.addresses.gw1 && !(await gatewayConnected(bench))
        ? `the name resolves to ${resolved} on the gateway`
        : undefined;
    },
    mend: restartGateway,
  },
  {
    id: 'NET-02',
    what: "the gateway's resolver is dead",
    form: 'systemd',
    inject: async (bench) => {
      await forgetName(bench);
      await bench.write('gw1', '/etc/resolv.conf', 'nameserver 127.0.0.53\noptions timeout:1 attempts:1\n');
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const resolved = await bench.attempt('gw1', 'getent hosts agents.example.test');
      const silent = (await bench.run('gw1', "ss -Hlun 'sport = :53'")).trim() === '';
      return resolved.code !== 0 && silent && !(await gatewayConnected(bench))
        ? 'the name does not resolve, and no resolver listens'
        : undefined;
    },
    mend: restartGateway,
  },
  {
    id: 'NET-03',
    what: 'a resolver answers that the public name does not exist',
    form: 'systemd',
    inject: async (bench) => {
      await forgetName(bench);
      await bench.write('gw1', '/etc/resolv.conf', 'nameserver 127.0.0.53\noptions timeout:1 attempts:1\n');
      await bench.write('gw1', '/run/lab-resolver.pl', nameless);
      await bench.run('gw1', 'systemd-run -q --unit=stub-resolver /usr/bin/perl /run/lab-resolver.pl');
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const resolved = await bench.attempt('gw1', 'getent hosts agents.example.test');
      const listens = (await bench.run('gw1', "ss -Hlun 'sport = :53'")).trim() !== '';
      return resolved.code === 2 && listens && !(await gatewayConnected(bench))
        ? 'the resolver answers, and does not know the name'
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('gw1', 'systemctl stop stub-resolver; systemctl reset-failed stub-resolver');
      await restartGateway(bench);
    },
  },
  filterBreak({
    id: 'NET-05',
    what: '443 is dropped on the way from the gateway only',
    host: 'be1',
    rule: (bench) => `INPUT -p tcp -s ${bench.addresses.gw1} --dport 443 -j DROP`,
    witness: onlyGatewayCut,
  }),
  filterBreak({
    id: 'NET-06',
    what: 'the gateway rejects its own way out to 443',
    host: 'gw1',
    rule: () => 'OUTPUT -p tcp --dport 443 -j REJECT --reject-with tcp-reset',
    witness: onlyGatewayCut,
  }),
  filterBreak({
    id: 'NET-07',
    what: '8081 is dropped on the backend host',
    host: 'be1',
    rule: () => 'INPUT -p tcp --dport 8081 -j DROP',
    witness: async (bench) =>
      (await upgradeDirect(bench)) === 'silent' ? 'a dial of 8081 on the host itself is never answered' : undefined,
  }),
  filterBreak({
    id: 'NET-08',
    what: '8081 is rejected on the backend host',
    host: 'be1',
    rule: () => 'INPUT -p tcp --dport 8081 -j REJECT --reject-with tcp-reset',
    witness: async (bench) =>
      (await upgradeDirect(bench)) === 'refused' ? 'a dial of 8081 is refused, though a socket listens' : undefined,
  }),
];
