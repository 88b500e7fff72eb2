// Facts × rules → Report. Pure and synchronous: the same facts give the same bytes, which is what makes a recording replayable.

import {
  type CauseReport,
  type EvidenceStep,
  type HopId,
  type HopReport,
  hops,
  type Report,
  type RunVerdict,
  type Topology,
  type VerdictReport,
} from '../vocabulary/index.ts';
import { type Candidate, gradeAll, type Judged, type Scene } from './candidates.ts';
import type { CauseRule } from './cause.ts';
import type { Check } from './check.ts';
import { evidenceFor } from './evidence.ts';
import { hopStates } from './hops.ts';
import { underRules } from './judgement.ts';
import { lastContact, lastWords, nextLook, nextStep } from './last-words.ts';
import { type Chosen, type Selection, selectCauses } from './selection.ts';
import { type Judgement, judgeChecks, verdictReport } from './verdicts.ts';

/** What is known about the run itself; comes from run.start and run.end. */
export interface RunMeta {
  readonly run: string;
  readonly version: string;
  readonly startedAtMs: number;
  readonly milliseconds: number;
  readonly probes: number;
  readonly complete: boolean;
  /** The exit code of the signal that stopped it; left out where none did. */
  readonly interrupted?: 129 | 130 | 143;
}

export interface Rules {
  readonly checks: readonly Check[];
  readonly causes: readonly CauseRule[];
}

/** What the checks say so far, while facts still arrive. */
export function verdictsOf(scene: Scene, checks: readonly Check[]): readonly VerdictReport[] {
  return judgeChecks(checks, scene).map((item) => verdictReport(item, scene));
}

/** The whole diagnosis. */
export function diagnose(scene: Scene, rules: Rules, meta: RunMeta): Report {
  const judgements = judgeChecks(rules.checks, scene);
  const hopReports = pathOf(scene);
  const outlook = { scene, judgements, path: hopReports };
  const candidates = gradeAll(rules.causes, scene).map((item) => underRules(item, outlook));
  const selection = selectCauses(candidates, judgements);
  const report = (item: Chosen) => causeReport(item, scene.topology);
  const causes = selection.active.map(report);
  const path = hopReports.map((hop) => ({ ...hop, causes: codesAt(hop, causes) }));
  const firstBad = path.findIndex((hop) => hop.state === 'fail');
  const lastGood = path
    .slice(0, Math.max(firstBad, 0))
    .findLast((hop) => hop.state === 'ok' || hop.state === 'ok-direct');
  const holes = holesOf(scene);
  const complete = meta.complete && holes.size === 0;
  const { verdict, exitCode } = conclude(selection, judgements, complete);
  const { interrupted, ...run } = meta;
  // What is broken beside the path (the API) has a hop of its own, and nothing before it.
  const aside = hops.find((hop) => hop.id === selection.unexplained[0]?.check.hop || hop.id === causes[0]?.hop);
  return {
    schema: 'viworks.doctor/1',
    ...run,
    complete,
    installation: {
      name: scene.topology.name,
      kind: scene.topology.kind,
      url: scene.topology.url,
      inferred: scene.topology.inferred,
    },
    hosts: hostStates(scene, holes),
    verdict,
    exitCode: interrupted ?? exitCode,
    causes,
    latent: selection.latent.map(report),
    sight: selection.sight.map(report),
    unsure: selection.unsure,
    unexplained: selection.unexplained.map((item) => ({
      check: item.check.id,
      title: item.check.title,
      gateway: item.gateway?.id ?? '',
    })),
    path,
    lastGood: lastGood ? hopName(lastGood, scene.topology) : null,
    firstBad: path[firstBad]
      ? hopName(path[firstBad], scene.topology)
      : verdict === 'healthy'
        ? null
        : (aside?.label ?? null),
    ...openEnd(scene, { verdict, judgements, hop: path[firstBad] ?? null, aside: aside?.id ?? null }),
    notes: notesOf(selection, scene.topology, complete),
    advice: adviceOf(scene),
    verdicts: judgements.map((item) => verdictReport(item, scene)),
    unknowns: unknownsOf(scene),
  };
}

/**
 * Hosts of which a part did not come back, with the reason. That is read from the facts, not from what the run says of itself: only so a
 * recording that ends early, or a fact that came late, cannot make a whole of it.
 */
function holesOf({ store }: Scene): ReadonlyMap<string, string> {
  const holes = new Map<string, string>();
  for (const { key, vantage, subject, reading } of store.all()) {
    const host = vantage === 'op' && (subject === 'be' || subject.startsWith('gw:')) ? subject : hostOfVantage(vantage);
    const newest = store.get(key, vantage, subject);
    if (newest !== reading) continue;
    if (reading.status === 'unknown' && (reading.reason === 'lost' || reading.reason === 'cut')) {
      if (!holes.has(host)) holes.set(host, reading.detail);
    } else if (key === 'host.access' && reading.status === 'known' && reading.value.outcome === 'cut') {
      holes.set(subject, reading.value.message);
    }
  }
  return holes;
}

function hostOfVantage(vantage: string): string {
  return vantage.replace(/\/ns:.*/, '');
}

function conclude(
  selection: Selection,
  judgements: readonly Judgement[],
  complete: boolean,
): { readonly verdict: RunVerdict; readonly exitCode: 0 | 3 | 5 } {
  if (selection.active.length > 0) return { verdict: 'broken', exitCode: 3 };
  if (selection.unexplained.length > 0) return { verdict: 'unexplained', exitCode: 5 };
  const open = judgements.some(
    (item) => item.check.required && (item.verdict.state === 'unknown' || item.verdict.state === 'error'),
  );
  return open || !complete ? { verdict: 'inconclusive', exitCode: 5 } : { verdict: 'healthy', exitCode: 0 };
}

interface OpenEnd {
  readonly verdict: Report['verdict'];
  readonly judgements: readonly Judgement[];
  readonly hop: HopReport | null;
  readonly aside: HopId | null;
}

/** Where no cause is named the reader goes on: with the words of those who saw it, and with one command. */
function openEnd(scene: Scene, of: OpenEnd): Pick<Report, 'lastWords' | 'lastContact' | 'next'> {
  const gateways = scene.topology.gateways;
  const lastSeen = of.verdict === 'healthy' ? [] : gateways.map((gateway) => lastContact(scene, gateway));
  const contact = lastSeen.filter((line) => line !== null);
  if (of.verdict === 'inconclusive') return { lastWords: [], lastContact: contact, next: nextLook(of.judgements) };
  const hop = (of.hop?.id as HopId | undefined) ?? of.aside;
  if (of.verdict !== 'unexplained' || hop === null) return { lastWords: [], lastContact: contact, next: null };
  const gateway = gateways.find(({ id }) => id === of.hop?.gateway) ?? gateways[0] ?? null;
  return { lastWords: lastWords(scene, hop, gateway), lastContact: contact, next: nextStep(scene, hop, gateway) };
}

function causeReport(chosen: Chosen, topology: Topology): CauseReport {
  const { candidate, confidence, gateways, ruledOut, explains, chain } = chosen;
  const { rule, view } = candidate;
  const stated = [...candidate.necessary, ...candidate.signature, ...candidate.supports].filter(
    (item) => item.value === 'yes',
  );
  const separators = candidate.separations.map((item) => item.sign).filter((item) => item.value === 'yes');
  return {
    code: rule.code,
    title: rule.title(view),
    confidence,
    layer: rule.layer,
    hop: rule.hop,
    gateways,
    host: rule.host === 'be' ? topology.backend.host.name : (candidate.gateway?.host.name ?? ''),
    why: unique(stated.map((item) => item.claim)),
    evidence: evidenceOf([...stated, ...separators]),
    ruledOut,
    explains: explains.map((item) => ({ check: item.check.id, title: item.verdict.detail || item.check.title })),
    chain: chain.map((item: Candidate) => ({ code: item.rule.code, title: item.rule.title(item.view) })),
    remedy: rule.remedy(view),
  };
}

function evidenceOf(statements: readonly Judged[]): readonly EvidenceStep[] {
  const steps = new Map<string, EvidenceStep>();
  for (const { claim, reads } of statements) {
    const step = steps.has(claim) ? null : evidenceFor(claim, reads);
    if (step) steps.set(claim, step);
  }
  return [...steps.values()];
}

function pathOf(scene: Scene): readonly HopReport[] {
  const sides = scene.topology.gateways.length > 0 ? scene.topology.gateways : [null];
  return sides.flatMap((side) => hopStates(scene, side));
}

function codesAt(hop: HopReport, causes: readonly CauseReport[]): readonly string[] {
  const here = causes.filter((cause) => cause.hop === hop.id && (!hop.gateway || cause.gateways.includes(hop.gateway)));
  return here.map((cause) => cause.code);
}

function hopName(hop: HopReport, topology: Topology): string {
  return topology.gateways.length > 1 && hop.gateway ? `${hop.label} (${hop.gateway})` : hop.label;
}

function hostStates(scene: Scene, holes: ReadonlyMap<string, string>): Report['hosts'] {
  const { topology, store } = scene;
  const all = [
    { host: 'be', ref: topology.backend.host },
    ...topology.gateways.map((gateway) => ({ host: `gw:${gateway.id}`, ref: gateway.host })),
  ];
  return all.map(({ host, ref }) => {
    const base = { host, name: ref.name, milliseconds: null };
    const hole = holes.get(host);
    if (ref.transport === 'local')
      return hole === undefined
        ? { ...base, state: 'local', detail: 'this machine' }
        : { ...base, state: 'cut', detail: hole };
    const reading = store.get('host.access', 'op', host);
    if (reading.status !== 'known') return { ...base, state: 'not-seen', detail: 'not examined' };
    const { outcome, message, milliseconds } = reading.value;
    if (outcome === 'cut' || (outcome === 'ok' && hole !== undefined))
      return { ...base, state: 'cut', detail: hole ?? message, milliseconds };
    if (outcome === 'ok') return { ...base, state: 'seen', detail: 'ssh ok', milliseconds };
    return { ...base, state: 'not-seen', detail: message || outcome, milliseconds };
  });
}

function notesOf(selection: Selection, topology: Topology, complete: boolean): readonly string[] {
  const notes: string[] = [];
  for (const gateway of topology.gateways) {
    const blocking = selection.active.filter((item) => item.gateways.includes(gateway.id));
    if (blocking.length < 2) continue;
    const codes = blocking.map((item) => item.candidate.rule.code);
    notes.push(
      `${gateway.id} comes back only when ${codes.length === 2 ? 'both ' : ''}${codes.join(' and ')} are ${codes.length === 2 ? '' : 'all '}fixed`,
    );
  }
  if (!complete) notes.push('the run was cut short; what is missing is listed as unknown');
  return notes;
}

function adviceOf(scene: Scene): Report['advice'] {
  const reading = scene.store.get('nginx.route', 'be', 'agents');
  if (reading.status !== 'known') return [];
  return reading.value.advice.map((item) => ({
    rule: item.rule,
    text: item.text,
    place: item.place ? `${item.place.file}:${item.place.line}` : '',
  }));
}

function unknownsOf(scene: Scene): Report['unknowns'] {
  const newest = new Map<string, Report['unknowns'][number]>();
  for (const { key, vantage, subject, reading, evidence } of scene.store.all()) {
    const name = `${key} ${vantage} ${subject}`;
    if (reading.status === 'unknown') {
      const { host, command } = evidence;
      newest.set(name, { key, vantage, subject, reason: reading.reason, detail: reading.detail, host, command });
    } else newest.delete(name);
  }
  return [...newest.values()];
}

function unique(items: readonly string[]): readonly string[] {
  return [...new Set(items)];
}
