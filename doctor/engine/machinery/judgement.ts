// The rules that every cause is judged by, whatever its row says: it speaks of a program that was really seen, it sits where the path breaks,
// and nobody else gave the answer that it explains. Decided in docs/decisions/0015.

import { isItself, type Program, signs, strangerText } from '../signs/index.ts';
import { createView, type HopReport, hops } from '../vocabulary/index.ts';
import type { Candidate, Scene } from './candidates.ts';
import { isFinding, type Judgement } from './verdicts.ts';

const { nobodyHasTheName } = signs.nginx;

/** What the whole path looks like from the gateway that a candidate was judged for. */
export interface Outlook {
  readonly scene: Scene;
  readonly judgements: readonly Judgement[];
  readonly path: readonly HopReport[];
}

/** Hops whose answer comes from whoever nginx picked: where that is another server block, it is not about this installation. */
const beyondServer: readonly string[] = ['tls', 'route', 'upgrade', 'hello'];

/** The candidate as the rules leave it. */
export function underRules(candidate: Candidate, outlook: Outlook): Candidate {
  const { rule, match, gateway } = candidate;
  if (match === 'refuted' || rule.scope === 'sight') return candidate;
  const view = createView(outlook.scene.store, outlook.scene.topology, gateway);
  const depends = rule.scope === 'active' && beyondServer.includes(rule.hop);
  const stranger = depends ? nobodyHasTheName.holds(view) : 'no';
  if (stranger === 'yes') return refuted(candidate, nobodyHasTheName.claim(view));
  const itself = rule.about === undefined ? 'yes' : isItself(view, rule.about);
  if (itself === 'no') return refuted(candidate, strangerText(view, rule.about as Program));
  const isProof = itself === 'yes' && stranger === 'no' && !isBehind(candidate, outlook);
  return match === 'complete' && !isProof ? { ...candidate, match: 'partial' } : candidate;
}

function refuted(candidate: Candidate, refutation: string): Candidate {
  return { ...candidate, match: 'refuted', refutation };
}

/** Behind a hop that already fails, with no failure of its own to show and none of that hop's to explain. */
function isBehind({ rule, gateway }: Candidate, { path, judgements }: Outlook): boolean {
  const own = path.filter((hop) => hop.gateway === (gateway?.id ?? ''));
  const at = own.find((hop) => hop.id === rule.hop);
  const first = own.find((hop) => hop.state === 'fail');
  if (at?.state !== 'blocked' || first === undefined || orderOf(first.id) >= orderOf(at.id)) return false;
  return !judgements.some(
    (item) =>
      isFinding(item) &&
      item.check.hop === first.id &&
      rule.predicts.includes(item.check.id) &&
      (item.gateway === null || item.gateway.id === gateway?.id),
  );
}

function orderOf(id: string): number {
  return hops.findIndex((hop) => hop.id === id);
}
