// Cases of packet filter rules that are for one user's packets, and of redirects, of a wait after a refusal; with the harmless ones beside them.
import { parseFirewall } from '../../../doctor/probes/firewall-output.ts';
import { type Case, directGets, offline, publicGets } from './case.ts';
import { healthy } from './healthy.ts';
import { refused as refusedWith } from './own-words.ts';
import * as w from './world.ts';

const agentUnit = 'viworks-gateway-agent.service';

const filter = (...rules: readonly string[]) => rules.map((rule) => `[7:420] -A ${rule}`);

/** As `iptables-nft-save -c` prints it. */
const saved = (table: 'filter' | 'nat', ...rules: readonly string[]) =>
  parseFirewall([`*${table}`, ...filter(...rules), 'COMMIT'].join('\n'));

const nft = (type: string, ...rules: readonly string[]) =>
  parseFirewall(
    ['table inet x {', 'chain c {', `type ${type} priority 0; policy accept;`, ...rules, '}', '}'].join('\n'),
  );

/** The agent has no link, and a listener of its own that shows its user. */
function agentCut(): w.World {
  return offline(healthy()).put('tcp.listeners', w.gw, '', [w.sshd, w.listener(8443, agentUnit, { uid: 998 })]);
}

/** The gateway's dials end somewhere else. */
function gatewayGets(change: Parameters<typeof w.upgrade>[0]): w.World {
  return agentCut().put('ws.upgrade', w.gw, 'public', w.upgrade(change));
}

const elsewhere = () =>
  gatewayGets({ ...w.nothing, reached: 'tcp', ended: 'tls-error', tlsError: 'ERR_TLS_CERT_ALTNAME_INVALID' }).put(
    'tls.certificate',
    w.gw,
    'public',
    w.certificate({ verification: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
  );

const refused = () =>
  gatewayGets({ ...w.refused }).put('tcp.connect', w.gw, 'public', {
    address: '192.0.2.10',
    port: 443,
    outcome: 'refused',
    milliseconds: 1,
  });

const addresses = (second: 'timeout' | 'unreachable') =>
  healthy().put('tcp.addresses', w.gw, 'public', [
    { address: '192.0.2.10', port: 443, outcome: 'connected', milliseconds: 1 },
    { address: '::ffff:192.0.2.99', port: 443, outcome: second, milliseconds: 1600 },
  ]);

const own = (name: string, rules: ReturnType<typeof saved>): Case => ({
  name: `NET-19 ${name}`,
  causes: ['NET-19'],
  proven: true,
  world: () => agentCut().put('firewall.rules', w.gw, '', rules),
});

const redirectedOut = 'OUTPUT -p tcp -m tcp --dport 443 -j DNAT --to-destination 192.0.2.77:8443';

const innerFails = () => offline(publicGets(directGets(healthy(), w.refused), w.answered(502)));

export const networkRuleCases: readonly Case[] = [
  own('by user', saved('filter', 'OUTPUT -p tcp -m tcp --dport 443 -m owner --uid-owner 998 -j REJECT')),
  own('by a range of users', saved('filter', 'OUTPUT -p tcp -m owner --uid-owner 900-999 -j DROP')),
  own(
    "by the unit's control group",
    nft('filter hook output', `socket cgroupv2 level 2 "system.slice/${agentUnit}" drop`),
  ),
  own(
    'by user, in nft',
    nft('filter hook output', 'tcp dport 443 meta skuid { 997, 998 } counter packets 3 bytes 9 reject'),
  ),
  own('for all but root', nft('filter hook output', 'tcp dport 443 meta skuid != 0 drop')),
  {
    name: 'NET-20 DNAT on the gateway, to a program with another certificate',
    causes: ['NET-20'],
    proven: true,
    whenBlind: ['TLS-03'],
    world: () => elsewhere().put('firewall.rules', w.gw, '', saved('nat', redirectedOut)),
  },
  {
    name: 'NET-20 REDIRECT on the backend host, for this gateway only',
    causes: ['NET-20'],
    proven: true,
    world: () =>
      refused().put(
        'firewall.rules',
        'be',
        '',
        saved('nat', 'PREROUTING -s 192.0.2.20/32 -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 9443'),
      ),
  },
  {
    name: "NET-20 only the agent's packets are redirected",
    causes: ['NET-20'],
    world: () =>
      agentCut().put(
        'firewall.rules',
        w.gw,
        '',
        nft('nat hook output', 'meta skuid 998 tcp dport 443 dnat ip to 192.0.2.77:8443'),
      ),
  },
  {
    name: 'NET-21 the agents port is redirected on the backend host',
    causes: ['NET-21'],
    proven: true,
    world: () =>
      innerFails().put(
        'firewall.rules',
        'be',
        '',
        saved('nat', 'OUTPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 8081 -j REDIRECT --to-ports 9'),
      ),
  },
  {
    name: 'NET-05 dropped for everybody, the host itself too',
    causes: ['NET-05'],
    proven: true,
    world: () => {
      const world = offline(healthy());
      for (const seat of ['op', 'be', w.gw] as const) {
        world.put('tcp.connect', seat, 'public', { address: '', port: 443, outcome: 'timeout', milliseconds: 5000 });
        world.put('ws.upgrade', seat, 'public', w.upgrade({ ...w.nothing, reached: 'none', ended: 'timeout' }));
        world.write('tls.certificate', seat, 'public', { status: 'unknown', reason: 'unreachable', detail: '' });
      }
      return world.put('firewall.rules', 'be', '', saved('filter', 'INPUT -p tcp -m tcp --dport 443 -j DROP'));
    },
  },
  {
    name: 'NET-11 a way that loses packets, seen by a dial that got no answer',
    causes: ['NET-11'],
    proven: true,
    whenBlind: ['NET-05'],
    world: () =>
      offline(healthy())
        .put('tcp.connect', w.gw, 'public', {
          address: '192.0.2.10',
          port: 443,
          outcome: 'timeout',
          milliseconds: 1600,
        })
        .put('ws.upgrade', w.gw, 'public', w.upgrade({ ...w.nothing, reached: 'none', ended: 'timeout' }))
        .put('tcp.dials', w.gw, 'public', { attempts: 6, late: 1, lost: 2 }),
  },
  {
    name: 'NET-11 a way that loses packets, on which a long transfer did not end',
    causes: ['NET-11'],
    proven: true,
    whenBlind: ['NET-18'],
    world: () =>
      healthy()
        .put('tcp.dials', w.gw, 'public', { attempts: 6, late: 2, lost: 2 })
        .put('canary', 'op', w.gatewayId, {
          ...{ outcome: 'timeout', code: null, message: 'the command did not end in time', exitCode: null },
          ...{ milliseconds: 5000, onlySmall: { bytes: 64, lostBytes: 65_536, lostOn: 'from-gateway' } },
        }),
  },
  {
    name: 'NET-11 a way that loses packets, and all is up now (latent)',
    causes: [],
    latent: ['NET-11'],
    world: () => healthy().put('tcp.dials', w.gw, 'public', { attempts: 6, late: 2, lost: 0 }),
  },
  {
    name: 'NET-05 several dials, and none gets through',
    causes: ['NET-05'],
    proven: true,
    world: () =>
      offline(healthy())
        .put('tcp.connect', w.gw, 'public', {
          address: '192.0.2.10',
          port: 443,
          outcome: 'timeout',
          milliseconds: 1600,
        })
        .put('ws.upgrade', w.gw, 'public', w.upgrade({ ...w.nothing, reached: 'none', ended: 'timeout' }))
        .put('tcp.dials', w.gw, 'public', { attempts: 6, late: 0, lost: 6 }),
  },
  {
    name: 'NET-04 an AAAA that leads nowhere (latent)',
    causes: [],
    latent: ['NET-04'],
    world: () => addresses('timeout'),
  },
  {
    name: 'trap: an AAAA that this gateway cannot even try',
    causes: [],
    world: () => addresses('unreachable'),
  },
  {
    name: 'NET-06 only a proxy is let out, and the agent uses none',
    causes: ['NET-06'],
    proven: true,
    whenBlind: ['NET-05'],
    world: () =>
      refused()
        .put('firewall.rules', w.gw, '', saved('filter', 'OUTPUT -p tcp -m tcp --dport 443 -j REJECT'))
        .put(
          'unit.setup',
          w.gw,
          'gateway',
          w.setup({
            settings: [{ file: '/x.conf', line: 2, section: 'Service', name: 'Environment', value: 'HTTPS_PROXY=…' }],
          }),
        ),
  },
  {
    name: 'trap: one dial was late on a busy host',
    causes: [],
    world: () => healthy().put('tcp.dials', w.gw, 'public', { attempts: 6, late: 1, lost: 0 }),
  },
  {
    name: "trap: a filter for another user's packets",
    causes: [],
    world: () =>
      healthy().put(
        'firewall.rules',
        w.gw,
        '',
        saved('filter', 'OUTPUT -p tcp -m tcp --dport 443 -m owner --uid-owner 33 -j REJECT'),
      ),
  },
  {
    name: 'trap: a redirect that works',
    causes: [],
    world: () =>
      healthy().put(
        'firewall.rules',
        'be',
        '',
        saved('nat', 'PREROUTING -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 443'),
      ),
  },
  {
    name: 'SYS-31 and no rule for this user: a redirect of another port is no cause',
    causes: ['SYS-31'],
    world: () =>
      agentCut()
        .put('firewall.rules', w.gw, '', saved('nat', 'OUTPUT -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128'))
        .put(
          'unit.setup',
          w.gw,
          'gateway',
          w.setup({ settings: [{ file: '/x', line: 1, section: 'Service', name: 'PrivateNetwork', value: 'yes' }] }),
        ),
  },
  {
    name: 'WS-10 the agent waits after the backend closed with 4105',
    causes: ['WS-10'],
    proven: true,
    world: () => refusedWith('protocol_error', 'a frame broke the protocol', { code: 4105, delayMs: 548_000 }),
  },
  {
    name: 'SYS-31 and the wait after a refusal is long over',
    causes: ['SYS-31'],
    world: () =>
      refusedWith('protocol_error', 'a frame broke the protocol', { code: 4105, delayMs: 500 }).put(
        'unit.setup',
        w.gw,
        'gateway',
        w.setup({ settings: [{ file: '/x', line: 1, section: 'Service', name: 'PrivateNetwork', value: 'yes' }] }),
      ),
  },
];
