// The versioned Report value: what a run concluded. Everything printed is a projection of it. Holds data only.

/** A step of an evidence chain: what is claimed, and where to see it. */
export interface EvidenceStep {
  readonly claim: string;
  readonly fact: { readonly key: string; readonly vantage: string; readonly subject: string };
  readonly host: string;
  readonly atMs: number;
  readonly command: string;
  readonly lines: readonly string[];
  readonly sha256: string;
}

export interface RuledOut {
  readonly code: string;
  readonly title: string;
  readonly why: string;
}

export interface Remedy {
  readonly text: string;
  /** Exact commands or configuration lines, in order; may be empty when only a person can do it. */
  readonly commands: readonly string[];
  /** The edit of the files at hand, as `patch -p0` takes it; left out where none is known. */
  readonly diff?: string;
  /** What the host's own check said to that edit, made in a private copy of its files; left out where nothing is edited. */
  readonly tried?: { readonly state: 'ok' | 'failed' | 'not-tried'; readonly detail: string };
}

export interface CauseReport {
  readonly code: string;
  readonly title: string;
  readonly confidence: 'proven' | 'likely';
  readonly layer: string;
  readonly hop: string;
  /** Where it sits: `be`, or the gateways that it hits. */
  readonly gateways: readonly string[];
  readonly host: string;
  readonly why: readonly string[];
  readonly evidence: readonly EvidenceStep[];
  readonly ruledOut: readonly RuledOut[];
  /** Ids and titles of the findings that it explains. */
  readonly explains: readonly { readonly check: string; readonly title: string }[];
  /** Causes that follow from this one and were folded into it. */
  readonly chain: readonly { readonly code: string; readonly title: string }[];
  readonly remedy: Remedy;
}

export type HopState = 'ok' | 'ok-direct' | 'fail' | 'blocked' | 'unknown' | 'skipped';

export interface HopReport {
  readonly id: string;
  readonly label: string;
  readonly gateway: string;
  readonly state: HopState;
  readonly detail: string;
  readonly causes: readonly string[];
}

export interface VerdictReport {
  readonly check: string;
  readonly title: string;
  readonly hop: string;
  readonly host: string;
  readonly gateway: string;
  readonly state: 'pass' | 'info' | 'warn' | 'fail' | 'skipped' | 'unknown' | 'error';
  readonly detail: string;
  /** The fact that decided; null where nothing was known. */
  readonly evidence: EvidenceStep | null;
}

/** A line of a log, as its program said it. */
export interface LastWord {
  readonly part: string;
  readonly host: string;
  /** By that host's clock; null where the log does not say. */
  readonly atMs: number | null;
  readonly text: string;
  /** Shows more of the same log. */
  readonly command: string;
}

/** What to do next where no cause is proven. */
export interface NextStep {
  readonly text: string;
  readonly command: string;
}

export interface UnknownReport {
  readonly key: string;
  readonly vantage: string;
  readonly subject: string;
  readonly reason: string;
  readonly detail: string;
  /** Name of the host that it would have been seen on or from, and how to look by hand; may be empty. */
  readonly host: string;
  readonly command: string;
}

/** `unexplained`: something is broken and no cause is proven; `inconclusive`: not enough was seen to call it healthy or broken. */
export type RunVerdict = 'healthy' | 'broken' | 'unexplained' | 'inconclusive';

/** The one word that every output for people begins with. */
export const verdictWords: Readonly<Record<RunVerdict, string>> = {
  healthy: 'HEALTHY',
  broken: 'BROKEN',
  unexplained: 'UNEXPLAINED',
  inconclusive: 'UNSURE',
};

export interface Report {
  readonly schema: 'viworks.doctor/1';
  readonly run: string;
  readonly version: string;
  readonly startedAtMs: number;
  readonly milliseconds: number;
  readonly probes: number;
  /** False when the run was cut short (deadline, Ctrl-C), or the look at one of its hosts. */
  readonly complete: boolean;
  readonly installation: {
    readonly name: string;
    readonly kind: string;
    readonly url: string;
    readonly inferred: readonly string[];
  };
  readonly hosts: readonly {
    readonly host: string;
    readonly name: string;
    /** `cut`: it was looked at, and part of it did not come back. */
    readonly state: 'seen' | 'local' | 'not-seen' | 'cut';
    readonly detail: string;
    readonly milliseconds: number | null;
  }[];
  readonly verdict: RunVerdict;
  /** Above 128: the run was stopped by that signal, whatever its verdict. */
  readonly exitCode: 0 | 3 | 4 | 5 | 129 | 130 | 143;
  readonly causes: readonly CauseReport[];
  readonly latent: readonly CauseReport[];
  /** Why a host could not be looked at. Never the cause of an outage. */
  readonly sight: readonly CauseReport[];
  /** Causes that cannot be told apart with what is known, and what would tell them apart. */
  readonly unsure: readonly { readonly codes: readonly string[]; readonly need: readonly string[] }[];
  /** Findings that no named cause explains. */
  readonly unexplained: readonly { readonly check: string; readonly title: string; readonly gateway: string }[];
  readonly path: readonly HopReport[];
  readonly lastGood: string | null;
  readonly firstBad: string | null;
  /** The newest own words of the programs at the broken hop, the nearest program first; empty where a cause is named. */
  readonly lastWords: readonly LastWord[];
  /** For each gateway that is not connected: when the backend last heard from it. */
  readonly lastContact: readonly string[];
  readonly next: NextStep | null;
  /** Remarks on the whole: what restores service only together, what was cut short. */
  readonly notes: readonly string[];
  readonly advice: readonly { readonly rule: string; readonly text: string; readonly place: string }[];
  readonly verdicts: readonly VerdictReport[];
  readonly unknowns: readonly UnknownReport[];
}
