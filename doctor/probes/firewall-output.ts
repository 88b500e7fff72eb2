// Pure parser of the packet filter's rules: `nft list ruleset`, or the lines of iptables-save -c. Kept is what can meet a new TCP connection:
// drops, rejects, redirects, the policies of base chains, and the accepts in front of them. Chains of somebody's own are read where they are jumped to,
// with what the jump demands, so that a rule never looks wider than it is.
import type { FirewallRule } from '../engine/index.ts';
import { anything, type Match, matchOfIptables, matchOfNft } from './firewall-match.ts';

export function parseFirewall(text: string): readonly FirewallRule[] {
  const chains = /^\*(filter|nat)/m.test(text) ? chainsOfIptables(text) : chainsOfNft(text);
  return [...chains.values()].flatMap((chain) => (chain.direction === null ? [] : rulesOf(chain, chains)));
}

type Direction = FirewallRule['direction'];

interface Step {
  readonly line: string;
  readonly packets: number | null;
  readonly match: Match;
  /** `drop`, `reject`, `accept`, `redirect`, `return`, or the name of a chain. */
  readonly target: string;
  readonly to?: string;
}

interface Chain {
  readonly table: string;
  readonly name: string;
  /** Null for a chain that only others jump to. */
  direction: Direction | null;
  policy: { readonly line: string } | null;
  readonly steps: Step[];
}

const directions: Readonly<Record<string, Direction>> = {
  input: 'in',
  output: 'out',
  forward: 'forward',
  prerouting: 'in',
};
/** Chains can be nested; nobody nests them deeper than this. */
const deepest = 8;

function rulesOf(base: Chain, chains: ReadonlyMap<string, Chain>): readonly FirewallRule[] {
  const direction = base.direction ?? 'in';
  const all = walk(base, { chains, within: anything, depth: 0 }).map(({ step, chain, match }) =>
    ruleOf({
      chain: chain.name,
      base,
      direction,
      match,
      line: step.line,
      packets: step.packets,
      action: step.target,
      to: step.to,
    }),
  );
  if (base.policy)
    all.push(
      ruleOf({
        chain: base.name,
        base,
        direction,
        match: familyOf(base, anything),
        line: base.policy.line,
        packets: null,
        action: 'drop',
      }),
    );
  const last = all.findLastIndex((rule) => ['drop', 'reject', 'redirect'].includes(rule.action));
  // What is forwarded is nobody's own connection, so that accepts do not matter there.
  return all.slice(0, last + 1).filter((rule) => direction !== 'forward' || rule.action !== 'accept');
}

interface Walk {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly within: Match;
  readonly depth: number;
}

interface Visit {
  readonly step: Step;
  readonly chain: Chain;
  readonly match: Match;
}

function walk(chain: Chain, { chains, within, depth }: Walk): readonly Visit[] {
  const visits: Visit[] = [];
  let around = within;
  for (const step of chain.steps) {
    const match = familyOf(chain, both(around, step.match));
    if (match.narrowed === 'never') continue;
    if (step.target === 'return') {
      // Who has left the chain is not stopped by what comes after it.
      if (isAnything(step.match)) break;
      around = { ...around, narrowed: 'some' };
      continue;
    }
    const inner = chains.get(`${chain.table} ${step.target}`);
    if (inner && depth < deepest) visits.push(...walk(inner, { chains, within: match, depth: depth + 1 }));
    else if (['drop', 'reject', 'accept', 'other', 'redirect'].includes(step.target))
      visits.push({ step, chain, match });
  }
  return visits;
}

function isAnything(match: Match): boolean {
  return JSON.stringify(match) === JSON.stringify(anything);
}

/** What both demand. Where both demand something of the same thing, no more is claimed than that it is narrower. */
function both(outer: Match, inner: Match): Match {
  const words = [outer.narrowed, inner.narrowed];
  let narrowed: Match['narrowed'] = words.includes('never') ? 'never' : words.includes('some') ? 'some' : 'none';
  const one = <T>(a: T | null, b: T | null): T | null => {
    if (a !== null && b !== null && JSON.stringify(a) !== JSON.stringify(b) && narrowed === 'none') narrowed = 'some';
    return b ?? a;
  };
  const ports = one(outer.ports, inner.ports);
  const source = one(outer.source, inner.source);
  const destination = one(outer.destination, inner.destination);
  const sides = { interface: one(outer.interface, inner.interface), owner: one(outer.owner, inner.owner) };
  return { ports, source, destination, ...sides, narrowed };
}

/** A table of another family sees another kind of packet. */
function familyOf(chain: Chain, match: Match): Match {
  return chain.table.startsWith('ip6 ') && match.narrowed === 'none' ? { ...match, narrowed: 'some' } : match;
}

function ruleOf(of: {
  readonly chain: string;
  readonly base: Chain;
  readonly direction: Direction;
  readonly match: Match;
  readonly line: string;
  readonly packets: number | null;
  readonly action: string;
  readonly to?: string | undefined;
}): FirewallRule {
  const { ports, source, destination, owner, narrowed } = of.match;
  const [first] = ports ?? [];
  const single = ports?.length === 1 && first && first[0] === first[1] ? first[0] : null;
  return {
    chain: of.chain,
    direction: of.direction,
    action: of.action as FirewallRule['action'],
    port: single,
    ...(ports !== null && single === null ? { ports } : {}),
    source,
    destination,
    interface: of.match.interface,
    ...(owner === null ? {} : { owner }),
    ...(of.to === undefined ? {} : { to: of.to }),
    narrowed,
    base: `${of.base.table} ${of.base.name}`.trim(),
    packets: of.packets,
    text: of.line,
  };
}

function chainsOfNft(text: string): ReadonlyMap<string, Chain> {
  const chains = new Map<string, Chain>();
  let table = '';
  let chain: Chain | null = null;
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table;
    const head = /^chain (\S+) \{/.exec(line)?.[1];
    if (head !== undefined) {
      chain = { table, name: head, direction: null, policy: null, steps: [] };
      chains.set(`${table} ${head}`, chain);
      continue;
    }
    if (line === '}') chain = null;
    // Sets, maps and the like have braces of their own.
    if (!chain || /^(arp|bridge|netdev) /.test(table)) continue;
    const hook = /^type (?:filter hook (input|output|forward)|nat hook (prerouting|output))\b/
      .exec(line)
      ?.find((word, index) => index > 0 && word !== undefined);
    if (hook !== undefined) {
      chain.direction = directions[hook] ?? null;
      if (line.includes('policy drop')) chain.policy = { line };
      continue;
    }
    const step = stepOfNft(line);
    if (step) chain.steps.push(step);
  }
  return chains;
}

function stepOfNft(line: string): Step | null {
  const rule = line.replace(/\s*# handle \d+$/, '').replace(/\bcomment "[^"]*"/, '');
  const packets = numberOf(/counter packets (\d+)/.exec(rule)?.[1]);
  // A map of verdicts is one rule with several ends; one of states that leaves out the new ones has none for them.
  if (/^ct state vmap \{/.test(rule) && !/\bnew\b/.test(rule)) return null;
  if (/\bvmap\b/.test(rule)) return { line, packets, match: { ...anything, narrowed: 'some' }, target: 'other' };
  const sent = /^(.*?)\s*\b(?:dnat(?: ip6?)? to|redirect(?: to)?)\s*(\S*)/.exec(rule);
  if (sent) return { line, packets, match: matchOfNft(sent[1] ?? ''), target: 'redirect', to: sent[2] ?? '' };
  const found = /^(.*?)\s*\b(?:(drop|reject|accept|return)\b[^"]*|(?:jump|goto) (\S+)\s*)$/.exec(rule);
  const target = found?.[2] ?? found?.[3];
  if (!found || target === undefined) return null;
  return { line, packets, match: matchOfNft(found[1] ?? ''), target };
}

function chainsOfIptables(text: string): ReadonlyMap<string, Chain> {
  const chains = new Map<string, Chain>();
  for (const line of tableOf(text, 'filter')) lineOfIptables(chains, '', line);
  for (const line of tableOf(text, 'nat')) lineOfIptables(chains, 'nat', line);
  return chains;
}

/** Chains of the two tables may have the same names. */
function lineOfIptables(chains: Map<string, Chain>, table: string, line: string): void {
  const chainOf = (name: string): Chain => {
    const known = chains.get(`${table} ${name}`);
    if (known) return known;
    // What the nat table does with packets that come in, it does before they are filtered.
    const isBase = table === '' ? name !== 'PREROUTING' : /^(PREROUTING|OUTPUT)$/.test(name);
    const direction = isBase ? (directions[name.toLowerCase()] ?? null) : null;
    const fresh: Chain = { table, name, direction, policy: null, steps: [] };
    chains.set(`${table} ${name}`, fresh);
    return fresh;
  };
  const head = /^:(\S+) (\S+)/.exec(line);
  if (head) {
    const chain = chainOf(head[1] ?? '');
    if (head[2] === 'DROP') chain.policy = { line };
    return;
  }
  const match = /^(?:\[(\d+):\d+\] )?-A (\S+) (.*?)(?:-j|-g) (\S+)(.*)/.exec(line);
  if (!match) return;
  const [, packets, chain = '', matches = '', to = '', options = ''] = match;
  const step = { line, packets: numberOf(packets), match: matchOfIptables(matches) };
  const sent = /^(DNAT|REDIRECT)$/.test(to) ? (/--to-(?:destination|ports) (\S+)/.exec(options)?.[1] ?? '') : null;
  const target = /^(DROP|REJECT|ACCEPT|RETURN)$/.test(to) ? to.toLowerCase() : to;
  if (sent === null) chainOf(chain).steps.push({ ...step, target });
  else chainOf(chain).steps.push({ ...step, target: 'redirect', to: to === 'REDIRECT' ? `:${sent}` : sent });
}

function tableOf(text: string, table: string): readonly string[] {
  const lines = text.split('\n');
  const start = lines.indexOf(`*${table}`);
  if (start < 0) return [];
  const length = lines.slice(start + 1).indexOf('COMMIT');
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length);
}

function numberOf(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}
