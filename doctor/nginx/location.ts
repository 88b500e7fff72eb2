// Which location takes a path: exact, then the longest prefix (and what is nested in it), then regexes in order unless ^~ forbids them.
import type { Directive } from './parse.ts';
import type { Variables } from './variables.ts';

export type LocationChoice =
  | {
      readonly kind: 'found';
      /** Innermost first, without the server; empty = no location takes it. */
      readonly chain: readonly Directive[];
      /** nginx answers 301 to the same path with a slash: the path is a proxied location's name without its last slash. */
      readonly redirects: boolean;
    }
  | { readonly kind: 'unknown'; readonly why: string; readonly at: Directive };

export function modifierOf(location: Directive): string {
  if (location.args.length > 1) return location.args[0] ?? '';
  return /^(~\*?|\^~|=)/.exec(location.args[0] ?? '')?.[0] ?? '';
}

export function patternOf(location: Directive): string {
  const last = location.args.at(-1) ?? '';
  // nginx also reads `=/path` and `~pattern` written without a blank.
  return location.args.length > 1 ? last : last.slice(modifierOf(location).length);
}

function locationsIn(block: readonly Directive[]): readonly Directive[] {
  return block.filter((item) => item.name === 'location' && item.block);
}

const isRegex = (item: Directive) => modifierOf(item).startsWith('~');

/** `done`: nothing outside the nest is asked any more. */
interface Found {
  readonly kind: 'found';
  readonly chain: readonly Directive[];
  readonly done: boolean;
  readonly redirects: boolean;
}

/** As ngx_http_core_find_location does it: a nested prefix does not keep the outer regexes from being asked, a nested regex does. */
export function chooseLocation(block: readonly Directive[], path: string, variables: Variables): LocationChoice {
  return find(block, path, variables);
}

function find(
  block: readonly Directive[],
  path: string,
  variables: Variables,
): Found | Extract<LocationChoice, { kind: 'unknown' }> {
  const all = locationsIn(block).filter((item) => !patternOf(item).startsWith('@'));
  const fixed = findFixed(all, path);
  if (fixed.done) return fixed;
  const [longest] = fixed.chain;
  let { chain } = fixed;
  if (longest) {
    const nested = find(longest.block ?? [], path, variables);
    if (nested.kind === 'unknown') return nested;
    chain = [...nested.chain, longest];
    if (nested.done) return { ...nested, chain };
  }
  if (longest && modifierOf(longest) === '^~') return { kind: 'found', chain, done: false, redirects: false };
  for (const item of all.filter(isRegex)) {
    const matched = variables.match(patternOf(item), modifierOf(item) === '~*', path);
    if (matched === 'unknown')
      return { kind: 'unknown', why: `the pattern of location ${item.args.join(' ')} is not understood`, at: item };
    if (matched === 'no') continue;
    const inner = find(item.block ?? [], path, variables);
    if (inner.kind === 'unknown') return inner;
    return { kind: 'found', chain: [...inner.chain, item], done: true, redirects: false };
  }
  return { kind: 'found', chain, done: false, redirects: false };
}

/** Among the locations that are no regexes. */
function findFixed(all: readonly Directive[], path: string): Found {
  const fixed = all.filter((item) => !isRegex(item));
  const exact = fixed.find((item) => modifierOf(item) === '=' && patternOf(item) === path);
  if (exact) return { kind: 'found', chain: [exact], done: true, redirects: false };
  const prefixes = fixed.filter((item) => modifierOf(item) !== '=');
  const slashed = fixed.filter((item) => patternOf(item) === `${path}/`);
  if (slashed.some(passesOn) && !prefixes.some((item) => patternOf(item) === path)) {
    const named = slashed.find((item) => modifierOf(item) === '=') ?? slashed[0];
    if (named) return { kind: 'found', chain: [named], done: true, redirects: true };
  }
  const longest = prefixes
    .filter((item) => path.startsWith(patternOf(item)))
    .sort((a, b) => patternOf(b).length - patternOf(a).length)[0];
  return { kind: 'found', chain: longest ? [longest] : [], done: false, redirects: false };
}

export function namedLocation(block: readonly Directive[], name: string): Directive | null {
  return locationsIn(block).find((item) => item.args.length === 1 && item.args[0] === name) ?? null;
}

function passesOn(location: Directive): boolean {
  return (location.block ?? []).some((item) => /^(proxy|fastcgi|uwsgi|scgi|grpc)_pass$/.test(item.name));
}
