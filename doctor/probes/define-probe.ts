// A probe as one thing: what is asked of a host, how the answer is read, and the facts that come of it. A new one is a file of its own with
// a capture in cases/, a row in host-probes.ts, and a row for its fact (type and name) in engine/vocabulary/facts.ts.
import { type Fact, type FactKey, type FactTypes, notApplicable, type Reading } from '../engine/index.ts';
import type { Ask } from './ask.ts';
import { type HostRound, look, read, say } from './probe.ts';
import type { Section } from './script.ts';

type Asked<T> = T | ((ask: Ask) => T);

export interface Probe {
  readonly id: string;
  /** On which kinds of host it looks. */
  readonly seats: readonly Ask['seat'][];
  /** Empty where the installation has nothing of the kind. */
  sections(ask: Ask): readonly Section[];
  facts(round: HostRound, ask: Ask): readonly Fact[];
  /** For the captures in cases/; null where an answer cannot be read without its question. */
  readonly parse: ((text: string) => unknown) | null;
}

/** What every probe says of itself. The id is the section's name in the event stream: `host.mounts`. */
interface Shape extends Pick<Section, 'capBytes' | 'isTail' | 'keep'> {
  readonly id: string;
  readonly title: Asked<string>;
  /** Both kinds of host unless it says so. */
  readonly seats?: readonly Ask['seat'][];
  /** Why there is nothing to ask in an installation without such a part; null where there is. */
  readonly absent?: (ask: Ask) => string | null;
  /** Read-only POSIX sh; `!tool`, `!permission` or `!absent` on its first line say why there is nothing to read. */
  readonly script: Asked<string>;
  /** Shell functions that the script needs. */
  readonly prelude?: Asked<string>;
}

/** The usual probe: one section, one fact, read by a parser or, where other answers of the round are needed, from the round. */
type OneFact<K extends FactKey> = {
  readonly key: K;
  readonly subject?: string;
  /** Something that a person can paste to see the same. */
  readonly command: string | ((ask: Ask, round: HostRound) => string);
  /** The lines that matter of what was read; the first ones of the answer when left out. */
  readonly lines?: (value: FactTypes[K], ask: Ask) => readonly string[];
} & (
  | { readonly parse: (text: string) => FactTypes[K] }
  | { readonly reading: (round: HostRound, ask: Ask) => Reading<FactTypes[K]> }
);

interface ManyFacts {
  readonly facts: (round: HostRound, ask: Ask) => readonly Fact[];
  readonly parse?: (text: string) => unknown;
}

/** For probes that ask about every part of a host by itself. */
interface ManySections extends Pick<Shape, 'id' | 'seats'>, ManyFacts {
  readonly sections: (ask: Ask) => readonly Section[];
}

export function defineProbe<K extends FactKey>(of: ManySections | (Shape & (OneFact<K> | ManyFacts))): Probe {
  const { id, seats = ['be', 'gw'] } = of;
  const parse = 'parse' in of && of.parse ? of.parse : null;
  if ('sections' in of) return { id, seats, parse, sections: of.sections, facts: of.facts };
  const facts = 'facts' in of ? of.facts : (round: HostRound, ask: Ask) => [oneFact(round, of, ask)];
  return { id, seats, parse, facts, sections: (ask) => (of.absent?.(ask) ? [] : [sectionOf(of, ask)]) };
}

function sectionOf({ id, title, script, prelude, capBytes, isTail, keep }: Shape, ask: Ask): Section {
  return {
    id,
    title: answered(title, ask),
    body: answered(script, ask),
    ...(prelude === undefined ? {} : { prelude: answered(prelude, ask) }),
    ...(capBytes === undefined ? {} : { capBytes }),
    ...(isTail === undefined ? {} : { isTail }),
    ...(keep === undefined ? {} : { keep }),
  };
}

function oneFact<K extends FactKey>(round: HostRound, of: Shape & OneFact<K>, ask: Ask): Fact {
  const { key, subject, id: section } = of;
  const absent = of.absent?.(ask) ?? null;
  const reading: Reading<FactTypes[K]> =
    absent !== null
      ? notApplicable(absent)
      : 'parse' in of
        ? read(look(round, section), of.parse)
        : of.reading(round, ask);
  const lines = of.lines && (reading.status === 'known' ? of.lines(reading.value, ask) : []);
  const command = typeof of.command === 'function' ? of.command(ask, round) : of.command;
  return say(round, { key, ...(subject === undefined ? {} : { subject }), section, command, lines, reading });
}

function answered<T extends string>(value: Asked<T>, ask: Ask): T {
  return typeof value === 'function' ? value(ask) : value;
}
