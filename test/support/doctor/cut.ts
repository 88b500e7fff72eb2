// Cuts a recorded run: what came later never came. Pure; the events are those of the recording, up to an instant, and what a live run would
// have written of the rest.
import {
  createFactStore,
  type Fact,
  known,
  type Report,
  type RunEvent,
  unknown,
} from '../../../doctor/engine/index.ts';
import { judgeFacts } from '../../../doctor/judge.ts';
import type { Recording } from '../../../doctor/output/index.ts';

/** How a run is cut: the operator stops it, the connection to a host breaks, or a host no longer answers in time. */
export interface Cut {
  readonly how: 'stopped' | 'lost' | 'timeout';
  /** `be` or `gw:ID`; of no meaning for a run that is stopped. */
  readonly host: string;
}

/** The hosts over whose connection a fact is seen: registry and canary are asked through the backend's. */
function throughHost(fact: Fact, host: string): boolean {
  if (fact.key === 'host.access') return false;
  if (fact.key === 'registry.entry' || fact.key === 'canary') return host === 'be';
  return fact.vantage.replace(/\/ns:.*/, '') === host;
}

function after(fact: Fact, { how, host }: Cut): Fact {
  const isGone = how === 'stopped' || throughHost(fact, host);
  if (!isGone) return fact;
  const evidence = { ...fact.evidence, lines: [], sha256: '' };
  return { ...fact, evidence, reading: unknown(how === 'lost' ? 'lost' : 'cut', 'cut by the test') } as Fact;
}

/** The facts of a run that was cut after its n-th fact, and whether that took anything away. */
export function cutFacts(events: readonly RunEvent[], n: number, cut: Cut): { facts: readonly Fact[]; took: boolean } {
  const all = events.flatMap((event) => (event.type === 'fact' ? [event.fact] : []));
  const facts = all.map((fact, index) => (index < n ? fact : after(fact, cut)));
  const took = facts.some((fact, index) => fact !== all[index]);
  const access = facts.findLast((fact) => fact.key === 'host.access' && fact.subject === cut.host);
  if (cut.how !== 'lost' || !took || access?.key !== 'host.access' || access.reading.status !== 'known')
    return { facts, took };
  const value = { ...access.reading.value, outcome: 'cut' as const, message: 'the connection broke' };
  return { facts: [...facts, { ...access, reading: known(value) }], took };
}

/** What the doctor says of a run that was cut. */
export function judgeCut(
  { events, topology, meta }: Recording,
  n: number,
  cut: Cut,
): { report: Report; took: boolean } {
  const { facts, took } = cutFacts(events, n, cut);
  const complete = meta.complete && !(cut.how === 'stopped' && took);
  return { report: judgeFacts(createFactStore(facts), topology, { ...meta, complete }), took };
}
