// Things that look wrong to a folk rule, and work: a healthy installation stays healthy with each of them.
import { changeVhost, gatewayUnit, restartGateway, vhostBack } from '../places.ts';
import { editLocation, inTlsServer, withDirective, withoutDirective } from '../vhost.ts';
import { gatewayConnected, healthy, unit, upgradeThroughNginx } from '../witness.ts';
import type { Break } from './break.ts';

const inWs = (edit: (body: string) => string) => (text: string) => editLocation(text, '/ws/', edit);

const withHttp2 = (text: string) =>
  /^\s*(http2\s+on;|listen[^;]*\bhttp2\b)/m.test(text)
    ? `${text}\n# HTTP/2 was on already\n`
    : text.replace(/listen([^;]*)\bssl\b/g, 'listen$1ssl http2');

/** A vhost with a peculiarity. Its witness: an upgrade gives 101, and the gateway has connected anew through it. */
function routeTrap(id: string, what: string, edit: (text: string) => string): Break {
  return {
    id,
    what,
    form: 'systemd',
    inject: async (bench) => {
      await changeVhost(bench, edit);
      await restartGateway(bench);
    },
    witness: async (bench) => {
      const connected = await bench.run(
        'gw1',
        `systemctl is-active ${gatewayUnit}; ss -Htn state established 'dport = :443'`,
      );
      const outcome = await upgradeThroughNginx(bench);
      return outcome === 101 && connected.includes(':443')
        ? 'an upgrade gives 101, and the gateway is connected'
        : undefined;
    },
    mend: vhostBack,
  };
}

export const nginxTraps: readonly Break[] = [
  routeTrap(
    'TRAP-CONNECTION-FIXED',
    'Connection is the fixed word "upgrade"',
    inWs((body) =>
      withDirective(withoutDirective(body, 'proxy_set_header', 'Connection'), 'proxy_set_header Connection "upgrade";'),
    ),
  ),
  routeTrap('TRAP-NO-HTTP-VERSION', 'proxy_http_version is not set in /ws/', (text) =>
    withoutDirective(text, 'proxy_http_version'),
  ),
  routeTrap('TRAP-HTTP2', 'the listener speaks HTTP/2 too', withHttp2),
  routeTrap('TRAP-TLS13', 'TLS 1.3 only', (text) =>
    inTlsServer(withoutDirective(text, 'ssl_protocols'), 'ssl_protocols TLSv1.3;'),
  ),
  routeTrap(
    'TRAP-BUFFERING',
    'proxy_buffering is on in /ws/',
    inWs((body) => withDirective(withoutDirective(body, 'proxy_buffering'), 'proxy_buffering on;')),
  ),
  routeTrap(
    'TRAP-OTHER-VHOST',
    'another server block with another name sends its /ws/ to 8080',
    (text) =>
      `${text}\nserver {\n  listen 443 ssl;\n  server_name shop.example.test;\n  ${text
        .match(/ssl_certificate(_key)?\s[^;]*;/g)
        ?.slice(0, 2)
        .join(' ')}\n  location / { proxy_pass http://127.0.0.1:8080; }\n}\n`,
  ),
  routeTrap(
    'TRAP-NGINX-WARNING',
    'nginx -t warns of a name that two other blocks share',
    (text) =>
      `${text}\nserver { listen 80; server_name old.example.test; return 204; }\nserver { listen 80; server_name old.example.test; return 204; }\n`,
  ),
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
  readonly host: 'be1' | 'gw1';
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
  noise({
    id: 'TRAP-NO-SS',
    what: 'the backend host has no ss',
    host: 'be1',
    make: 'mv /usr/bin/ss /usr/bin/ss.away; mv /bin/ss /bin/ss.away 2>/dev/null; true',
    there: '! command -v ss',
    undo: 'mv /usr/bin/ss.away /usr/bin/ss 2>/dev/null; mv /bin/ss.away /bin/ss 2>/dev/null; true',
  }),
  {
    id: 'TRAP-SYS-04',
    what: "the gateway's unit goes by its other name, viworks-agent.service",
    form: 'systemd',
    inject: async (bench) => {
      const text = await bench.run('gw1', `systemctl stop ${gatewayUnit}; cat /etc/systemd/system/${gatewayUnit}`);
      const found = `find /etc/systemd/system -name '${gatewayUnit}' -o -name viworks-agent.service`;
      for (const file of (await bench.run('gw1', found)).split('\n').filter(Boolean)) await bench.remove('gw1', file);
      await bench.write('gw1', '/etc/systemd/system/viworks-agent.service', text.replace(/^Alias=.*\n/m, ''));
      await bench.run(
        'gw1',
        'systemctl daemon-reload; systemctl reset-failed; systemctl start --no-block viworks-agent.service',
      );
    },
    witness: async (bench) => {
      const named = await unit(bench, 'gw1', gatewayUnit);
      return named.LoadState === 'not-found' && (await gatewayConnected(bench))
        ? 'no unit of the usual name, and the gateway is connected'
        : undefined;
    },
    mend: async (bench) => {
      await bench.attempt(
        'gw1',
        'for pid in $(systemctl show -P MainPID viworks-agent.service); do [ "$pid" -gt 1 ] && kill $pid; done; sleep 0.5',
      );
      await restartGateway(bench);
    },
  },
];
