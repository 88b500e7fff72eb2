// What a host said in one round. Nobody gets at a text but by saying whether it is read whole or as the end of a log, so that the rule of what a
// cut answer is worth stands here and nowhere else.
import { createHash } from 'node:crypto';
import type { SectionOutput } from './frames.ts';

/** What a section says. */
export interface Said {
  readonly ok: true;
  readonly text: string;
  readonly rc: number;
}

/** Why a section that came says nothing. */
export interface Unsaid {
  readonly ok: false;
  readonly reason: 'cut';
  readonly detail: string;
  /** It had said nothing when its deadline ended it: where it waits for somebody else, that is an answer of theirs. */
  readonly wasSilent: boolean;
}

/** Exit status of a command that did not end by itself: `timeout` struck, or it was killed (128 + signal; 141 is a reader who had enough). */
function wasEnded(rc: number): boolean {
  return rc === 124 || (rc > 128 && rc !== 141);
}

/** The answers of one round, by the id of their section. */
export class Sections {
  readonly #all: ReadonlyMap<string, SectionOutput>;
  readonly #tails: ReadonlySet<string>;

  /** `tails` are the ids of the sections that were asked for as the end of a log. */
  constructor(all: Iterable<SectionOutput>, tails: Iterable<string> = []) {
    this.#all = new Map([...all].map((section) => [section.id, section]));
    this.#tails = new Set(tails);
  }

  /** A later look on top of this one; of the sections `again`, which were asked for again, nothing of this one stays. */
  overlaid(later: Sections, again: readonly string[]): Sections {
    const kept = [...this.#all.values()].filter(({ id }) => !again.includes(id));
    return new Sections([...kept, ...later.#all.values()], [...this.#tails, ...later.#tails]);
  }

  get size(): number {
    return this.#all.size;
  }

  /** All of it, or that it was cut off; null for a section that did not come. */
  whole(id: string): Said | Unsaid | null {
    const section = this.#all.get(id);
    if (!section) return null;
    const { text, rc, truncated } = section;
    if (truncated) return { ok: false, reason: 'cut', detail: 'the answer was too long', wasSilent: false };
    if (!wasEnded(rc)) return { ok: true, text, rc };
    return { ok: false, reason: 'cut', detail: 'the command took too long', wasSilent: rc === 124 && text === '' };
  }

  /** The lines that came whole, and whether that was all; a section that was not asked for as a tail is read whole or not at all. */
  tail(id: string): (Said & { readonly cut: boolean }) | Unsaid | null {
    const section = this.#all.get(id);
    const whole = this.whole(id);
    if (whole?.ok) return { ...whole, cut: false };
    if (!section || section.text === '' || !this.#tails.has(id)) return whole;
    const lines = section.text.split('\n');
    const text = lines.slice(section.truncated ? 1 : 0, wasEnded(section.rc) ? -1 : lines.length).join('\n');
    return { ok: true, text, rc: section.rc, cut: true };
  }

  /** For people: its first lines, and the hash of all. Nothing is concluded from it. */
  excerpt(id: string): { readonly lines: readonly string[]; readonly sha256: string } {
    const text = this.#all.get(id)?.text ?? '';
    const sha256 = text === '' ? '' : createHash('sha256').update(text).digest('hex');
    return { lines: text.split('\n').filter(Boolean).slice(0, 5), sha256 };
  }
}
