// Several tries of one hop as one observation: how many failed, and what one of those got.
import { known, type Reading, unknown } from '../engine/index.ts';

/** How often a hop is tried that several processes or servers stand behind: one that answers every other time passes all with 1 in 64. */
export const DIALS = 6;

/** Several tries as one observation: one that failed where one did, and how many did; unknown where one of them is. */
export async function several<T extends object>(
  { times, signal }: { readonly times: number; readonly signal: AbortSignal },
  dial: () => Promise<Reading<T>>,
  isGood: (seen: T) => boolean,
): Promise<Reading<T & { readonly attempts?: number; readonly failures?: number }>> {
  signal.throwIfAborted();
  if (times === 1) return await dial();
  const readings = await Promise.all(Array.from({ length: times }, dial));
  const unseen = readings.find((reading) => reading.status !== 'known');
  if (unseen) return unseen;
  const seen = readings.flatMap((reading) => (reading.status === 'known' ? [reading.value] : []));
  const bad = seen.filter((value) => !isGood(value));
  const [shown = seen[0]] = bad;
  return shown ? known({ ...shown, attempts: times, failures: bad.length }) : unknown('not-run', 'nothing was sent');
}

/** `3 of 6 failed: `, before what one of them got. */
export function rate({
  attempts = 1,
  failures = 0,
}: {
  readonly attempts?: number;
  readonly failures?: number;
}): string {
  return attempts > 1 ? `${failures} of ${attempts} failed: ` : '';
}
