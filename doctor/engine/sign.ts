// A sign: one sentence about the installation that facts can show to be so, not so, or leave open. Rules are lists of signs.
import type { FactKey, FactTypes } from './facts.ts';
import { every, negate, some, type Tri } from './tri.ts';
import type { Seat, View } from './view.ts';

export interface Sign {
  /** The sentence, as it reads when the sign holds. */
  readonly claim: (view: View) => string;
  readonly holds: (view: View) => Tri;
}

export function sign(claim: string | ((view: View) => string), holds: (view: View) => Tri): Sign {
  return { claim: typeof claim === 'string' ? () => claim : claim, holds };
}

/** Reads one fact: unknown stays unknown; what does not apply to this installation is a no. */
export function judge<K extends FactKey>(
  view: View,
  at: readonly [key: K, seat: Seat, subject?: string],
  test: (value: FactTypes[K]) => boolean | Tri,
): Tri {
  const reading = view.read(...at);
  if (reading.status === 'unknown') return 'unknown';
  if (reading.status === 'not-applicable') return 'no';
  const result = test(reading.value);
  if (typeof result === 'string') return result;
  return result ? 'yes' : 'no';
}

/** The same sentence turned round. A claim of its own is needed, since "not" reads badly in evidence. */
export function not(claim: string | ((view: View) => string), of: Sign): Sign {
  return sign(claim, (view) => negate(of.holds(view)));
}

export function allOf(claim: string | ((view: View) => string), ...signs: readonly Sign[]): Sign {
  return sign(claim, (view) => every(signs.map((item) => item.holds(view))));
}

export function anyOf(claim: string | ((view: View) => string), ...signs: readonly Sign[]): Sign {
  return sign(claim, (view) => some(signs.map((item) => item.holds(view))));
}
