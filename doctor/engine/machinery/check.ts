// What a check is: a sentence that ought to be true, judged from facts alone. A failed check is a finding: a symptom until a cause explains it.
import type { FactKey, HopId, View } from '../vocabulary/index.ts';

/** `fail` is the only finding; `unknown` = the facts are missing; `skipped` = this installation has no such thing. */
export type Verdict =
  | { readonly state: 'pass' | 'info' | 'warn' | 'fail' | 'skipped' | 'unknown'; readonly detail: string }
  | { readonly state: 'error'; readonly detail: string };

export interface Check {
  /** `layer.subject.property`, for ever; never reused for another meaning. */
  readonly id: string;
  /** A statement that ought to be true. */
  readonly title: string;
  readonly hop: HopId;
  /** Judged once for the installation, or once for each gateway. */
  readonly per: 'site' | 'gateway';
  readonly host: 'op' | 'be' | 'gw';
  readonly needs: readonly FactKey[];
  /** Checks whose failure makes this one's failure a consequence. Followed transitively. */
  readonly dependsOn: readonly string[];
  /** Whether a failure means that the service is out (a finding that must be explained), or only that something is worth a look. */
  readonly outage: boolean;
  /** Without a known answer to this one the installation cannot be called healthy. */
  readonly required?: boolean;
  readonly evaluate: (view: View) => Verdict;
}

/** A check as it is written under its id. What is left out: one for each gateway where it is about one, after no other, an outage when it fails. */
export type CheckRow = Omit<Check, 'id' | 'per' | 'dependsOn' | 'outage'> &
  Partial<Pick<Check, 'per' | 'dependsOn' | 'outage'>>;

/** Declares the checks of one file, in the order in which they are judged. */
export function checksOf(rows: Readonly<Record<string, CheckRow>>): readonly Check[] {
  return Object.entries(rows).map(([id, row]) => {
    const per = row.host === 'gw' ? 'gateway' : 'site';
    return { per, dependsOn: [], outage: true, ...row, id };
  });
}
