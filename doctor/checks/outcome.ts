// Turns a three-valued sign into a verdict with its sentence.
import type { Claim, Tri, Verdict, View } from '../engine/index.ts';

interface Sentences {
  readonly pass?: (view: View) => string;
  readonly fail: (view: View) => string;
  readonly unknown?: string;
}

export function verdictOf(view: View, value: Tri, say: Sentences): Verdict {
  if (value === 'yes') return { state: 'pass', detail: say.pass?.(view) ?? '' };
  if (value === 'unknown') return { state: 'unknown', detail: say.unknown ?? 'not enough facts' };
  return { state: 'fail', detail: say.fail(view) };
}

/** The sign itself ought to hold. */
export function expectSign(expected: Claim, say: Sentences): (view: View) => Verdict {
  return (view) => verdictOf(view, expected.holds(view), say);
}

/** Milder: what fails here is worth a look and no outage. */
export function asWarning(verdict: Verdict): Verdict {
  return verdict.state === 'fail' ? { state: 'warn', detail: verdict.detail } : verdict;
}

export function skipped(detail: string): Verdict {
  return { state: 'skipped', detail };
}
