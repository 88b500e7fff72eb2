// A probe as one thing: what is asked of a host, how the answer is read, and the facts that come of it. A new one is a file of its own with
// a capture in cases/, a row in host-probes.ts, and a row for its fact (type and name) in engine/vocabulary/facts.ts.
import type { Fact, FactKey, FactTypes, Part } from '../engine/index.ts';
import { type HostRound, look, read, say } from './probe.ts';
import type { Section } from './script.ts';

/** A part and the unit that is expected to run it. */
export interface PartUnit {
  readonly part: Part;
  /** Null where nothing supervises it: then its process is looked for by its command line. */
  readonly unit: string | null;
}

/** What the run knows of a host before it is asked. */
export interface Ask {
  readonly serverName: string;
  readonly units: readonly PartUnit[];
}

type Asked<T> = T | ((ask: Ask) => T);

export interface Probe {
  readonly id: string;
  /** On which kinds of host it looks. */
  readonly seats: readonly ('be' | 'gw')[];
  section(ask: Ask): Section;
  facts(round: HostRound, ask: Ask): readonly Fact[];
  /** For the captures in cases/; null where an answer cannot be read without its question. */
  readonly parse: ((text: string) => unknown) | null;
}

/** What every probe says of itself. The id is the section's name in the event stream: `host.mounts`. */
interface Shape {
  readonly id: string;
  readonly title: Asked<string>;
  /** Both kinds of host unless it says so. */
  readonly seats?: readonly ('be' | 'gw')[];
  /** Read-only POSIX sh; `!tool`, `!permission` or `!absent` on its first line say why there is nothing to read. */
  readonly script: Asked<string>;
  /** As in Section, in bytes. */
  readonly capBytes?: number;
}

/** The usual probe: one section, one parser, one fact. */
interface OneFact<K extends FactKey> {
  readonly key: K;
  readonly parse: (text: string) => FactTypes[K];
  /** Something that a person can paste to see the same. */
  readonly command: Asked<string>;
  /** The lines that matter; the first ones of the answer when left out. */
  readonly lines?: (value: FactTypes[K], ask: Ask) => readonly string[];
}

interface ManyFacts {
  readonly facts: (round: HostRound, ask: Ask) => readonly Fact[];
  readonly parse?: (text: string) => unknown;
}

export function defineProbe<K extends FactKey>(of: Shape & (OneFact<K> | ManyFacts)): Probe {
  const { id, seats = ['be', 'gw'], capBytes } = of;
  return {
    id,
    seats,
    parse: of.parse ?? null,
    section: (ask) => ({
      id,
      title: answered(of.title, ask),
      body: answered(of.script, ask),
      ...(capBytes === undefined ? {} : { capBytes }),
    }),
    facts: 'facts' in of ? of.facts : (round, ask) => [oneFact(round, { ...of, id }, ask)],
  };
}

function oneFact<K extends FactKey>(round: HostRound, of: OneFact<K> & { readonly id: string }, ask: Ask): Fact {
  const reading = read(look(round, of.id), of.parse);
  const lines = of.lines && reading.status === 'known' ? of.lines(reading.value, ask) : undefined;
  return say(round, { key: of.key, section: of.id, command: answered(of.command, ask), lines, reading });
}

function answered<T extends string>(value: Asked<T>, ask: Ask): T {
  return typeof value === 'function' ? value(ask) : value;
}
