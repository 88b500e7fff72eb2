// What the live probes of a run share. Shapes only.
import type { ProbeCredential } from '../../../agents/runtime/index.ts';
import type { Trust } from '../../probes/dial.ts';
import type { NoCredential } from '../../probes/peer.ts';
import type { RunContext } from './context.ts';
import type { SiteView } from './rounds.ts';

export interface NetworkContext extends RunContext {
  readonly run: string;
  readonly version: string;
  readonly credential: ProbeCredential | NoCredential;
  /** What the operator judges TLS with. */
  readonly operatorTrust: Trust;
  readonly views: readonly SiteView[];
}
