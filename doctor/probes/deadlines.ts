// How long a probe waits, from the measured round trip to its vantage. A dropped packet must not cost the reader ten seconds, and a slow line
// must not pass for a dropped one. Pure.

/** All in ms. */
export interface Deadlines {
  /** From the first packet to an open connection. */
  readonly connectMs: number;
  /** For an answer on an open connection, TLS included, and for the exit of a canary command. */
  readonly answerMs: number;
}

/** What was measured on the way to a vantage, in ms. */
export interface Pace {
  /** Of a packet and its answer, from kernel to kernel. */
  readonly roundTripMs: number;
  /** From a script sent to its first words: a round trip and the start of a shell, so that a busy host gets more time for an answer. */
  readonly startMs: number;
}

/** A SYN that is lost is sent again after 1 s (RFC 6298 §2, initial RTO): a dial survives one loss, at up to 0.6 s a round trip. */
export const DIAL_MS = 1_600;

/** A dial takes ten round trips more than that, an answer four times the start of a shell. Where nothing was measured, as on a quick way. */
export function deadlinesFor({ roundTripMs, startMs }: Pace = { roundTripMs: 0, startMs: 0 }): Deadlines {
  const within = (ms: number): number => Math.min(5_000, Math.round(ms));
  return { connectMs: within(DIAL_MS + 10 * roundTripMs), answerMs: within(2_000 + 4 * startMs) };
}
