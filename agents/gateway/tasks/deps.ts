// What the executor and the lives of its tasks stand on; handed in by the composition root.
import type { Frame } from '../../protocol/index.ts';
import type { Clock, Logger } from '../../runtime/index.ts';
import type { Journal } from '../journal/journal.ts';
import type { Launcher } from './launcher-client.ts';
import type { Policy } from './policy.ts';

/** The link as the executor sees it; calls do nothing while there is none. */
export interface TaskLink {
  send(frame: Frame): void;
  pump(): void;
  /** The backend broke the protocol. */
  violation(message: string): void;
}

/** What an executor needs. */
export interface ExecutorDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly journal: Journal;
  readonly launcher: Launcher;
  readonly link: TaskLink;
  readonly tasksDir: string;
  readonly verbs: ReadonlySet<string>;
  readonly policy: Policy;
  readonly maxConcurrent: number;
  readonly spoolCapBytes: number;
  /** Aborted when the agent stops; tasks live on. */
  readonly stopping: AbortSignal;
}
