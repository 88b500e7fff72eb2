// The chain of blocks around a directive (location … server, http), and how nginx inherits through it.
import type { Directive } from './parse.ts';

/** Innermost block first. */
export type Scope = readonly (readonly Directive[])[];

/** The nearest setting of a directive that is simply overridden. */
export function nearest(scope: Scope, name: string): Directive | null {
  for (const block of scope) {
    const found = block.findLast((item) => item.name === name);
    if (found) return found;
  }
  return null;
}

/** Lists such as proxy_set_header, allow/deny, limit_*: the nearest level that sets any replaces all outer ones. */
export function nearestList(scope: Scope, ...names: readonly string[]): readonly Directive[] {
  for (const block of scope) {
    const found = block.filter((item) => names.includes(item.name));
    if (found.length > 0) return found;
  }
  return [];
}

/** `90`, `90s`, `1m`, `1h30m`, `500ms` → seconds. */
export function seconds(text: string | undefined): number | null {
  if (text === undefined) return null;
  const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, '': 1 };
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w|)/g))
    total += Number(count) * (units[unit ?? ''] ?? 1);
  return /^(\d+(ms|[smhdw]?))+$/.test(text) ? total : null;
}
