// Which location takes a path: exact, then the longest prefix (and what is nested in it), then regexes in order unless ^~ forbids them.
import type { Directive } from './parse.ts';
import { regexOf } from './variables.ts';

export interface LocationChoice {
  readonly location: Directive;
  /** Blocks from the location outwards, without the server: nested locations. */
  readonly chain: readonly Directive[];
  /** nginx answers 301 to the same path with a slash: the path is a proxied location's name without its last slash. */
  readonly redirects: boolean;
}

export function modifierOf(location: Directive): string {
  return location.args.length > 1 ? (location.args[0] ?? '') : '';
}

export function patternOf(location: Directive): string {
  return location.args.at(-1) ?? '';
}

function locationsIn(block: readonly Directive[]): readonly Directive[] {
  return block.filter((item) => item.name === 'location' && item.block);
}

/** As ngx_http_core_find_location does it, nested locations included. */
export function chooseLocation(block: readonly Directive[], path: string): LocationChoice | null {
  const all = locationsIn(block).filter((item) => !patternOf(item).startsWith('@'));
  const isRegex = (item: Directive) => modifierOf(item).startsWith('~');
  const chosen = (location: Directive, redirects = false): LocationChoice => ({
    location,
    chain: [location],
    redirects,
  });
  const exact = all.find((item) => modifierOf(item) === '=' && patternOf(item) === path);
  if (exact) return chosen(exact);
  const hasSame = all.some((item) => !isRegex(item) && patternOf(item) === path);
  const slashed = all.find((item) => !isRegex(item) && patternOf(item) === `${path}/` && passesOn(item));
  if (slashed && !hasSame) return chosen(slashed, true);
  const prefixes = all.filter((item) => !isRegex(item) && modifierOf(item) !== '=' && path.startsWith(patternOf(item)));
  const longest = prefixes.sort((a, b) => patternOf(b).length - patternOf(a).length)[0];
  const nested = longest ? chooseLocation(longest.block ?? [], path) : null;
  if (longest && nested) return { ...nested, chain: [...nested.chain, longest] };
  if (!longest || modifierOf(longest) !== '^~') {
    for (const item of all.filter(isRegex)) {
      if (!regexOf(patternOf(item), modifierOf(item) === '~*')?.test(path)) continue;
      const inner = chooseLocation(item.block ?? [], path);
      if (inner) return { ...inner, chain: [...inner.chain, item] };
      return chosen(item);
    }
  }
  return longest ? chosen(longest) : null;
}

export function namedLocation(block: readonly Directive[], name: string): Directive | null {
  return locationsIn(block).find((item) => patternOf(item) === name) ?? null;
}

function passesOn(location: Directive): boolean {
  return (location.block ?? []).some((item) => /^(proxy|fastcgi|uwsgi|scgi|grpc)_pass$/.test(item.name));
}
