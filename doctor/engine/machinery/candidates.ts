// Grades every cause rule against the facts, as seen from one gateway. Decides nothing about which causes are reported; selection.ts does.

import {
  type Claim,
  createView,
  every,
  type FactStore,
  type GatewayTopology,
  type Read,
  type Topology,
  type Tri,
  type View,
} from '../vocabulary/index.ts';
import type { CauseRule } from './cause.ts';

/** One sign with what it came to and what it stood on. */
export interface Judged {
  readonly claim: string;
  readonly value: Tri;
  readonly reads: readonly Read[];
}

export interface Separation {
  readonly code: string;
  readonly title: string | null;
  readonly sign: Judged;
}

export interface Candidate {
  readonly rule: CauseRule;
  readonly gateway: GatewayTopology | null;
  readonly view: View;
  /** `complete`: necessary and signature hold; `partial`: necessary holds, signature has gaps; `open`: a necessary fact is missing. */
  readonly match: 'complete' | 'partial' | 'open' | 'refuted';
  readonly refutation: string | null;
  readonly necessary: readonly Judged[];
  readonly signature: readonly Judged[];
  readonly supports: readonly Judged[];
  readonly separations: readonly Separation[];
}

export interface Scene {
  readonly store: FactStore;
  readonly topology: Topology;
}

function judgeSign(sign: Claim, scene: Scene, gateway: GatewayTopology | null): Judged {
  const view = createView(scene.store, scene.topology, gateway);
  const value = sign.holds(view);
  const reads = [...view.reads];
  return { claim: sign.claim(view), value, reads };
}

export function gradeCause(rule: CauseRule, scene: Scene, gateway: GatewayTopology | null): Candidate {
  const judgeAll = (signs: readonly Claim[]) => signs.map((item) => judgeSign(item, scene, gateway));
  const necessary = judgeAll(rule.necessary);
  const signature = judgeAll(rule.signature);
  const forbidden = judgeAll(rule.forbids).find((item) => item.value === 'yes');
  const absent = necessary.findIndex((item) => item.value === 'no');
  const separations = rule.lookalikes.map((item) => ({
    code: item.code,
    title: item.title ?? null,
    sign: judgeSign(item.separator, scene, gateway),
  }));
  const view = createView(scene.store, scene.topology, gateway);
  const refutation = forbidden?.claim ?? rule.necessary[absent]?.denial(view) ?? null;
  const proof = every(signature.map((item) => item.value));
  let match: Candidate['match'] = 'refuted';
  if (refutation === null) {
    const needed = every(necessary.map((item) => item.value));
    if (needed === 'unknown' || proof === 'no') match = 'open';
    else match = proof === 'yes' ? 'complete' : 'partial';
  }
  const supports = judgeAll(rule.supports);
  return { rule, gateway, view, match, refutation, necessary, signature, supports, separations };
}

/** Grades all rules for all gateways; a site without gateways is looked at once. */
export function gradeAll(rules: readonly CauseRule[], scene: Scene): readonly Candidate[] {
  const seats: readonly (GatewayTopology | null)[] =
    scene.topology.gateways.length > 0 ? scene.topology.gateways : [null];
  return seats.flatMap((gateway) => rules.map((rule) => gradeCause(rule, scene, gateway)));
}
