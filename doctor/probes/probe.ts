// What a probe makes of a round: looks at its section, reads it, and says the fact with its evidence. Probes look; they decide nothing.

import { quoteWord } from '../../agents/runtime/index.ts';
import {
  type Evidence,
  type Fact,
  type FactKey,
  type FactTypes,
  fact,
  known,
  notApplicable,
  type Reading,
  type UnknownReason,
  unknown,
  type Vantage,
} from '../engine/index.ts';
import type { Said, Sections, Unsaid } from './sections.ts';

/** Why something did not come from a host. It says nothing of the host. */
export interface Gap {
  readonly reason: 'lost' | 'cut';
  readonly detail: string;
}

/** The outputs of one round on one host, with what is needed to turn them into facts. */
export interface HostRound {
  readonly vantage: Vantage;
  /** Name of the host, for people. */
  readonly host: string;
  /** `ssh root@192.0.2.10`, or empty for this machine: goes before the commands in evidence. */
  readonly via: string;
  /** When it was sent, by our clock. */
  readonly atMs: number;
  /** When its first section was heard, by our clock. */
  readonly heardMs: number;
  /** What separates our frames from what the host prints. */
  readonly nonce: string;
  readonly root: boolean;
  readonly sections: Sections;
  /** Why a section that is not there did not come; null when all came. */
  readonly gap: Gap | null;
}

/** What is read in a section, or why there is nothing to read. */
export type Looked =
  | { readonly ok: true; readonly text: string; readonly rc: number }
  | { readonly ok: false; readonly reason: UnknownReason; readonly detail: string; readonly wasSilent?: boolean };

/** The end of a log: what its lines say is so, and what is not among them may stand before them where it was cut. */
export type LookedAtTail = Exclude<Looked, { ok: true }> | (Extract<Looked, { ok: true }> & { readonly cut: boolean });

/** A section that came whole. Of a cut one half is nothing: what stands in the rest could be the very row that is missed. */
export function look(round: HostRound, id: string): Looked {
  return lookAt(round, round.sections.whole(id));
}

/** The last whole lines of a section that was asked for as a tail. */
export function lookAtTail(round: HostRound, id: string): LookedAtTail {
  return lookAt(round, round.sections.tail(id));
}

/** A section says `!tool ss` or `!permission …` on its first line when it cannot look. */
function lookAt<S extends Said>(round: HostRound, said: S | Unsaid | null) {
  if (!said)
    return { ok: false as const, ...(round.gap ?? { reason: 'not-run' as const, detail: 'it was not asked' }) };
  if (!said.ok) return said;
  const refusal = /^!(tool|permission) ?(.*)/.exec(said.text);
  if (!refusal) return said;
  const reason = refusal[1] === 'tool' ? ('tool-missing' as const) : ('no-permission' as const);
  return { ok: false as const, reason, detail: refusal[2] ?? '' };
}

/** How a fact is told apart and where its evidence comes from. */
interface Saying<K extends FactKey> {
  readonly key: K;
  readonly subject?: string;
  /** At another vantage than the round's own, for a container's namespace. */
  readonly vantage?: Vantage;
  /** The section that it was read from. */
  readonly section: string;
  /** Something that a person can paste behind `via`. */
  readonly command: string;
  /** The lines that matter; the first ones of the section when left out. */
  readonly lines?: readonly string[] | undefined;
  readonly reading: Reading<FactTypes[K]>;
}

/** Makes the fact. */
export function say<K extends FactKey>(round: HostRound, saying: Saying<K>): Fact {
  const raw = round.sections.excerpt(saying.section);
  const evidence: Evidence = {
    host: round.host,
    atMs: round.atMs,
    command: round.via ? `${round.via} ${quoteWord(saying.command)}` : saying.command,
    lines: (saying.lines ?? raw.lines).slice(0, 5).map(short),
    sha256: raw.sha256,
  };
  return fact({
    key: saying.key,
    vantage: saying.vantage ?? round.vantage,
    ...(saying.subject === undefined ? {} : { subject: saying.subject }),
    probe: saying.section,
    reading: saying.reading,
    evidence,
  });
}

/** The usual shape: parse the section, or pass on why it could not be looked at. A parser that throws gives `unparsed`. */
export function read<T>(looked: Looked, parse: (text: string) => T): Reading<T> {
  if (!looked.ok) return unknown(looked.reason, looked.detail);
  if (looked.text.startsWith('!absent')) return notApplicable(looked.text.slice(8).trim());
  try {
    return known(parse(looked.text));
  } catch (error) {
    return unknown('unparsed', error instanceof Error ? error.message : String(error));
  }
}

/** The same for the end of a log; what stands in it also says whether something was cut off. */
export function readTail<T>(looked: LookedAtTail, parse: (text: string, cut: boolean) => T): Reading<T> {
  return read(looked, (text) => parse(text, looked.ok && looked.cut));
}

/** One line of evidence stays readable. */
function short(line: string): string {
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
