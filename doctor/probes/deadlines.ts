// How long a probe waits, from the measured round trip to its vantage. A dropped packet must not cost the reader ten seconds, and a slow line
// must not pass for a dropped one. Pure.

/** All in ms. */
export interface Deadlines {
  /** From the first packet to an open connection. */
  readonly connectMs: number;
  /** For an answer on an open connection, TLS included. */
  readonly answerMs: number;
  /** From the request for a canary command to its exit. */
  readonly canaryMs: number;
}

/**
 * A SYN that is lost is sent again after 1 s (RFC 6298 §2, initial RTO): a dial survives one loss, and an answer that takes ten round trips.
 * Where the round trip was not measured (no shell on that host) a second loss is waited for as well (1 s + 2 s).
 */
export function deadlinesFor(roundTripMs: number | null): Deadlines {
  if (roundTripMs === null) return { connectMs: 3_500, answerMs: 3_000, canaryMs: 5_000 };
  const within = (least: number): number => Math.min(5_000, least + 10 * roundTripMs);
  return { connectMs: within(1_600), answerMs: within(2_200), canaryMs: within(3_000) };
}
