// The access phase: addresses, passwords and sub-requests that may turn a request away before it is passed on.
import type { Directive } from './parse.ts';
import { nearest, nearestList, type Scope } from './scope.ts';
import type { Variables } from './variables.ts';

export type Access =
  | { readonly kind: 'open' | 'passes'; readonly guard: Directive | null }
  | { readonly kind: 'refused'; readonly status: number; readonly at: Directive };

/** What one rule says: let in, no opinion, turned away with a status, or not to be known from files. */
type Opinion = { readonly say: 'in' | 'none' | 'open' } | { readonly say: 'out'; readonly status: number };

export interface Asker {
  /** Address of who asks; undefined = not known. */
  readonly client: string | undefined;
  readonly variables: Variables;
  /** What the sub-request of `auth_request` is answered with; null = it is passed on to some program. */
  readonly ask: (uri: string) => number | null;
}

/** In nginx's order. `open` = it hangs on who asks, or on what another program answers. */
export function decideAccess(scope: Scope, asker: Asker): Access {
  const any = nearest(scope, 'satisfy')?.args[0] === 'any';
  const guard = nearest(scope, 'auth_request');
  const rules = nearestList(scope, 'allow', 'deny');
  const basic = nearest(scope, 'auth_basic');
  const opinions: readonly (readonly [Directive | null, Opinion])[] = [
    [rules[0] ?? null, byAddress(rules, asker.client)],
    [basic, byPassword(scope, basic, asker.variables)],
    [guard, bySubrequest(guard, asker)],
  ];
  let open = false;
  let refused: Extract<Access, { kind: 'refused' }> | null = null;
  for (const [at, opinion] of opinions) {
    if (opinion.say === 'open') open = true;
    if (opinion.say === 'in' && any) return { kind: 'passes', guard };
    if (opinion.say !== 'out' || !at) continue;
    const refusal: Access = { kind: 'refused', status: opinion.status, at };
    // What asks for a password outranks a plain refusal; anything else than these two ends the request at once.
    const final = !any || ![401, 403].includes(opinion.status);
    if (final) return open && any ? { kind: 'open', guard } : refusal;
    if (refused?.status !== 401) refused = refusal;
  }
  if (open) return { kind: 'open', guard };
  return refused ?? { kind: 'passes', guard };
}

function byAddress(rules: readonly Directive[], client: string | undefined): Opinion {
  for (const { name, args } of rules) {
    const holds = args[0] === 'all' || (client === undefined ? null : covers(args[0] ?? '', client));
    if (holds === null) return { say: 'open' };
    if (holds) return name === 'allow' ? { say: 'in' } : { say: 'out', status: 403 };
  }
  return { say: 'none' };
}

/** Null for a form that is not compared here (IPv6 ranges). */
function covers(rule: string, client: string): boolean | null {
  if (rule === client) return true;
  if (rule.startsWith('unix:')) return false;
  const [network = '', bits = '32'] = rule.split('/');
  if (network.includes(':') !== client.includes(':')) return false;
  if (network.includes(':')) return rule.includes('/') ? null : false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(number(network) / size) === Math.floor(number(client) / size);
}

function number(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Agents send no password: a realm with a file of users refuses them. */
function byPassword(scope: Scope, basic: Directive | null, variables: Variables): Opinion {
  if (!basic || !nearest(scope, 'auth_basic_user_file')) return { say: 'none' };
  const realm = variables.expand(basic.args[0] ?? '');
  if (realm === null) return { say: 'open' };
  return realm === 'off' ? { say: 'none' } : { say: 'out', status: 401 };
}

function bySubrequest(guard: Directive | null, { variables, ask }: Asker): Opinion {
  const uri = guard?.args[0] ?? 'off';
  if (uri === 'off') return { say: 'none' };
  const target = variables.expand(uri);
  const status = target === null ? null : ask(target);
  if (status === null) return { say: 'open' };
  if (status >= 200 && status < 300) return { say: 'in' };
  return { say: 'out', status: status === 401 || status === 403 ? status : 500 };
}
