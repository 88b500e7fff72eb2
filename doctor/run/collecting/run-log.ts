// The event stream of a run while it happens: numbers nothing, judges nothing, hands every event to whoever listens. The one gate to the
// report, the screen and the recording: what hosts said (sections, bodies, headers, banners, errors) passes it without secrets.
import { type Clock, isAbort, redactText, visibleText } from '../../../agents/runtime/index.ts';
import type { Fact, FactStore, RunEvent, Vantage } from '../../engine/index.ts';

export interface RunLog {
  emit(event: RunEvent): void;
  fact(fact: Fact): void;
  facts(facts: readonly Fact[]): void;
  /** A network probe: start, facts, end. A probe that breaks is an ended probe, not an ended run. */
  probe(of: ProbeTitle, work: () => Promise<Fact | readonly Fact[]>): Promise<void>;
  /** A section of a round that came in. */
  section(of: ProbeTitle & { readonly raw: string; readonly rc: number; readonly milliseconds: number }): void;
  readonly probes: number;
}

export interface ProbeTitle {
  readonly probe: string;
  readonly vantage: Vantage;
  readonly title: string;
}

/** Text of others without secrets and without what steers a terminal; a line that ended in CR LF ends in LF. */
export function harmless(text: string): string {
  return visibleText(redactText(text).replaceAll('\r\n', '\n'));
}

/** As it will be read back, every text harmless. */
function clean<T extends Fact | RunEvent>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (_key, item: unknown) => (typeof item === 'string' ? harmless(item) : item)),
  ) as T;
}

export function createRunLog(options: {
  readonly clock: Clock;
  readonly store: FactStore;
  readonly signal: AbortSignal;
  readonly listeners: readonly ((event: RunEvent) => void)[];
}): RunLog {
  const { clock, store } = options;
  let probes = 0;
  const emit = (said: RunEvent): void => {
    // A report is made of facts, which came through here.
    const event = said.type === 'run.end' || said.type === 'fact' ? said : clean(said);
    for (const listener of options.listeners) listener(event);
  };
  const addFact = (seen: Fact): void => {
    // As it will be read back from a recording, so that a live report and its replay stand on the same bytes.
    const fact = clean(seen);
    store.add(fact);
    emit({ type: 'fact', fact });
  };
  return {
    emit,
    fact: addFact,
    facts: (facts) => facts.forEach(addFact),
    async probe({ probe, vantage, title }, work) {
      const began = clock.monotonicMs();
      emit({ type: 'probe.start', probe, vantage, title, atMs: clock.now() });
      const end = (outcome: 'ok' | 'failed' | 'skipped', detail: string): void => {
        probes += 1;
        const milliseconds = Math.round(clock.monotonicMs() - began);
        emit({ type: 'probe.end', probe, vantage, outcome, detail, atMs: clock.now(), milliseconds, raw: null });
      };
      try {
        const facts = [await work()].flat();
        facts.forEach(addFact);
        end('ok', facts.at(-1)?.evidence.lines[0] ?? '');
      } catch (error) {
        if (isAbort(error) || options.signal.aborted) end('skipped', 'the run was stopped');
        else end('failed', error instanceof Error ? error.message : String(error));
      }
    },
    section({ probe, vantage, title, raw, rc, milliseconds }) {
      probes += 1;
      const atMs = clock.now();
      emit({ type: 'probe.start', probe, vantage, title, atMs: atMs - milliseconds });
      const detail = rc === 0 ? '' : `exit ${rc}`;
      emit({
        type: 'probe.end',
        probe,
        vantage,
        outcome: rc === 124 ? 'timeout' : 'ok',
        detail,
        atMs,
        milliseconds,
        raw,
      });
    },
    get probes() {
      return probes;
    },
  };
}
