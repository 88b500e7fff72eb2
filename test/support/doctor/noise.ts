// Facts that look like a fault and are none: an installation may have every one of them, so no diagnosis may change by them. Each is laid
// under what is already known, as it would be on the hosts: rules stand beside the rules of the case, an edit hits only the text that is
// there, and a dial that never got an answer gets none now.
import { SUBPROTOCOL } from '../../../agents/protocol/index.ts';
import type { FactKey, FactTypes, FirewallRule, Vantage } from '../../../doctor/engine/index.ts';
import { iptables, nft } from './telltale.ts';
import * as w from './world.ts';

/** Null where the noise has no place to be in. */
type Noise = (world: w.World) => w.World | null;

function change<K extends FactKey>(
  [key, vantage, subject]: readonly [K, Vantage, string],
  edit: (value: FactTypes[K]) => FactTypes[K] | null,
): Noise {
  return (world) => {
    const reading = world.store().get(key, vantage, subject);
    const edited = reading.status === 'known' ? edit(reading.value) : null;
    return edited === null ? null : world.put(key, vantage, subject, edited);
  };
}

const filter = (vantage: 'be' | typeof w.gw, rules: readonly FirewallRule[]): Noise =>
  change(['firewall.rules', vantage, ''], (own) => [...own, ...rules]);

const inWs = (...lines: readonly string[]): Noise =>
  change(['nginx.files', 'be', ''], (seen) => {
    // What nginx answers by a return is answered before anybody is refused.
    if (!seen.files.some(({ text }) => text.includes('location /ws/ {') && !/\breturn\b/.test(text))) return null;
    const head = ['location /ws/ {', ...lines].join('\n        ');
    return {
      ...seen,
      files: seen.files.map((file) => ({ ...file, text: file.text.replace('location /ws/ {', head) })),
    };
  });

/** nginx refuses this address before it looks any further. */
const refuses = (seat: 'op' | 'be', status: number): Noise =>
  change(['ws.upgrade', seat, 'public'], (seen) =>
    seen.status === null ? null : { ...seen, ...w.answered(status), url: seen.url },
  );

/** One after the other; nothing at all where the first has no place. */
const together =
  (first: Noise, ...others: readonly Noise[]): Noise =>
  (world) => {
    const laid = first(world);
    if (laid) for (const noise of others) noise(world);
    return laid;
  };

/** The URL names the same nginx by another name, so that its dial gets the same. */
const alias: Noise = (world) => {
  const seen = world.store().get('ws.upgrade', w.gw, 'public');
  const url = w.topology.url.replace('agents.', 'alias.');
  const laid = change(['agent.config', w.gw, 'gateway'], (own) =>
    own.url === w.topology.url || own.url === null ? { ...own, url } : null,
  )(world);
  if (laid && seen.status === 'known') world.put('ws.upgrade', w.gw, 'agent-url', { ...seen.value, url });
  return laid;
};

const traced = (vantage: 'be' | typeof w.gw, part: 'gateway' | 'backend'): Noise =>
  change(['process.state', vantage, part], (seen) =>
    seen.running && seen.state === 'S' ? { ...seen, state: 't' } : null,
  );

/** The worlds say nothing of the launcher's process; the agent's stands for how one looks. */
const tracedLauncher: Noise = (world) => {
  const seen = world.store().get('process.state', w.gw, 'gateway');
  const launcher = world.store().get('unit.state', w.gw, 'launcher');
  if (seen.status !== 'known' || !seen.value.running) return null;
  if (launcher.status !== 'known' || launcher.value.activeState !== 'active') return null;
  return world.put('process.state', w.gw, 'launcher', { ...seen.value, state: 't' });
};

const ownStatus = (vantage: 'be' | typeof w.gw, part: 'gateway' | 'backend'): Noise =>
  change(['unit.state', vantage, part], (unit) =>
    unit.mainStatus > 0 && unit.mainStatus < 200 && unit.mainCode === 'exited' ? { ...unit, mainStatus: 255 } : null,
  );

export const noises: Readonly<Record<string, Noise>> = {
  'a filter on the way out for broken packets': filter(w.gw, nft('output', 'accept', 'ct state invalid drop')),
  'a filter on the way out for another protocol': filter(w.gw, nft('output', 'accept', 'udp dport 53 reject')),
  'a filter on the way out for mail': filter(w.gw, nft('output', 'accept', 'tcp dport { 25, 465 } reject')),
  'the same by iptables': filter(w.gw, iptables('OUTPUT -p tcp -m multiport --dports 25,465 -j REJECT')),
  'a filter for the address of cloud metadata': filter(w.gw, iptables('OUTPUT -d 169.254.169.254/32 -j DROP')),
  'a filter for one user only': filter(w.gw, nft('output', 'accept', 'meta skuid 33 tcp dport 443 reject')),
  'nothing but what is needed may go out': filter(
    w.gw,
    nft('output', 'drop', 'ct state established,related accept', 'oif "lo" accept', 'tcp dport { 53, 443 } accept'),
  ),
  'IPv6 is shut off': filter(w.gw, [
    ...nft('output', 'drop').map((rule) => ({ ...rule, narrowed: 'some' as const, base: 'ip6 filter output' })),
  ]),
  'the API port is shut to the outside': filter(
    'be',
    nft('input', 'accept', 'iifname != "lo" tcp dport 8080 drop', 'iifname != "lo" tcp dport 8081 drop'),
  ),
  'the same by iptables, at one interface': filter(
    'be',
    iptables('INPUT ! -i lo -p tcp --dport 8080 -j DROP', 'INPUT -i eth0 -p tcp --dport 8081 -j REJECT'),
  ),
  'containers may not reach nginx': filter('be', iptables('INPUT -i docker0 -p tcp --dport 443 -j REJECT')),
  'only what is offered may come in': filter(
    'be',
    nft('input', 'drop', 'iif "lo" accept', 'ct state established,related accept', 'tcp dport { 22, 443 } accept'),
  ),
  'an allow-list without the operator': together(
    inWs('allow 192.0.2.0/24;', 'allow 127.0.0.1;', 'deny all;'),
    refuses('op', 403),
  ),
  'an allow-list of the gateways': together(
    inWs('allow 192.0.2.20;', 'deny all;'),
    refuses('be', 403),
    refuses('op', 403),
  ),
  'a limit that the operator has used up': together(inWs('limit_req zone=a;'), refuses('op', 503)),
  'a limit that nobody reaches': inWs('limit_conn perip 1000;'),
  'a header that is written out': inWs(`proxy_set_header Sec-WebSocket-Protocol "${SUBPROTOCOL}";`),
  'another name for the same nginx': alias,
  'somebody traces the agent': traced(w.gw, 'gateway'),
  'somebody traces the launcher': tracedLauncher,
  'somebody traces the backend': traced('be', 'backend'),
  'the agent ends with another status of its own': ownStatus(w.gw, 'gateway'),
  'the backend ends with another status of its own': ownStatus('be', 'backend'),
};
