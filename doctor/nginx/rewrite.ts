// The rewrite phase of one block, as far as it can be followed: return, rewrite, set, break, and `if` with a condition that is known.
import type { Directive } from './parse.ts';
import { matches, regexOf, type Variables } from './variables.ts';

export type RewriteResult =
  /** Go on with this path; `again` = search for a location anew; `fixed` = a rewrite changed it and stays here. */
  | {
      readonly kind: 'path';
      readonly path: string;
      readonly again: boolean;
      readonly fixed: boolean;
      readonly inner: Directive | null;
    }
  | { readonly kind: 'answer'; readonly status: number; readonly text: string; readonly at: Directive }
  | { readonly kind: 'unknown'; readonly why: string; readonly at: Directive };

interface State {
  path: string;
  fixed: boolean;
  inner: Directive | null;
}

export function runRewrites(block: readonly Directive[], path: string, variables: Variables): RewriteResult {
  const state: State = { path, fixed: false, inner: null };
  const ended = runBlock(block, state, variables);
  if (ended && ended !== 'stop') return ended;
  const again = state.path !== path && !state.fixed && ended !== 'stop';
  return { kind: 'path', path: state.path, again, fixed: state.path !== path && !again, inner: state.inner };
}

function runBlock(block: readonly Directive[], state: State, variables: Variables): RewriteResult | 'stop' | null {
  for (const item of block) {
    if (item.name === 'set')
      variables.set((item.args[0] ?? '').replace(/^\$/, ''), variables.expand(item.args[1] ?? ''));
    else if (item.name === 'break') return 'stop';
    else if (item.name === 'return') return answer(item, variables);
    else if (item.name === 'rewrite') {
      const ended = rewrite(item, state, variables);
      if (ended) return ended;
    } else if (item.name === 'if' && item.block) {
      const taken = condition(item, variables);
      if (taken === null) {
        if (changesRoute(item.block))
          return { kind: 'unknown', why: `the condition ${item.args.join(' ')} cannot be decided`, at: item };
      } else if (taken) {
        state.inner = item;
        const ended = runBlock(item.block, state, variables);
        if (ended) return ended;
      }
    }
  }
  return null;
}

function changesRoute(block: readonly Directive[]): boolean {
  return block.some((item) => ['return', 'rewrite', 'proxy_pass', 'set'].includes(item.name));
}

function answer(item: Directive, variables: Variables): RewriteResult {
  const [first = '', second] = item.args;
  if (/^\d+$/.test(first)) {
    return { kind: 'answer', status: Number(first), text: variables.expand(second ?? '') ?? second ?? '', at: item };
  }
  return { kind: 'answer', status: 302, text: variables.expand(first) ?? first, at: item };
}

function rewrite(item: Directive, state: State, variables: Variables): RewriteResult | 'stop' | null {
  const [pattern = '', replacement = '', flag] = item.args;
  const match = regexOf(pattern, false)?.exec(state.path);
  if (!match) return null;
  const filled = replacement.replace(/\$(\d)/g, (_whole, index: string) => match[Number(index)] ?? '');
  const target = variables.expand(filled);
  if (target === null) return { kind: 'unknown', why: `the rewrite to ${replacement} cannot be decided`, at: item };
  if (/^https?:\/\//.test(target) || flag === 'redirect' || flag === 'permanent') {
    return { kind: 'answer', status: flag === 'permanent' ? 301 : 302, text: target, at: item };
  }
  state.path = target.split('?')[0] ?? target;
  if (flag === 'break') {
    state.fixed = true;
    return 'stop';
  }
  if (flag === 'last') return { kind: 'path', path: state.path, again: true, fixed: false, inner: null };
  // Without a flag the remaining rewrites run, and a location is searched anew at the end.
  return null;
}

/** True or false where every part is known, else null. Arguments come as `($a`, `=`, `b)`. */
function condition(item: Directive, variables: Variables): boolean | null {
  const words = item.args
    .join(' ')
    .replace(/^\(\s*/, '')
    .replace(/\s*\)$/, '')
    .split(/\s+/);
  const [left = '', operator, ...rest] = words;
  if (left.startsWith('-') || left.startsWith('!-')) return null;
  const value = variables.expand(left);
  if (value === null) return null;
  if (operator === undefined) return value !== '' && value !== '0';
  const right = rest.join(' ').replace(/^["']|["']$/g, '');
  if (operator === '=') return value === right;
  if (operator === '!=') return value !== right;
  if (operator.startsWith('~')) return matches(`${operator}${right}`, value);
  if (operator.startsWith('!~')) return !matches(`${operator.slice(1)}${right}`, value);
  return null;
}
