// What a packet filter does with one new connection, as far as its rules say so for certain. A rule that demands something that is not known
// here, or that stands behind an accept that may fit, stops nothing: being unsure is allowed.
import { type FirewallRule, negate, some, type Tri } from '../engine/index.ts';

/** One new connection, at the host that filters. */
export interface Packets {
  /** A dial of the own host passes both of its directions. */
  readonly directions: readonly ('in' | 'out')[];
  readonly port: number;
  readonly loopback: boolean;
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Whose they are, in a rule's words (`uid 998`); left out, a rule for somebody's packets may or may not be about these. */
  readonly owners?: readonly string[];
}

/** The rule that stops them with one of these actions, if there is one for certain. */
export function stoppedBy(
  rules: readonly FirewallRule[],
  packets: Packets,
  ...actions: readonly ('drop' | 'reject')[]
): FirewallRule | null {
  const passed = new Set<string>();
  for (const rule of rules) {
    const fits = meets(rule, packets);
    if (fits === 'no') continue;
    const base = rule.base ?? rule.chain;
    const stops = rule.action === 'drop' || rule.action === 'reject';
    if (!stops) passed.add(base);
    else if (fits === 'yes' && !passed.has(base)) {
      if (actions.some((action) => action === rule.action)) return rule;
      // Silence and a refusal are told apart from outside, and the first rule decides which one it is.
      passed.add(base);
    }
  }
  return null;
}

/** The rule that sends them elsewhere, if there is one for certain. The first that fits decides. */
export function redirectedBy(rules: readonly FirewallRule[], packets: Packets): FirewallRule | null {
  const unsure = new Set<string>();
  for (const rule of rules) {
    const base = rule.base ?? rule.chain;
    const isNat = rule.action === 'redirect' || /\bnat\b/.test(base);
    const fits = isNat ? meets(rule, packets) : 'no';
    if (fits === 'no' || unsure.has(base)) continue;
    if (rule.action === 'redirect' && fits === 'yes') return rule;
    unsure.add(base);
  }
  return null;
}

export function filterText(rule: FirewallRule | null | undefined): string {
  return rule ? `${rule.text}${rule.packets ? ` (${rule.packets} packets)` : ''}` : '';
}

/** Commands that take the rule out; a policy has no rule, so `instead` is said there. */
export function removal(rule: FirewallRule | null, instead: string): readonly string[] {
  const [, added, line] = /^(?:\[\d+:\d+\] )?(-A) (.*)$/.exec(rule?.text ?? '') ?? [];
  if (!rule || /^:|\bpolicy\b/.test(rule.text)) return [instead];
  if (added) return [`iptables ${(rule.base ?? '').startsWith('nat ') ? '-t nat ' : ''}-D ${line}`];
  const chain = `${(rule.base ?? '').split(' ').slice(0, -1).join(' ')} ${rule.chain}`.trim();
  return [`nft -a list chain ${chain}`, `nft delete rule ${chain} handle NUMBER`];
}

function meets(rule: FirewallRule, packets: Packets): Tri {
  const ports = rule.ports ?? (rule.port === null ? [] : [[rule.port, rule.port] as const]);
  // An older recording says nothing of protocols and states; a rule that names the port is about TCP.
  const narrowed = rule.narrowed ?? (ports.length > 0 ? 'none' : 'some');
  if (narrowed === 'never' || !packets.directions.some((direction) => direction === rule.direction)) return 'no';
  if (ports.length > 0 && !ports.some(([from, to]) => from <= packets.port && packets.port <= to)) return 'no';
  const rest = [
    throughInterface(rule.interface, packets.loopback),
    covers(rule.source, packets.from),
    covers(rule.destination, packets.to),
    ownedBy(rule.owner ?? null, packets.owners ?? []),
  ];
  if (rest.includes('no')) return 'no';
  return narrowed === 'some' || rest.includes('unknown') ? 'unknown' : 'yes';
}

/** Only the host that sends them knows whose they are. */
function ownedBy(owner: string | null, owners: readonly string[]): Tri {
  if (owner === null) return 'yes';
  if (owner.startsWith('!')) return negate(ownedBy(owner.slice(1), owners));
  const [kind = '', wanted = ''] = owner.split(/ (.*)/s);
  const own = owners.flatMap((item) => (item.startsWith(`${kind} `) ? [item.slice(kind.length + 1)] : []));
  const isNumber = (text: string) => /^\d/.test(text);
  return some(
    wanted.split(',').flatMap((item): readonly Tri[] => {
      // A name and a number cannot be compared here.
      const like = own.filter((one) => isNumber(one) === isNumber(item.trim()));
      return like.length === 0 ? ['unknown'] : like.map((one) => (isOwner(item.trim(), one) ? 'yes' : 'no'));
    }),
  );
}

/** A number, a name, a range of numbers, or a control group with what is below it. */
function isOwner(wanted: string, own: string): boolean {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(wanted) ?? [];
  if (from !== undefined && /^\d+$/.test(own)) return Number(from) <= Number(own) && Number(own) <= Number(to);
  return wanted === own || own.startsWith(`${wanted}/`);
}

/** By which interface of its own a host is reached from outside is not known here. */
function throughInterface(name: string | null, loopback: boolean): Tri {
  if (name === null) return 'yes';
  if (name.startsWith('!')) return negate(throughInterface(name.slice(1), loopback));
  if (name === 'lo') return loopback ? 'yes' : 'no';
  return loopback ? 'no' : 'unknown';
}

function covers(pattern: string | null, addresses: readonly string[]): Tri {
  if (pattern === null) return 'yes';
  if (pattern.startsWith('!')) return negate(covers(pattern.slice(1), addresses));
  if (addresses.length === 0) return 'unknown';
  return some(pattern.split(',').flatMap((item) => addresses.map((address) => within(item, address))));
}

function within(network: string, address: string): Tri {
  if (network === address) return 'yes';
  const [text = '', width = '32'] = network.split('/');
  const [low, own] = [numberOf(text), numberOf(address)];
  if (low === null || own === null || !/^\d+$/.test(width)) return 'unknown';
  const size = 2 ** (32 - Number(width));
  return Math.floor(low / size) === Math.floor(own / size) ? 'yes' : 'no';
}

/** Four numbers with dots as one; null for everything else. */
function numberOf(address: string): number | null {
  const bytes = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)?.slice(1).map(Number);
  return bytes ? bytes.reduce((sum, byte) => sum * 256 + byte, 0) : null;
}
