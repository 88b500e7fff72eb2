// Faults of names, packet filters and certificates between the two hosts, and noise that has nothing to do with any of it.
import { issueCertificate } from '../certificates.ts';
import { changeVhost, configOf, gatewayUnit, restartGateway, vhostBack } from '../places.ts';
import { serverName } from '../seed.ts';
import { gatewayConnected, healthy, upgradeDirect, upgradeThroughNginx } from '../witness.ts';
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

const onlyGatewayCut: Break['witness'] = async (bench) =>
  (await upgradeThroughNginx(bench)) === 101 && !(await gatewayConnected(bench))
    ? 'this machine gets 101, the gateway has no connection'
    : undefined;

/** nginx serves another certificate of the same authority. */
function certificateBreak(
  id: string,
  what: string,
  wish: { readonly name: string; readonly shiftDays?: number },
): Break {
  const file = '/etc/ssl/private/agents.pem';
  return {
    id,
    what,
    form: 'systemd',
    inject: async (bench) => {
      const issued = await issueCertificate({ dir: bench.dir, ...wish });
      await bench.write('be1', file, issued.certificatePem + issued.keyPem);
      await changeVhost(bench, (text) => text.replace(/(ssl_certificate(?:_key)?\s+)[^;]+;/g, `$1${file};`));
    },
    witness: async (bench) => {
      const served = await bench.run(
        'be1',
        `echo | openssl s_client -connect 127.0.0.1:443 -servername ${serverName} 2>/dev/null | openssl x509 -noout -dates -ext subjectAltName`,
      );
      return !(await gatewayConnected(bench)) ? `nginx serves ${served.trim().replaceAll(/\s+/g, ' ')}` : undefined;
    },
    mend: vhostBack,
  };
}

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
    id: 'NET-03',
    what: 'nobody knows the public name',
    form: 'systemd',
    inject: async (bench) => {
      for (const host of ['be1', 'gw1'] as const) {
        await bench.write(
          host,
          '/etc/hosts',
          (await bench.read(host, '/etc/hosts')).replace(' agents.example.test', ''),
        );
      }
      await restartGateway(bench);
    },
    witness: async (bench) =>
      (await bench.attempt('gw1', 'getent hosts agents.example.test')).code !== 0
        ? 'the name does not resolve'
        : undefined,
    mend: restartGateway,
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
  certificateBreak('TLS-01', 'the certificate has expired', { name: serverName, shiftDays: -400 }),
  certificateBreak('TLS-03', 'the certificate is for another name', { name: 'www.example.test' }),
  certificateBreak('OTHER-NOT-YET-VALID', 'the certificate is valid from the day after tomorrow on', {
    name: serverName,
    shiftDays: 2,
  }),
  {
    id: 'TLS-05',
    what: 'the gateway does not know the authority that signed the certificate',
    form: 'systemd',
    inject: async (bench) => {
      const config = await configOf(bench, 'gw1', gatewayUnit);
      const file = (await bench.run('gw1', `sed -n 's/^trust_file *= *"\\(.*\\)"/\\1/p' ${config}`)).trim();
      if (!file) throw new Error(`${config} names no trust_file`);
      const other = await bench.run(
        'gw1',
        'openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=Another CA" -keyout /dev/null 2>/dev/null',
      );
      await bench.write('gw1', file, other);
      await restartGateway(bench);
    },
    witness: onlyGatewayCut,
    mend: restartGateway,
  },
];

const yesterdaysErrors = `day=$(date -d yesterday +%Y/%m/%d)
for minute in 10 11 12 13 14; do
  echo "$day 03:$minute:00 [error] 99#99: *7 connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.77, server: agents.example.test, request: \\"GET /ws/agent HTTP/1.1\\", upstream: \\"http://127.0.0.1:8081/ws/agent\\", host: \\"agents.example.test\\"" >> /var/log/nginx/error.log
done`;

const scanners = `for path in /wp-login.php /.env /ws /phpmyadmin/; do
  echo "192.0.2.66 - - [$(date +%d/%b/%Y:%H:%M:%S) +0000] \\"GET $path HTTP/1.1\\" 404 153 \\"-\\" \\"scanner\\"" >> /var/log/nginx/access.log
done`;

/** Noise on a host that works. The witness: the noise is there, and an upgrade gives 101 all the same. */
function noise(trap: {
  readonly id: string;
  readonly what: string;
  readonly host: Host;
  readonly make: string;
  readonly there: string;
  readonly undo: string;
}): Break {
  return {
    id: trap.id,
    what: trap.what,
    form: 'systemd',
    inject: async (bench) => {
      await bench.run(trap.host, trap.make);
    },
    witness: async (bench) => {
      const there = (await bench.attempt(trap.host, trap.there)).code === 0;
      return there && (await healthy(bench)) ? 'it is there, and all is well' : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(trap.host, trap.undo);
    },
  };
}

export const noiseTraps: readonly Break[] = [
  noise({
    id: 'TRAP-OLD-ERRORS',
    what: "yesterday's errors are still in nginx's error log",
    host: 'be1',
    make: yesterdaysErrors,
    there: 'grep -q "connect() failed" /var/log/nginx/error.log',
    undo: "sed -i '/99#99: \\*7 connect/d' /var/log/nginx/error.log; systemctl kill -s USR1 nginx",
  }),
  noise({
    id: 'TRAP-SCANNERS',
    what: "scanners' 404s are in the access log",
    host: 'be1',
    make: scanners,
    there: 'grep -q scanner /var/log/nginx/access.log',
    undo: 'sed -i \'/"scanner"/d\' /var/log/nginx/access.log; systemctl kill -s USR1 nginx',
  }),
  noise({
    id: 'TRAP-FAILED-UNIT',
    what: 'a unit that has nothing to do with it has failed',
    host: 'be1',
    make: 'systemd-run -q --unit=nightly-backup /bin/false; sleep 0.2',
    there: 'systemctl is-failed -q nightly-backup',
    undo: 'systemctl reset-failed nightly-backup',
  }),
  noise({
    id: 'TRAP-NO-IPV6',
    what: 'IPv6 is off on the gateway host',
    host: 'gw1',
    make: 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6',
    there: 'grep -q 1 /proc/sys/net/ipv6/conf/all/disable_ipv6',
    undo: 'echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6',
  }),
  noise({
    id: 'TRAP-LOAD',
    what: 'the backend host is busy with a backup',
    host: 'be1',
    make: 'systemd-run -q --unit=busy-backup --nice=19 /bin/sh -c "while :; do :; done"',
    there: 'systemctl is-active -q busy-backup',
    undo: 'systemctl stop busy-backup',
  }),
];

/** What the management plane may do to the doctor's sight; traffic flows on. */
export const sshBreaks: readonly Break[] = [
  {
    id: 'SSH-02',
    what: 'the backend host shows another host key',
    form: 'systemd',
    inject: async (bench) => {
      await bench.write('be1', '/etc/ssh/sshd_config.d/lab.conf', 'HostKey /etc/ssh/lab_other_key\n');
      await bench.run(
        'be1',
        "rm -f /etc/ssh/lab_other_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/lab_other_key; systemctl restart ssh",
      );
    },
    witness: async (bench) =>
      (
        await bench.attempt(
          'be1',
          'ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | grep -qF "$(cut -d" " -f2 /etc/ssh/lab_other_key.pub)"',
        )
      ).code === 0
        ? 'sshd shows the other key'
        : undefined,
    mend: async (bench) => {
      await bench.run('be1', 'rm -f /etc/ssh/lab_other_key /etc/ssh/lab_other_key.pub; systemctl restart ssh');
    },
  },
  {
    id: 'SSH-03',
    what: 'sshd allows one session a connection',
    form: 'systemd',
    inject: async (bench) => {
      await bench.write('be1', '/etc/ssh/sshd_config.d/lab.conf', 'MaxSessions 1\n');
      await bench.run('be1', 'systemctl restart ssh');
    },
    witness: async (bench) =>
      (await bench.run('be1', 'sshd -T')).includes('maxsessions 1\n') ? 'sshd -T says maxsessions 1' : undefined,
    mend: async (bench) => {
      await bench.run('be1', 'systemctl restart ssh');
    },
  },
];
