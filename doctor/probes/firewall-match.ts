// What one rule of a packet filter demands of a packet. Only ports, addresses and the interface are told apart; of everything else it is only
// kept whether it can be met by a new TCP connection at all. What is not understood counts as a demand that may or may not be met.

/** From and to, both included. */
export type PortRange = readonly [from: number, to: number];

export interface Match {
  readonly ports: readonly PortRange[] | null;
  /** An address, a network, several with commas; with `!` in front: all but these. */
  readonly source: string | null;
  readonly destination: string | null;
  /** With `!` in front: all but this one. */
  readonly interface: string | null;
  /** Whose packets, on the host that sends them: `uid 998`, `gid 998`, `cgroup system.slice/x.service`; with `!` in front: all but theirs. */
  readonly owner: string | null;
  readonly narrowed: 'none' | 'some' | 'never';
}

type Draft = { -readonly [K in keyof Match]: Match[K] };

/** What fits every packet. */
export const anything: Match = {
  ports: null,
  source: null,
  destination: null,
  interface: null,
  owner: null,
  narrowed: 'none',
};

function narrow(draft: Draft, to: 'some' | 'never'): void {
  if (draft.narrowed !== 'never') draft.narrowed = to;
}

/** A demand on the state of a connection, as a new one meets it. */
function byState(draft: Draft, states: readonly string[], negated: boolean): void {
  if (states.some((state) => state.toLowerCase() === 'new') === negated) narrow(draft, 'never');
}

function byProtocol(draft: Draft, protocols: readonly string[], negated: boolean): void {
  const fits = protocols.some((protocol) => ['tcp', '6', 'all'].includes(protocol));
  if (fits === negated) narrow(draft, 'never');
}

const ownerWords: Readonly<Record<string, string>> = {
  '--uid-owner': 'uid',
  '--gid-owner': 'gid',
  '--path': 'cgroup',
};

function byOwner(draft: Draft, owner: string): void {
  if (draft.owner !== null) narrow(draft, 'some');
  draft.owner = owner;
}

function byPorts(draft: Draft, items: readonly string[], negated: boolean): void {
  const ranges = items.map((item): PortRange | null => {
    const [, from, to] = /^(\d+)(?:[:-](\d+))?$/.exec(item) ?? [];
    return from === undefined ? null : [Number(from), Number(to ?? from)];
  });
  if (negated || ranges.includes(null)) narrow(draft, 'some');
  else draft.ports = ranges.flatMap((range) => (range ? [range] : []));
}

function bare(word: string): string {
  return word.replace(/^"|"$/g, '').replace(/^\//, '');
}

/** The text between `-A CHAIN` and `-j TARGET`. */
export function matchOfIptables(text: string): Match {
  const draft = { ...anything };
  const words = (text.match(/"[^"]*"|\S+/g) ?? []).values();
  const next = (): string => words.next().value ?? '';
  let negated = false;
  for (const word of words) {
    if (word === '!') {
      negated = true;
      continue;
    }
    const named = (value: string): string => (negated ? `!${value}` : value);
    if (word === '-m') {
      const known = ['tcp', 'multiport', 'comment', 'conntrack', 'state', 'udp', 'icmp', 'owner', 'cgroup'];
      if (!known.includes(next())) narrow(draft, 'some');
    } else if (word === '-p') byProtocol(draft, [next()], negated);
    else if (word === '-s') draft.source = named(next());
    else if (word === '-d') draft.destination = named(next());
    else if (word === '-i' || word === '-o') {
      // What is forwarded has two of them.
      if (draft.interface !== null) narrow(draft, 'some');
      draft.interface = named(next());
    } else if (ownerWords[word] !== undefined) byOwner(draft, named(`${ownerWords[word]} ${bare(next())}`));
    else if (word === '--comment') next();
    else if (word === '--dport' || word === '--dports') byPorts(draft, next().split(','), negated);
    else if (word === '--ctstate' || word === '--state') byState(draft, next().split(','), negated);
    else if (word === '--tcp-flags') {
      next();
      // The first packet carries SYN and nothing else.
      if ((next() === 'SYN') === negated) narrow(draft, 'never');
    } else narrow(draft, 'some');
    negated = false;
  }
  return draft;
}

const value = String.raw`(!= |== )?(\{[^}]*\}|"[^"]*"|\S+)`;

/** The text in front of the verdict. */
export function matchOfNft(text: string): Match {
  const draft = { ...anything };
  const take = (head: string, use: (items: readonly string[], negated: boolean) => void): void => {
    rest = rest.replace(new RegExp(`${head} ${value}`), (_, sign: string | undefined, items: string) => {
      const list = items.replace(/[{}"]/g, '').split(',');
      use(
        list.map((item) => item.trim()),
        sign === '!= ',
      );
      return '';
    });
  };
  const named = (items: readonly string[], negated: boolean) => `${negated ? '!' : ''}${items.join(',')}`;
  let rest = text
    .replace(/\bcounter( packets \d+ bytes \d+)?/, '')
    .replace(/\blog( prefix "[^"]*")?( level \w+)?( flags [\w, ]+)?/, '')
    .replace(/\bmeta nfproto ipv4\b/, '');
  take(String.raw`\b(?:meta l4proto|ip protocol|ip6 nexthdr)`, (items, negated) => byProtocol(draft, items, negated));
  take(String.raw`\bct state`, (items, negated) => byState(draft, items, negated));
  take(String.raw`\b(?:tcp|th) dport`, (items, negated) => byPorts(draft, items, negated));
  take(String.raw`\bip saddr`, (items, negated) => (draft.source = named(items, negated)));
  take(String.raw`\bip daddr`, (items, negated) => (draft.destination = named(items, negated)));
  take(String.raw`\b[io]if(?:name)?`, (items, negated) => {
    if (items.length > 1) narrow(draft, 'some');
    draft.interface = named(items, negated);
  });
  for (const kind of ['uid', 'gid'])
    take(String.raw`\b(?:meta )?sk${kind}`, (items, negated) =>
      byOwner(draft, named([`${kind} ${items.join(',')}`], negated)),
    );
  take(String.raw`\bsocket cgroupv2 level \d+`, (items, negated) =>
    byOwner(draft, named([`cgroup ${items.map(bare).join(',')}`], negated)),
  );
  rest = rest.replace(/\btcp flags (syn \/ \S+|& \([^)]*\) == syn\b|syn\b(?! ?,))/, '');
  if (/\b(udp|icmp|icmpv6|sctp|dccp|igmp|esp|ah)\b/.test(rest)) narrow(draft, 'never');
  else if (rest.trim() !== '') narrow(draft, 'some');
  return draft;
}
