// The rewrite phase of one block, as far as it can be followed: return, rewrite, set, break, and `if` with a condition that is known.
import type { Directive } from './parse.ts';
import type { Match, Variables } from './variables.ts';

/** Where a request stands between the phases. */
export interface Position {
  /** Normalised, without a query. */
  path: string;
  /** Nothing has changed the request line: proxy_pass without a URI part sends it on as it came. */
  untouched: boolean;
  /** A `break` left a changed path in its location: the URI part of proxy_pass is then not used. */
  detached: boolean;
  /** Rewritten or redirected inside: `internal` locations take it. */
  internal: boolean;
}

export type RewriteResult =
  /** `again` = search for a location once more; `inner` = the `if` whose block holds from here on. */
  | { readonly kind: 'go'; readonly again: boolean; readonly inner: Directive | null }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly hasText: boolean;
      readonly at: Directive;
      /** The `if` that it stands in. */
      readonly within?: Directive;
    }
  | { readonly kind: 'unknown'; readonly why: string; readonly at: Directive };

interface State {
  readonly position: Position;
  readonly variables: Variables;
  changed: boolean;
  inner: Directive | null;
}

type Ended = Exclude<RewriteResult, { kind: 'go' }> | 'stop' | null;

/** Moves the position; a location is searched again where the last change did not say `break`. */
export function runRewrites(block: readonly Directive[], position: Position, variables: Variables): RewriteResult {
  const state: State = { position, variables, changed: false, inner: null };
  const ended = runBlock(block, state);
  if (ended && ended !== 'stop') return ended;
  return { kind: 'go', again: state.changed, inner: state.inner };
}

function runBlock(block: readonly Directive[], state: State): Ended {
  for (const item of block) {
    const ended = step(item, state);
    if (ended) return ended;
  }
  return null;
}

function step(item: Directive, state: State): Ended {
  const { variables, position } = state;
  if (item.name === 'set') variables.set((item.args[0] ?? '').slice(1), variables.expand(item.args[1] ?? ''));
  if (item.name === 'break') {
    if (state.changed) position.detached = true;
    state.changed = false;
    return 'stop';
  }
  if (item.name === 'return') return answer(item, variables);
  if (item.name === 'rewrite') return rewrite(item, state);
  if (item.name !== 'if' || !item.block) return null;
  const taken = condition(item, variables);
  if (taken === 'unknown') {
    return item.block.every((inner) => harmless.has(inner.name))
      ? null
      : { kind: 'unknown', why: `the condition ${item.args.join(' ')} cannot be decided`, at: item };
  }
  if (taken === 'no') return null;
  state.inner = item;
  const ended = runBlock(item.block, state);
  return ended !== null && ended !== 'stop' && ended.kind === 'answer' ? { within: item, ...ended } : ended;
}

/** What an `if` can hold without changing where a request goes. */
const harmless: ReadonlySet<string> = new Set(['add_header', 'access_log', 'expires', 'limit_rate']);

function answer(item: Directive, variables: Variables): Ended {
  const [first = '', text] = item.args;
  if (/^\d+$/.test(first)) return { kind: 'answer', status: Number(first), hasText: (text ?? '') !== '', at: item };
  return variables.expand(first) === '' ? null : { kind: 'answer', status: 302, hasText: true, at: item };
}

function rewrite(item: Directive, state: State): Ended {
  const { position, variables } = state;
  const [pattern = '', replacement = '', flag] = item.args;
  const matched = variables.match(pattern, false, position.path);
  if (matched === 'unknown') return { kind: 'unknown', why: `the pattern ${pattern} is not understood`, at: item };
  if (matched === 'no') {
    variables.dropGroups();
    return null;
  }
  // nginx looks at the text as written: a variable that holds a whole URL does not redirect.
  const leaves = /^(https?:\/\/|\$scheme)/.test(replacement);
  if (leaves || flag === 'redirect' || flag === 'permanent')
    return { kind: 'answer', status: flag === 'permanent' ? 301 : 302, hasText: true, at: item };
  const target = variables.expand(replacement);
  if (target === null) return { kind: 'unknown', why: `the rewrite to ${replacement} cannot be decided`, at: item };
  const [path = '', ...query] = target.split('?');
  if (path === '') return { kind: 'answer', status: 500, hasText: false, at: item };
  const before = variables.expand('$args') ?? '';
  const added = query.join('?');
  // A question mark at the very end drops what was asked before.
  const drops = replacement.endsWith('?');
  const args = drops ? added.replace(/\?$/, '') : [added, before].filter(Boolean).join('&');
  position.path = path;
  position.untouched = false;
  position.internal = true;
  variables.moveTo(path, args);
  state.changed = flag !== 'break';
  if (flag === 'break') position.detached = true;
  // Without a flag the remaining rewrites run, and a location is searched once more at the end.
  return flag === 'break' || flag === 'last' ? 'stop' : null;
}

/** Arguments come as `($a`, `=`, `b)`. */
function condition(item: Directive, variables: Variables): Match {
  const words = item.args
    .join(' ')
    .replace(/^\(\s*/, '')
    .replace(/\s*\)$/, '')
    .split(/\s+/);
  const [left = '', operator, ...rest] = words;
  if (left.startsWith('-') || left.startsWith('!-')) return 'unknown';
  const value = variables.expand(left);
  if (value === null) return 'unknown';
  const say = (yes: boolean): Match => (yes ? 'yes' : 'no');
  if (operator === undefined) return say(value !== '' && value !== '0');
  const right = rest.join(' ').replace(/^["']|["']$/g, '');
  const pattern = /^(!?)~(\*?)$/.exec(operator);
  if (pattern) {
    const matched = variables.match(right, pattern[2] === '*', value);
    if (matched === 'no') variables.dropGroups();
    return matched === 'unknown' || pattern[1] === '' ? matched : say(matched === 'no');
  }
  const wanted = variables.expand(right);
  if (wanted === null) return 'unknown';
  if (operator === '=') return say(value === wanted);
  return operator === '!=' ? say(value !== wanted) : 'unknown';
}
