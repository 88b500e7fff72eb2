// From what was read to a step of evidence: the fact that decided, the command that shows it again, the lines that matter. Decides nothing.
import type { EvidenceStep, Read } from '../vocabulary/index.ts';

/** The step for a claim that stands on these reads; null when none of them is known. */
export function evidenceFor(claim: string, reads: readonly Read[]): EvidenceStep | null {
  const read = weightiest(reads);
  if (!read?.fact) return null;
  const { host, atMs, command, lines, sha256 } = read.fact.evidence;
  const fact = { key: read.key, vantage: read.vantage, subject: read.subject };
  return { claim, fact, host, atMs, command, lines: lines.slice(0, 5), sha256 };
}

/**
 * The known fact that was looked at most often: the one that decided, rather than one that was looked at in passing. A clock is read for every
 * line of a log, and only says how old it is.
 */
function weightiest(reads: readonly Read[]): Read | null {
  const counts = new Map<string, { read: Read; count: number }>();
  for (const read of reads) {
    if (read.status !== 'known') continue;
    const key = `${read.key} ${read.vantage} ${read.subject}`;
    counts.set(key, { read, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  const weight = ({ read, count }: { read: Read; count: number }): number => (read.key === 'host.clock' ? 0 : count);
  return [...counts.values()].sort((a, b) => weight(b) - weight(a))[0]?.read ?? null;
}
