// What the live probes of a run share. Shapes only.
import type { Clock, ProbeCredential } from '../../../agents/runtime/index.ts';
import type { FactStore, Topology } from '../../engine/index.ts';
import type { Trust } from '../../probes/dial.ts';
import type { NoCredential } from '../../probes/peer.ts';
import type { Hints } from './hints.ts';
import type { SiteView } from './rounds.ts';
import type { RunLog } from './run-log.ts';

export interface NetworkContext {
  readonly topology: Topology;
  readonly hints: Hints;
  readonly store: FactStore;
  readonly log: RunLog;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly run: string;
  readonly version: string;
  /** Use sudo on the hosts where it needs no password. */
  readonly sudo: boolean;
  readonly credential: ProbeCredential | NoCredential;
  /** What the operator judges TLS with. */
  readonly operatorTrust: Trust;
  readonly views: readonly SiteView[];
}
