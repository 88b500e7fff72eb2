// Faults of rules that tell packets apart by their owner, of redirects, and of the wait that follows a refusal.
import { changeVhost, gatewayUnit, reloadNginx, restartGateway, vhostBack } from '../places.ts';
import { editLocation } from '../vhost.ts';
import { gatewayConnected, upgradeDirect, upgradeThroughNginx } from '../witness.ts';
import type { Workbench } from '../workbench.ts';
import type { Break } from './break.ts';
import { onlyGatewayCut } from './network.ts';

/** One rule, put first in its chain; what stands is cut by a restart of the agent. */
function ruleBreak(fault: {
  readonly id: string;
  readonly what: string;
  readonly host: 'be1' | 'gw1';
  /** The table, the chain, and the rule. */
  readonly rule: (bench: Workbench) => readonly [table: string, rule: string];
  readonly witness: Break['witness'];
  readonly answer?: Break['answer'];
}): Break {
  const iptables = async (bench: Workbench, verb: '-I' | '-D') => {
    const [table, rule] = fault.rule(bench);
    return bench.attempt(fault.host, `iptables -t ${table} ${verb} ${rule}`);
  };
  return {
    id: fault.id,
    what: fault.what,
    form: 'systemd',
    ...(fault.answer ? { answer: fault.answer } : {}),
    inject: async (bench) => {
      await iptables(bench, '-I');
      await restartGateway(bench);
    },
    witness: fault.witness,
    mend: async (bench) => {
      await iptables(bench, '-D');
      await restartGateway(bench);
    },
  };
}

/** The agent connects, and the rule is there. */
const harmless: Break['witness'] = async (bench) =>
  (await gatewayConnected(bench)) && (await upgradeThroughNginx(bench)) === 101
    ? 'the rule is in, and the gateway is connected'
    : undefined;

/** Says 101 with the right accept key and closes with 4105 at once. */
const rudeServer = String.raw`
const { createHash } = require('node:crypto');
require('node:http').createServer().on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  socket.write(['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
    'Sec-WebSocket-Accept: ' + createHash('sha1').update(key).digest('base64'),
    'Sec-WebSocket-Protocol: ' + request.headers['sec-websocket-protocol'], '', ''].join('\r\n'));
  socket.write(Buffer.from([0x88, 2, 4105 >> 8, 4105 & 255]));
  setTimeout(() => socket.destroy(), 300);
}).listen(8099, '127.0.0.1');
`;

export const networkRuleBreaks: readonly Break[] = [
  ruleBreak({
    id: 'NET-19',
    what: "the gateway rejects what its agent's user sends to 443, and nobody else's",
    host: 'gw1',
    rule: () => [
      'filter',
      'OUTPUT -p tcp --dport 443 -m owner --uid-owner viworks-gateway -j REJECT --reject-with tcp-reset',
    ],
    witness: onlyGatewayCut,
  }),
  ruleBreak({
    id: 'NET-20',
    what: "the gateway's connections to 443 are sent to another port by its own nat table",
    host: 'gw1',
    rule: (bench) => ['nat', `OUTPUT -p tcp --dport 443 -j DNAT --to-destination ${bench.addresses.be1}:22`],
    witness: onlyGatewayCut,
  }),
  ruleBreak({
    id: 'NET-20-IN',
    what: 'the backend host redirects what comes from the gateway to 443 to a closed port',
    host: 'be1',
    rule: (bench) => ['nat', `PREROUTING -s ${bench.addresses.gw1} -p tcp --dport 443 -j REDIRECT --to-ports 9443`],
    witness: onlyGatewayCut,
    answer: { kind: 'cause', code: 'NET-20' },
  }),
  ruleBreak({
    id: 'NET-21',
    what: "the backend host's own connections to 8081 are sent to 8080",
    host: 'be1',
    rule: () => ['nat', 'OUTPUT -d 127.0.0.1 -p tcp --dport 8081 -j REDIRECT --to-ports 8080'],
    witness: async (bench) => {
      const direct = await upgradeDirect(bench);
      return direct !== 101 && !(await gatewayConnected(bench)) ? `a dial of 8081 gets ${direct}` : undefined;
    },
  }),
  ruleBreak({
    id: 'NET-11',
    what: 'the backend host drops six of ten packets from the gateway to 443',
    host: 'be1',
    rule: (bench) => [
      'filter',
      `INPUT -s ${bench.addresses.gw1} -p tcp --dport 443 -m statistic --mode random --probability 0.6 -j DROP`,
    ],
    // Whether the link is up at an instant is chance; that packets are dropped is not.
    witness: async (bench) => {
      const dropped = await bench.run('be1', "iptables -nvxL INPUT | awk '/statistic/ {print $1}'");
      return Number(dropped.trim()) >= 3 ? `${dropped.trim()} packets dropped so far` : undefined;
    },
  }),
  {
    id: 'NET-04',
    what: 'the name has a second address, which leads nowhere',
    form: 'systemd',
    answer: { kind: 'latent', code: 'NET-04' },
    inject: async (bench) => {
      const hosts = await bench.read('gw1', '/etc/hosts');
      await bench.write('gw1', '/etc/hosts', `${hosts}\n192.0.2.99 agents.example.test\n`);
      await bench.run('gw1', `ip route add 192.0.2.99 via ${bench.addresses.be1}`);
    },
    witness: async (bench) => {
      const all = await bench.run('gw1', "getent ahosts agents.example.test | awk '{print $1}' | sort -u | wc -l");
      return all.trim() === '2' && (await gatewayConnected(bench)) ? 'two addresses, and the link is up' : undefined;
    },
    mend: async (bench) => {
      await bench.attempt('gw1', 'ip route del 192.0.2.99');
    },
  },
  ruleBreak({
    id: 'TRAP-OWNER-RULE',
    what: "a rule against another user's packets",
    host: 'gw1',
    rule: () => ['filter', 'OUTPUT -p tcp --dport 443 -m owner --uid-owner www-data -j REJECT'],
    witness: harmless,
  }),
  ruleBreak({
    id: 'TRAP-REDIRECT',
    what: 'a redirect from a second public port to the first',
    host: 'be1',
    rule: () => ['nat', 'PREROUTING -p tcp --dport 8443 -j REDIRECT --to-ports 443'],
    witness: harmless,
  }),
  {
    id: 'WS-10',
    what: 'something else closed with 4105 for a moment, and the agent waits ten minutes',
    form: 'systemd',
    inject: async (bench) => {
      await bench.write('be1', '/run/lab-rude.cjs', rudeServer);
      await bench.run('be1', 'systemd-run -q --unit=lab-rude /opt/viworks/current/runtime/node /run/lab-rude.cjs');
      await changeVhost(bench, (text) =>
        editLocation(text, '/ws/', (body) => body.replace(/proxy_pass [^;]*;/, 'proxy_pass http://127.0.0.1:8099;')),
      );
      await restartGateway(bench);
      await bench.run(
        'gw1',
        `for i in $(seq 100); do journalctl -q -o cat -n 30 -u ${gatewayUnit} _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID ${gatewayUnit}) | grep -q '"code":4105' && exit 0; sleep 0.2; done; exit 1`,
      );
      await bench.restore();
      await bench.attempt('be1', 'systemctl stop lab-rude; systemctl reset-failed lab-rude');
      await reloadNginx(bench);
    },
    witness: async (bench) => {
      const waiting = await bench.attempt(
        'gw1',
        `journalctl -q -o cat -n 5 -u ${gatewayUnit} | grep -q '"delayMs":[56][0-9][0-9][0-9][0-9][0-9]'`,
      );
      return waiting.code === 0 && (await onlyGatewayCut(bench)) !== undefined
        ? 'this machine gets 101, and the agent waits for minutes'
        : undefined;
    },
    mend: vhostBack,
  },
];
