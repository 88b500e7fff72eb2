// Cases in which the fact that gives a fault away has a harmless double: a rule of a filter, an address that is let in, a name, a status.
import { RUNTIME_MESSAGES } from '../../../agents/runtime/messages.ts';
import { parseFirewall } from '../../../doctor/probes/firewall-output.ts';
import { backendCases } from './backend.ts';
import { agentGone, backendDown, type Case, offline, publicGets, worldOf } from './case.ts';
import { healthy } from './healthy.ts';
import { dials, linkTo } from './own-words.ts';
import * as w from './world.ts';

const gatewayUnit = 'viworks-gateway-agent.service';

/** As `iptables-nft-save -c` prints it. */
export const iptables = (...rules: readonly string[]) =>
  parseFirewall(`*filter\n${rules.map((rule) => `[7:420] -A ${rule}`).join('\n')}\nCOMMIT\n`);

/** As `nft list ruleset` prints it: one base chain. */
export const nft = (hook: 'input' | 'output', policy: 'accept' | 'drop', ...rules: readonly string[]) =>
  parseFirewall(
    [
      'table inet filter {',
      `chain ${hook} {`,
      `type filter hook ${hook} priority filter; policy ${policy};`,
      ...rules,
      '}',
      '}',
    ].join('\n'),
  );

function cut(outcome: 'timeout' | 'refused'): w.World {
  const world = offline(healthy());
  world.put('tcp.connect', w.gw, 'public', { address: '192.0.2.10', port: 443, outcome, milliseconds: 9 });
  world.put('ws.upgrade', w.gw, 'public', w.upgrade({ ...w.nothing, reached: 'none', ended: outcome }));
  return world.write('tls.certificate', w.gw, 'public', { status: 'unknown', reason: 'unreachable', detail: '' });
}

const egress = (name: string, outcome: 'timeout' | 'refused', rules: ReturnType<typeof nft>): Case => ({
  name: `NET-06 ${name}`,
  causes: ['NET-06'],
  proven: true,
  whenBlind: ['NET-05'],
  world: () => cut(outcome).put('firewall.rules', w.gw, '', rules),
});

function apiGets(outcome: 'timeout' | 'refused', rules: ReturnType<typeof nft>): w.World {
  const none = { url: '', status: null, headers: {}, body: '', milliseconds: 9 };
  const world = healthy().put('firewall.rules', 'be', '', rules);
  world.put('http.response', 'be', 'api-health', { ...none, outcome, connected: false });
  for (const seat of ['op', 'be', w.gw] as const)
    world.put('http.response', seat, 'public-api', { ...none, outcome: 'response', status: 504 });
  world.write('registry.entry', 'op', w.gatewayId, { status: 'unknown', reason: 'unreachable', detail: '' });
  return world.write('canary', 'op', w.gatewayId, { status: 'unknown', reason: 'unreachable', detail: '' });
}

const apiDropped = 'iifname "lo" tcp dport 8080 drop';

const inWs = (...lines: readonly string[]) =>
  w.nginxSite(
    w.goodServer.replace('location /ws/ {', ['location /ws/ {', ...lines].join('\n        ')),
    Date.UTC(2026, 10, 1),
  );

const allowList = inWs('allow 192.0.2.20;', 'deny all;');

const refusedBy = (rules: ReturnType<typeof inWs>, status: number, ...seats: readonly ('op' | 'be')[]): w.World => {
  const world = healthy().put('nginx.files', 'be', '', rules);
  for (const seat of seats) world.put('ws.upgrade', seat, 'public', w.upgrade(w.answered(status)));
  return world;
};

function ends(seat: 'be' | 'gw', mainStatus: number, line: string): w.World {
  const change = { ...w.failed, activeState: 'activating', subState: 'auto-restart', restarts: 9, mainStatus };
  if (seat === 'gw')
    return agentGone(healthy())
      .put('unit.state', w.gw, 'gateway', w.unit(gatewayUnit, change))
      .put('log.tail', w.gw, 'gateway', w.log(line));
  return backendDown(healthy())
    .put('unit.state', 'be', 'backend', w.unit(w.backendUnit, change))
    .put('log.tail', 'be', 'backend', w.log(line));
}

/** `obstacle`: what gateways say by themselves; those before it have only the sentence. */
function canaryRefused(message: string, obstacle?: { stage: string; errno?: string }): w.World {
  const refusal = { outcome: 'refused', code: 'storage_unavailable', exitCode: null, milliseconds: 9 } as const;
  return healthy().put('canary', 'op', w.gatewayId, { ...refusal, message, ...(obstacle ? { obstacle } : {}) });
}

function traced(world: w.World): w.World {
  const seen = world.store().get('process.state', w.gw, 'gateway');
  if (seen.status !== 'known' || !seen.value.running) throw new Error('the healthy agent runs');
  return world.put('process.state', w.gw, 'gateway', { ...seen.value, state: 't' });
}

export const telltaleCases: readonly Case[] = [
  egress('one port of several', 'refused', iptables('OUTPUT -p tcp -m multiport --dports 80,443 -j REJECT')),
  egress('a set of ports', 'timeout', nft('output', 'accept', 'tcp dport { 80, 443 } drop')),
  egress('everything to the network of the backend', 'timeout', iptables('OUTPUT -d 192.0.2.0/28 -j DROP')),
  egress('nothing but what is listed may go out', 'timeout', nft('output', 'drop', 'udp dport 53 accept')),
  {
    name: 'NET-05 while the gateway lets out just what it needs',
    causes: ['NET-05'],
    proven: true,
    world: () =>
      cut('timeout').put(
        'firewall.rules',
        w.gw,
        '',
        nft('output', 'drop', 'ct state established,related accept', 'tcp dport { 53, 443 } accept'),
      ),
  },
  {
    name: 'NET-16 the API port is dropped on loopback',
    causes: ['NET-16'],
    proven: true,
    world: () => apiGets('timeout', nft('input', 'accept', apiDropped)),
  },
  {
    name: 'NGX-10 an allow-list without the gateway',
    causes: ['NGX-10'],
    proven: true,
    world: () => publicGets(offline(refusedBy(inWs('allow 198.51.100.7;', 'deny all;'), 403)), w.answered(403)),
  },
  {
    name: 'trap: an allow-list lets only the gateways in',
    causes: [],
    world: () => refusedBy(allowList, 403, 'op', 'be'),
  },
  {
    name: 'trap: an allow-list, and no dial from the gateway: it is connected',
    causes: [],
    world: () =>
      refusedBy(allowList, 403, 'op', 'be').write('ws.upgrade', w.gw, 'public', {
        status: 'unknown',
        reason: 'forward-forbidden',
        detail: '',
      }),
  },
  {
    name: "trap: the operator's own address is over the limit",
    causes: [],
    world: () => refusedBy(inWs('limit_req zone=a;'), 503, 'op'),
  },
  {
    name: "trap: the backend host's own address is over the limit",
    causes: [],
    world: () => refusedBy(inWs('limit_conn perip 1;'), 503, 'be', 'op'),
  },
  { name: 'trap: somebody traces the agent', causes: [], world: () => traced(healthy()) },
  {
    name: 'NET-05 while somebody traces the agent, whose own page cannot be read',
    causes: ['NET-05'],
    proven: true,
    world: () =>
      traced(cut('timeout')).write('gateway.health', w.gw, '', {
        status: 'unknown',
        reason: 'forward-forbidden',
        detail: '',
      }),
  },
  {
    name: 'BE-03 beside a rule for the API port, which took the dial all the same',
    causes: ['BE-03'],
    proven: true,
    world: () => {
      const none = { url: '', status: null, headers: {}, body: '', milliseconds: 3000 };
      const world = worldOf(backendCases, 'BE-03').put('firewall.rules', 'be', '', nft('input', 'accept', apiDropped));
      return world.put('http.response', 'be', 'api-health', { ...none, outcome: 'timeout', connected: true });
    },
  },
  {
    name: 'CFG-11 another port of the same address, where a second backend takes it in',
    causes: ['CFG-11'],
    proven: true,
    world: () =>
      dials('wss://agents.example.test:9443/ws/agent', { port: 9443 }).put('tcp.connections', w.gw, '', [
        linkTo('192.0.2.10', 9443),
      ]),
  },
  {
    name: 'SYS-23 stopped by hand; the URL has another name for the same nginx',
    causes: ['SYS-23'],
    world: () =>
      agentGone(dials('wss://alias.example.test/ws/agent', {})).put(
        'unit.state',
        w.gw,
        'gateway',
        w.unit(gatewayUnit, w.stopped),
      ),
  },
  {
    name: 'BE-06 by a program that ends with 255',
    causes: ['BE-06'],
    proven: true,
    world: () =>
      ends('be', 255, '{"level":60,"code":"VW_RUNTIME_CONFIG","msg":"backend.toml:4:1  agents.prot: unknown key"}'),
  },
  {
    name: 'SYS-24 by a program that ends with 255',
    causes: ['SYS-24'],
    proven: true,
    world: () =>
      ends(
        'gw',
        255,
        w.said(RUNTIME_MESSAGES.programEnds, { code: 'VW_GATEWAY_CA', reason: 'cannot read the certificates' }),
      ),
  },
  {
    name: 'CMD-03 the spool of the tasks',
    causes: ['CMD-03'],
    proven: true,
    world: () =>
      canaryRefused(
        'cannot write the spool of the tasks in /var/lib/viworks/launcher/tasks: ENOSPC: no space left on device',
      ).put('gateway.health', w.gw, '', {
        status: 503,
        healthy: false,
        link: 'up',
        launcher: 'up',
        version: '0.1.0',
        storage: ['cannot write the spool of the tasks in /var/lib/viworks/launcher/tasks: ENOSPC'],
      }),
  },
];

/** The same code for another reason, which has no row; also as gateways said it that had words only. */
export const tooManyTasks = (): w.World => canaryRefused('in other words', { stage: 'held' });
export const tooManyTasksInWords = (): w.World => canaryRefused('this gateway holds 4096 tasks that are not settled');
