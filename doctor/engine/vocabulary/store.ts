// The fact store: appends facts, answers `get` with a reading that always has a status. Keeps the series of repeated observations.
import type { Fact, FactKey, FactTypes, Reading, Vantage } from './facts.ts';

export interface FactStore {
  add(fact: Fact): void;
  /** The newest reading; a fact that nobody wrote is unknown(not-run). */
  get<K extends FactKey>(key: K, vantage: Vantage, subject?: string): Reading<FactTypes[K]>;
  /** The newest fact itself, for its evidence. */
  find(key: FactKey, vantage: Vantage, subject?: string): Fact | null;
  /** All observations of one fact, oldest first. */
  series(key: FactKey, vantage: Vantage, subject?: string): readonly Fact[];
  all(): readonly Fact[];
}

export function createFactStore(facts: Iterable<Fact> = []): FactStore {
  const order: Fact[] = [];
  const byName = new Map<string, Fact[]>();
  const nameOf = (key: string, vantage: string, subject: string) => `${key}\n${vantage}\n${subject}`;
  const store: FactStore = {
    add(item) {
      order.push(item);
      const name = nameOf(item.key, item.vantage, item.subject);
      const list = byName.get(name);
      if (list) list.push(item);
      else byName.set(name, [item]);
    },
    get<K extends FactKey>(key: K, vantage: Vantage, subject = ''): Reading<FactTypes[K]> {
      const found = store.find(key, vantage, subject);
      if (!found) return { status: 'unknown', reason: 'not-run', detail: '' };
      return found.reading as Reading<FactTypes[K]>;
    },
    find: (key, vantage, subject = '') => byName.get(nameOf(key, vantage, subject))?.at(-1) ?? null,
    series: (key, vantage, subject = '') => byName.get(nameOf(key, vantage, subject)) ?? [],
    all: () => order,
  };
  for (const item of facts) store.add(item);
  return store;
}
