// What the steps of a run share. Shapes only.
import type { Clock } from '../../../agents/runtime/index.ts';
import type { FactStore, Topology } from '../../engine/index.ts';
import type { Hints } from './hints.ts';
import type { RunLog } from './run-log.ts';

export interface RunContext {
  readonly topology: Topology;
  readonly hints: Hints;
  /** Use sudo on the hosts where it needs no password. */
  readonly sudo: boolean;
  readonly store: FactStore;
  readonly log: RunLog;
  readonly clock: Clock;
  /** Aborted by the operator or by the deadline of the run. */
  readonly signal: AbortSignal;
}
