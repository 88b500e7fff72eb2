// Signs about one line that a rule looks for in a log: what its absence and its presence prove is decided here, once.
import { judge, type Sign, sign, type Tri, type View } from '../engine/index.ts';

/** Where the log is, what is looked for in it, and what has to be true of it. */
export interface LogFind<Found> {
  readonly log: readonly [seat: 'be' | 'gw', part: string];
  readonly find: (view: View) => Found | null;
  readonly text: (found: Found) => string;
  /** The sentence where nothing was found. */
  readonly none: string;
  readonly test: (found: Found) => boolean;
}

/** Nothing found in a log that was cut is unknown; so is a find in a log whose window is not known. */
export function foundInLog<Found>({ log: [seat, part], find, text, none, test }: LogFind<Found>): Sign {
  const words = (view: View) => {
    const found = find(view);
    return found ? text(found) : none;
  };
  return sign([words, words], (view) =>
    judge(view, ['log.tail', seat, part], (tail): Tri => {
      const found = find(view);
      if (!found) return tail.truncated ? 'unknown' : 'no';
      if (tail.sinceMs === null) return 'unknown';
      return test(found) ? 'yes' : 'no';
    }),
  );
}
