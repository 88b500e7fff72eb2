// Which location takes a path: exact, then the longest prefix (and what is nested in it), then regexes in order unless ^~ forbids them.
import type { Directive } from './parse.ts';
import { regexOf } from './variables.ts';

export interface LocationChoice {
  readonly location: Directive;
  /** Blocks from the location outwards, without the server: nested locations. */
  readonly chain: readonly Directive[];
  readonly captures: readonly string[];
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
  const exact = all.find((item) => modifierOf(item) === '=' && patternOf(item) === path);
  if (exact) return { location: exact, chain: [exact], captures: [] };
  const prefixes = all.filter((item) => !isRegex(item) && modifierOf(item) !== '=' && path.startsWith(patternOf(item)));
  const longest = prefixes.sort((a, b) => patternOf(b).length - patternOf(a).length)[0];
  const nested = longest ? chooseLocation(longest.block ?? [], path) : null;
  if (longest && nested) return { ...nested, chain: [...nested.chain, longest] };
  if (!longest || modifierOf(longest) !== '^~') {
    for (const item of all.filter(isRegex)) {
      const match = regexOf(patternOf(item), modifierOf(item) === '~*')?.exec(path);
      if (!match) continue;
      const inner = chooseLocation(item.block ?? [], path);
      if (inner) return { ...inner, chain: [...inner.chain, item] };
      return { location: item, chain: [item], captures: [...match] };
    }
  }
  return longest ? { location: longest, chain: [longest], captures: [] } : null;
}

export function namedLocation(block: readonly Directive[], name: string): Directive | null {
  return locationsIn(block).find((item) => patternOf(item) === name) ?? null;
}

/** `/ws` with a proxied `location /ws/` and nothing better: nginx answers 301 to `/ws/` by itself. */
export function addsSlash(block: readonly Directive[], path: string): Directive | null {
  const passes = (item: Directive) =>
    (item.block ?? []).some((inner) => /^(proxy|fastcgi|uwsgi|scgi|grpc)_pass$/.test(inner.name));
  return (
    locationsIn(block).find(
      (item) =>
        !modifierOf(item).startsWith('~') && modifierOf(item) !== '=' && patternOf(item) === `${path}/` && passes(item),
    ) ?? null
  );
}
