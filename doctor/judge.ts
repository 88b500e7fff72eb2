// Facts → Report with the whole catalogue: derives what follows from other facts, then lets the engine diagnose. Pure; used live and on replay.
import { causes } from './causes/index.ts';
import { checks } from './checks/index.ts';
import {
  createFactStore,
  createView,
  diagnose,
  type Fact,
  type FactStore,
  known,
  type Report,
  type RunMeta,
  signs,
  type Topology,
  type VerdictReport,
  verdictsOf,
} from './engine/index.ts';
import { withFixes } from './fixes.ts';
import { derivedProbe, deriveRoutes } from './nginx/index.ts';
import type { Recording } from './output/index.ts';
import { withUnitFixes } from './unit-fixes.ts';

/** The same facts, topology and meta give the same Report, byte for byte. Does not change the store. */
export function judgeFacts(facts: FactStore, topology: Topology, meta: RunMeta): Report {
  const observed = facts.all().filter((item) => item.probe !== derivedProbe);
  const store = createFactStore(asAgentsTakeIt(observed, topology));
  for (const item of deriveRoutes(store, topology)) store.add(item);
  const report = diagnose({ store, topology }, { checks, causes }, meta);
  return withUnitFixes(withFixes(report, store, topology), store, topology);
}

/** A backend that names no subprotocol, and through which an agent is linked, is one whose agents want none: then its 101 is good as it is. */
function asAgentsTakeIt(facts: readonly Fact[], topology: Topology): readonly Fact[] {
  const store = createFactStore(facts);
  const direct = store.get('ws.upgrade', 'be', 'direct');
  if (direct.status !== 'known' || direct.value.ended !== 'no-subprotocol') return facts;
  const { linkUp } = signs.gateway;
  if (!topology.gateways.some((gateway) => linkUp.holds(createView(store, topology, gateway)) === 'yes')) return facts;
  return facts.map((fact) => {
    if (fact.key !== 'ws.upgrade' || fact.reading.status !== 'known' || fact.reading.value.ended !== 'no-subprotocol')
      return fact;
    return { ...fact, reading: known({ ...fact.reading.value, ended: 'ok' as const }) };
  });
}

/** The checks that are decided so far, in a run that still goes on: they pass or fail by facts that are there. */
export function decidedChecks(facts: FactStore, topology: Topology): readonly VerdictReport[] {
  return verdictsOf({ store: facts, topology }, checks).filter(({ state }) => state === 'pass' || state === 'fail');
}

/** The diagnosis of a recorded run, offline: the same Report as then, if the rules are the same. */
export function judgeRecording({ facts, topology, meta }: Recording): Report {
  return judgeFacts(facts, topology, meta);
}
