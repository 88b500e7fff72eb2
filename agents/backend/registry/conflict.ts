// Two machines with one gateway id: seen by their fingerprints taking turns. Pure.

/** Takeovers are looked at within this time … */
const WINDOW_MS = 60_000;
/** … and this many of them by alternating machines are a conflict, not a reinstallation. */
const ALTERNATIONS = 3;

/** An attach of one gateway id. */
export interface Attach {
  readonly at: number;
  readonly fingerprint: string;
}

/** The attaches still worth remembering, and whether the newest one makes it a conflict. `history` is oldest first. */
export function judgeAttach(
  history: readonly Attach[],
  attach: Attach,
): { history: readonly Attach[]; conflict: boolean } {
  const recent = [...history.filter(({ at }) => attach.at - at <= WINDOW_MS), attach];
  const changes = recent.filter((entry, index) => index > 0 && entry.fingerprint !== recent[index - 1]?.fingerprint);
  return { history: recent, conflict: changes.length >= ALTERNATIONS };
}
