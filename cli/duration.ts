// Durations as operators write them: 500ms, 30s, 5m, 1h30m, 2d; a bare number is seconds.
import { runtimeErrors } from '../agents/runtime/index.ts';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const MAX_MS = 30 * UNIT_MS.d; // The protocol's longest timeout.

/** Milliseconds of a duration given for an option. Throws VW_RUNTIME_USAGE with the option's name. */
export function parseDuration(text: string, option: { readonly flag: string; readonly command: string }): number {
  const total = durationMs(text.trim());
  if (total !== undefined && total <= MAX_MS) return total;
  const problem =
    total === undefined
      ? `${option.flag}: ${JSON.stringify(text)} is not a duration; write 500ms, 30s, 5m, 1h30m or 2d`
      : `${option.flag}: ${text} is longer than 30 days`;
  throw runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: option.command });
}

function durationMs(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * UNIT_MS.s);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  }
  return Math.round(total);
}

/** A span for people: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function renderSpan(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 2 * UNIT_MS.h) return `${Math.round(ms / UNIT_MS.m)} min`;
  if (ms < 2 * UNIT_MS.d) return `${Math.round(ms / UNIT_MS.h)} h`;
  return `${Math.round(ms / UNIT_MS.d)} d`;
}
