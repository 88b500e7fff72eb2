// The event stream of a run: everything that any output shows, that a recording keeps and that the TUI draws. Nothing else feeds them.
import type { Fact, Vantage } from './facts.ts';
import type { CauseReport, Report, VerdictReport } from './report.ts';
import type { Topology } from './topology.ts';

export type RunEvent =
  | {
      readonly type: 'run.start';
      readonly schema: 'viworks.doctor.run/1';
      readonly run: string;
      readonly version: string;
      readonly atMs: number;
      readonly topology: Topology;
    }
  /** A host became visible, or could not be seen; `host` is `be` or `gw:ID`. */
  | {
      readonly type: 'host.state';
      readonly host: string;
      readonly name: string;
      readonly state: 'connecting' | 'ready' | 'unreachable' | 'done';
      readonly detail: string;
      readonly atMs: number;
    }
  | {
      readonly type: 'probe.start';
      readonly probe: string;
      readonly vantage: Vantage;
      readonly title: string;
      readonly atMs: number;
    }
  | {
      readonly type: 'probe.end';
      readonly probe: string;
      readonly vantage: Vantage;
      readonly outcome: 'ok' | 'failed' | 'timeout' | 'skipped';
      readonly detail: string;
      readonly atMs: number;
      readonly milliseconds: number;
      /** Raw output as captured (already redacted), or null for pure network probes. */
      readonly raw: string | null;
    }
  | { readonly type: 'fact'; readonly fact: Fact }
  /** `provisional` verdicts and causes are shown while facts still arrive; the last ones before run.end count. */
  | { readonly type: 'verdict'; readonly verdict: VerdictReport }
  | { readonly type: 'cause'; readonly cause: CauseReport; readonly provisional: boolean }
  | {
      readonly type: 'run.end';
      readonly atMs: number;
      readonly milliseconds: number;
      readonly probes: number;
      readonly complete: boolean;
      /** The exit code of the signal that stopped the run; left out where none did. */
      readonly interrupted?: 129 | 130 | 143;
      readonly report: Report;
    };
