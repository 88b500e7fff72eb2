// A sign: one sentence about the installation that facts can show to be so, not so, or leave open. Rules are lists of signs.
// `sign([holds, fails], test)` has a sentence for either case: the second one is why a cause is ruled out. A sign with one sentence is a
// claim; it can be evidence, and nothing is ruled out by its absence.
import type { FactKey, FactTypes } from './facts.ts';
import { every, negate, some, type Tri } from './tri.ts';
import type { Seat, View } from './view.ts';

type Text = string | ((view: View) => string);
type Test = (view: View) => Tri;

export interface Claim {
  /** The sentence, as it reads when the sign holds. */
  readonly claim: (view: View) => string;
  readonly holds: Test;
}

export interface Sign extends Claim {
  /** The sentence, as it reads when the sign is known not to hold: what there is instead. */
  readonly denial: (view: View) => string;
}

/** Both sentences of a sign: when it holds, and when it fails. */
export type Sentences = readonly [holds: Text, fails: Text];

const spoken = (text: Text): ((view: View) => string) => (typeof text === 'string' ? () => text : text);

export function sign(says: Sentences, holds: Test): Sign;
export function sign(says: Text, holds: Test): Claim;
export function sign(says: Text | Sentences, holds: Test): Claim {
  if (typeof says === 'string' || typeof says === 'function') return { claim: spoken(says), holds };
  return signOf(says, holds);
}

function signOf([claim, denial]: Sentences, holds: Test): Sign {
  return { claim: spoken(claim), denial: spoken(denial), holds };
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

/** The same turned round, with a sentence of its own where the sign's two do not fit. */
export function not(of: Sign): Sign;
export function not(says: Text, of: Claim): Sign;
export function not(...args: readonly [Sign] | readonly [Text, Claim]): Sign {
  const [says, of] = args.length === 1 ? [args[0].denial, args[0]] : args;
  return signOf([says, of.claim], (view) => negate(of.holds(view)));
}

type Part = Claim | Test;
const isSign = (part: Part): part is Sign => typeof part === 'object' && 'denial' in part;
const tests = (parts: readonly Part[], view: View) =>
  parts.map((part) => (typeof part === 'function' ? part(view) : part.holds(view)));
/** The sentences of the parts that fail, for a sign that has none of its own for this. */
const denials = (parts: readonly Part[], view: View) =>
  parts.flatMap((part) => (isSign(part) && part.holds(view) === 'no' ? [part.denial(view)] : []));

/** Without a second sentence it fails with that of the first part that does. */
export function allOf(says: Text, ...parts: readonly Sign[]): Sign;
export function allOf(says: Sentences, ...parts: readonly Part[]): Sign;
export function allOf(says: Text, ...parts: readonly Part[]): Claim;
export function allOf(says: Text | Sentences, ...parts: readonly Part[]): Claim {
  const both = typeof says === 'object' ? says : ([says, (view: View) => denials(parts, view)[0] ?? ''] as const);
  return signOf(both, (view) => every(tests(parts, view)));
}

/** Without a second sentence it fails with those of all its parts. */
export function anyOf(says: Text, ...parts: readonly Sign[]): Sign;
export function anyOf(says: Sentences, ...parts: readonly Part[]): Sign;
export function anyOf(says: Text, ...parts: readonly Part[]): Claim;
export function anyOf(says: Text | Sentences, ...parts: readonly Part[]): Claim {
  const all = (view: View) => [...new Set(denials(parts, view))].join(', and ');
  return signOf(typeof says === 'object' ? says : [says, all], (view) => some(tests(parts, view)));
}
