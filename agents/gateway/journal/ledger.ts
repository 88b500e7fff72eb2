// What the journal's records add up to: one entry per task that is not forgotten. Pure.
import type { TaskResult } from '../../protocol/index.ts';
import type { JournalRecord } from './records.ts';

/** RECEIVED → STARTING → RUNNING → EXITED → SETTLED; or REFUSED instead of any run. */
export type EntryState = 'received' | 'starting' | 'running' | 'exited' | 'refused' | 'settled';

/** A task as the journal knows it. */
export interface LedgerEntry {
  readonly taskId: string;
  readonly state: EntryState;
  readonly fence: number;
  readonly verb: string;
  readonly digest: string;
  readonly graceMs: number;
  readonly horizonMs: number;
  readonly streamEpoch: string;
  readonly startedAt: number;
  readonly result?: TaskResult;
  readonly refusal?: Omit<Extract<JournalRecord, { kind: 'refused' }>, 'kind' | 'taskId'>;
  readonly settledAt?: number;
}

/** The sum of a journal. Mutable, because it lives as long as the agent; only `apply` and `prune` change it. */
export interface Ledger {
  incarnation: number;
  /** Boot in which the agent last ran. */
  bootId: string;
  readonly entries: Map<string, LedgerEntry>;
}

/** A ledger of nothing. */
export function emptyLedger(): Ledger {
  return { incarnation: 0, bootId: '', entries: new Map() };
}

/** An entry for a task that is found running although the journal does not know it (its record was lost to damage). */
export function foundEntry(taskId: string): LedgerEntry {
  return {
    taskId,
    state: 'received',
    fence: 0,
    verb: 'unknown',
    digest: '',
    graceMs: 0,
    horizonMs: 0,
    streamEpoch: 'found',
    startedAt: 0,
  };
}

/** Adds one record. Records about tasks whose `received` was lost make an entry of what is known. */
export function apply(ledger: Ledger, record: JournalRecord): void {
  if (record.kind === 'incarnation') {
    ledger.incarnation = Math.max(ledger.incarnation, record.incarnation);
    ledger.bootId = record.bootId;
    return;
  }
  const { taskId } = record;
  const before = ledger.entries.get(taskId) ?? foundEntry(taskId);
  ledger.entries.set(taskId, next(before, record));
}

function next(entry: LedgerEntry, record: Exclude<JournalRecord, { kind: 'incarnation' }>): LedgerEntry {
  switch (record.kind) {
    case 'received': {
      const { kind: _, ...fields } = record;
      return { ...foundEntry(record.taskId), ...fields, state: 'received', streamEpoch: '' };
    }
    case 'starting':
      return { ...entry, state: 'starting', streamEpoch: record.streamEpoch };
    case 'running':
      return { ...entry, state: 'running', startedAt: record.startedAt };
    case 'fence':
      return { ...entry, fence: record.fence };
    case 'exited':
      return { ...entry, state: 'exited', result: record.result as TaskResult };
    case 'refused': {
      const { kind: _, taskId: __, ...refusal } = record;
      return { ...entry, state: 'refused', refusal };
    }
    case 'settled':
      return { ...entry, state: 'settled', settledAt: record.at };
  }
}

/** Forgets settled tasks whose id can no longer be replayed in time. */
export function prune(ledger: Ledger, now: number): void {
  for (const [taskId, entry] of ledger.entries) {
    if (entry.state === 'settled' && (entry.settledAt ?? 0) + entry.horizonMs < now) ledger.entries.delete(taskId);
  }
}

/** The fewest records that add up to this ledger. */
export function snapshot(ledger: Ledger): JournalRecord[] {
  const records: JournalRecord[] = [];
  const { incarnation, bootId } = ledger;
  if (incarnation > 0) records.push({ kind: 'incarnation', incarnation, bootId });
  for (const entry of ledger.entries.values()) {
    const { taskId, fence, verb, digest, graceMs, horizonMs } = entry;
    records.push({ kind: 'received', taskId, fence, verb, digest, graceMs, horizonMs });
    if (entry.state === 'settled') {
      records.push({ kind: 'settled', taskId, at: entry.settledAt ?? 0 });
      continue;
    }
    if (entry.streamEpoch !== '') records.push({ kind: 'starting', taskId, streamEpoch: entry.streamEpoch });
    if (entry.startedAt !== 0) records.push({ kind: 'running', taskId, startedAt: entry.startedAt });
    if (entry.result) records.push({ kind: 'exited', taskId, result: entry.result });
    if (entry.refusal) records.push({ kind: 'refused', taskId, ...entry.refusal });
  }
  return records;
}
