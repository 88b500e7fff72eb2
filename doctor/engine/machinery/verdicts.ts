// Runs checks over the facts. A check that crashes is its own verdict; it cannot stop the others.

import { createView, type GatewayTopology, type Read, type VerdictReport } from '../vocabulary/index.ts';
import type { Scene } from './candidates.ts';
import type { Check, Verdict } from './check.ts';
import { evidenceFor } from './evidence.ts';

export interface Judgement {
  readonly check: Check;
  readonly gateway: GatewayTopology | null;
  readonly verdict: Verdict;
  readonly reads: readonly Read[];
}

export function judgeChecks(checks: readonly Check[], scene: Scene): readonly Judgement[] {
  return checks.flatMap((check) => {
    if (check.per === 'site') return [judgeCheck(check, scene, scene.topology.gateways[0] ?? null)];
    return scene.topology.gateways.map((gateway) => judgeCheck(check, scene, gateway));
  });
}

function judgeCheck(check: Check, scene: Scene, gateway: GatewayTopology | null): Judgement {
  const view = createView(scene.store, scene.topology, gateway);
  let verdict: Verdict;
  try {
    verdict = check.evaluate(view);
  } catch (error) {
    verdict = {
      state: 'error',
      detail: `the check itself failed: ${error instanceof Error ? error.message : 'unknown'}`,
    };
  }
  return { check, gateway: check.per === 'site' ? null : gateway, verdict, reads: [...view.reads] };
}

export function verdictReport(judgement: Judgement, scene: Scene): VerdictReport {
  const { check, gateway, verdict, reads } = judgement;
  const hosts = {
    op: 'here',
    be: scene.topology.backend.host.name,
    gw: (gateway ?? scene.topology.gateways[0])?.host.name ?? '',
  };
  return {
    check: check.id,
    title: check.title,
    hop: check.hop,
    host: hosts[check.host],
    gateway: gateway?.id ?? '',
    state: verdict.state,
    detail: verdict.detail,
    evidence: evidenceFor(check.title, reads),
  };
}

export function isFinding(judgement: Judgement): boolean {
  return judgement.verdict.state === 'fail';
}
