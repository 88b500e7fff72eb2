// Chooses the smallest set of causes that explains the findings. Deterministic; no weights. Symptoms are never promoted to fill a gap.

import { type GatewayTopology, hopOrder, type RuledOut } from '../vocabulary/index.ts';
import type { Candidate } from './candidates.ts';
import { isFinding, type Judgement } from './verdicts.ts';

/** The second and last shape between a rule and its report: a candidate whose look-alikes were looked at. */
export interface Chosen {
  readonly candidate: Candidate;
  readonly confidence: 'proven' | 'likely';
  /** Ids of the gateways that it was seen from. */
  readonly gateways: readonly string[];
  readonly ruledOut: readonly RuledOut[];
  /** Rivals that cannot be told apart yet; only a cause without any is reported. */
  readonly rivals: Undecided;
  readonly explains: readonly Judgement[];
  readonly chain: readonly Candidate[];
}

export interface Undecided {
  readonly codes: readonly string[];
  /** `key @ vantage` of the facts that would tell them apart. */
  readonly need: readonly string[];
}

export interface Selection {
  readonly active: readonly Chosen[];
  readonly latent: readonly Chosen[];
  readonly sight: readonly Chosen[];
  readonly unsure: readonly Undecided[];
  readonly unexplained: readonly Judgement[];
}

export function selectCauses(candidates: readonly Candidate[], judgements: readonly Judgement[]): Selection {
  const named = candidates.flatMap((candidate) => nameCandidate(candidate, candidates));
  const findings = judgements.filter((item) => isFinding(item));
  const merged = mergeGateways(
    named.filter((item) => item.rivals.codes.length === 0),
    findings,
  );
  const roots = foldChains(merged.filter((item) => item.candidate.rule.scope === 'active' && item.explains.length > 0));
  const active = smallestSet(roots).sort(fromBackendOutwards);
  const explained = explainedBy(active, findings);
  const unexplained = findings.filter((item) => item.check.outage && !explained.has(item));
  const others = (scope: 'latent' | 'sight') =>
    merged.filter((item) => item.candidate.rule.scope === scope).sort(fromBackendOutwards);
  return {
    active: active.map((item) => ({
      ...item,
      explains: findings.filter((one) => explainsFinding(item, one, findings)),
    })),
    latent: others('latent'),
    sight: others('sight'),
    unsure: undecided(named, candidates, unexplained),
    unexplained,
  };
}

/** Necessary signs hold: then its look-alikes must be out, by the separating sign or because their own rule is refuted. */
function nameCandidate(candidate: Candidate, all: readonly Candidate[]): readonly Chosen[] {
  if (candidate.match !== 'complete' && candidate.match !== 'partial') return [];
  const ruledOut: RuledOut[] = [];
  const codes: string[] = [];
  const need: string[] = [];
  let open = false;
  for (const { code, title, sign } of candidate.separations) {
    const rival = all.find((item) => item.rule.code === code && item.gateway === candidate.gateway);
    const name = rival?.rule.name ?? title ?? code;
    if (sign.value === 'yes') ruledOut.push({ code, title: name, why: sign.claim });
    else if (sign.value === 'no') return [];
    else if (rival?.refutation) ruledOut.push({ code, title: name, why: rival.refutation });
    else if (rival) {
      codes.push(code);
      need.push(...missingFacts(sign.reads));
    } else open = true;
  }
  const confidence = candidate.match === 'complete' && !open ? 'proven' : 'likely';
  const gateways = candidate.gateway ? [candidate.gateway.id] : [];
  return [{ candidate, confidence, gateways, ruledOut, rivals: { codes, need }, explains: [], chain: [] }];
}

function missingFacts(reads: Candidate['necessary'][number]['reads']): readonly string[] {
  return reads
    .filter((read) => read.status === 'unknown')
    .map((read) => `${read.key}${read.subject ? `(${read.subject})` : ''} @ ${read.vantage}`);
}

/** A cause of the installation seen from several gateways is one cause; the best grade speaks for it. */
function mergeGateways(named: readonly Chosen[], findings: readonly Judgement[]): readonly Chosen[] {
  const groups = new Map<string, Chosen[]>();
  for (const item of named) {
    const { rule, gateway } = item.candidate;
    const key = [rule.code, rule.scope, rule.host, rule.per === 'site' ? '' : gateway?.id].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups.values()].flatMap((group) => {
    const best = group.find((item) => item.confidence === 'proven') ?? group[0];
    if (!best) return [];
    const chosen = { ...best, gateways: group.flatMap((item) => item.gateways) };
    return [{ ...chosen, explains: findings.filter((item) => predicts(chosen, item)) }];
  });
}

function predicts(chosen: Chosen, finding: Judgement): boolean {
  if (!chosen.candidate.rule.predicts.includes(finding.check.id)) return false;
  return finding.gateway === null || chosen.gateways.includes(finding.gateway.id);
}

/** Directly predicted, or a consequence (at any depth) of a finding that is. */
function explainsFinding(chosen: Chosen, finding: Judgement, findings: readonly Judgement[]): boolean {
  const seen = new Set<Judgement>();
  const follow = (item: Judgement): boolean => {
    if (seen.has(item)) return false;
    seen.add(item);
    if (predicts(chosen, item)) return true;
    return findings.some(
      (other) =>
        item.check.dependsOn.includes(other.check.id) && sameSide(item.gateway, other.gateway) && follow(other),
    );
  };
  return follow(finding);
}

function sameSide(a: GatewayTopology | null, b: GatewayTopology | null): boolean {
  return a === null || b === null || a.id === b.id;
}

function explainedBy(chosen: readonly Chosen[], findings: readonly Judgement[]): ReadonlySet<Judgement> {
  return new Set(findings.filter((item) => chosen.some((one) => explainsFinding(one, item, findings))));
}

/** Seen only behind a hop that leads to another place: it is that place's. */
function isLedAway(item: Chosen, other: Chosen): boolean {
  const [behind, at] = [item, other].map((one) => hopOrder(one.candidate.rule.hop));
  if (!other.candidate.rule.leadsAway || (behind ?? 0) >= (at ?? 0)) return false;
  return (
    item.gateways.every((id) => other.gateways.includes(id)) &&
    item.explains.every((one) => other.explains.includes(one))
  );
}

/** A cause that follows from another named one is a link in its chain, not a second card. */
function foldChains(all: readonly Chosen[]): readonly Chosen[] {
  const rootOf = (item: Chosen, seen: ReadonlySet<Chosen> = new Set()): Chosen => {
    const deeper = all.find(
      (other) =>
        other !== item &&
        !seen.has(other) &&
        (item.candidate.rule.followsFrom.includes(other.candidate.rule.code) || isLedAway(item, other)) &&
        (item.gateways.length === 0 || other.gateways.some((id) => item.gateways.includes(id))),
    );
    return deeper ? rootOf(deeper, new Set([...seen, item])) : item;
  };
  return all
    .filter((item) => rootOf(item) === item)
    .map((root) => {
      const links = all.filter((item) => item !== root && rootOf(item) === root);
      return {
        ...root,
        chain: links.map((item) => item.candidate),
        explains: [...new Set([...root.explains, ...links.flatMap((item) => item.explains)])],
      };
    });
}

/** Every proven cause stays; a likely one only if it explains something that nothing accepted before it explains. */
function smallestSet(roots: readonly Chosen[]): Chosen[] {
  const ranked = [...roots].sort(
    (a, b) => Number(b.confidence === 'proven') - Number(a.confidence === 'proven') || fromBackendOutwards(a, b),
  );
  const accepted: Chosen[] = [];
  const explained = new Set<Judgement>();
  for (const item of ranked) {
    const fresh = item.explains.some((finding) => !explained.has(finding));
    if (item.confidence !== 'proven' && !fresh) continue;
    accepted.push(item);
    for (const finding of item.explains) explained.add(finding);
  }
  return accepted;
}

function fromBackendOutwards(a: Chosen, b: Chosen): number {
  const byHop = hopOrder(a.candidate.rule.hop) - hopOrder(b.candidate.rule.hop);
  if (byHop !== 0) return byHop;
  const byCode = a.candidate.rule.code.localeCompare(b.candidate.rule.code, 'en');
  return byCode !== 0 ? byCode : (a.gateways[0] ?? '').localeCompare(b.gateways[0] ?? '', 'en');
}

/** How many candidates are worth naming to somebody who has to look further himself. */
const maxOpen = 4;

/**
 * What could still explain the rest: candidates that fit and cannot be told from a rival, and candidates that lack one fact.
 * Only while something is left unexplained.
 */
function undecided(
  named: readonly Chosen[],
  candidates: readonly Candidate[],
  unexplained: readonly Judgement[],
): readonly Undecided[] {
  // What only follows from another finding points at nobody: the first break has to be explained.
  const first = unexplained.filter((item) => !unexplained.some(({ check }) => item.check.dependsOn.includes(check.id)));
  const helps = ({ rule }: Candidate) =>
    rule.scope === 'active' && first.some((item) => rule.predicts.includes(item.check.id));
  const rivals = named
    .filter((item) => item.rivals.codes.length > 0 && helps(item.candidate))
    .map((item) => ({ codes: [item.candidate.rule.code, ...item.rivals.codes].sort(), need: item.rivals.need }));
  const open = candidates
    .filter((item) => item.match === 'open' && helps(item))
    .map((item) => ({ item, gaps: item.necessary.filter((one) => one.value === 'unknown') }))
    .filter(({ item, gaps }) => gaps.length === 1 && item.necessary.some((one) => one.value === 'yes'))
    .sort((a, b) => b.item.necessary.length - a.item.necessary.length)
    .slice(0, maxOpen);
  const groups = [...rivals];
  if (open.length > 0) {
    groups.push({
      codes: [...new Set(open.map(({ item }) => item.rule.code))].sort(),
      need: open.flatMap(({ gaps }) => gaps.flatMap((gap) => missingFacts(gap.reads))),
    });
  }
  const byCodes = new Map<string, Undecided>();
  for (const { codes, need } of groups) {
    const key = codes.join(' ');
    const earlier = byCodes.get(key)?.need ?? [];
    byCodes.set(key, { codes, need: [...new Set([...earlier, ...need])].sort() });
  }
  return [...byCodes.values()];
}
