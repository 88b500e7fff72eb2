// The store port. Every implementation passes test/contracts/store.contract.ts; nothing outside of storage/ knows which one it is.
import type { http, StreamName } from '../../protocol/index.ts';
import type {
  CommandRecord,
  EnrolmentRecord,
  GapRecord,
  GatewayRecord,
  StoredTask,
  TaskRecord,
  TokenRecord,
  Write,
} from './records.ts';

/**
 * Fate of a batch of writes. `committed`: readers see it and it outlives this process. `durable`: it outlives the machine's
 * power; asking for it costs an fsync, so only those ask who have to tell somebody. Both reject with VW_BACKEND_STORAGE_UNAVAILABLE when the batch was not written; nothing of it was then.
 */
export interface Batch {
  readonly committed: Promise<void>;
  readonly durable: Promise<void>;
}

/** How soon a write should be committed: `now` with the end of this turn of the loop, `soon` with the next batch, some ms later at most. */
export type Urgency = 'now' | 'soon';

/** Which tasks to list; newest first. */
export interface TaskFilter {
  readonly gatewayId?: string | undefined;
  readonly commandId?: string | undefined;
  readonly state?: http.TaskState | undefined;
  /** A `next` that was given before. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

/** Stored output from one offset on: bytes, or the gap that begins there; undefined when nothing is stored there (yet). */
export type OutputPiece =
  | { readonly kind: 'bytes'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'gap'; readonly gap: GapRecord };

/** What goes: tasks that finished before a moment and, while more than `maxBytes` are stored, the oldest that are left. */
export interface PurgeLimits {
  /** Milliseconds since the epoch. */
  readonly finishedBefore: number;
  /** Ids sort by time: no task with this id or a later one can have finished before that moment. */
  readonly idBefore: string;
  readonly maxBytes: number;
}

/** One piece of a purge. `more`: call again. */
export interface Purged {
  readonly tasks: number;
  readonly more: boolean;
}

/** What happened to an enrolment token that was shown. */
export type EnrolmentOutcome = 'enrolled' | 'unknown' | 'used' | 'expired';

/** Everything that the backend keeps. */
export interface Store extends AsyncDisposable {
  /** Queues writes into the current batch; all writes of one batch are one transaction, in order. */
  write(writes: readonly Write[], urgency: Urgency): Batch;
  /** Everything queued so far is committed and durable. */
  flush(): Promise<void>;
  /** Tries a small write: whether the store can be written now. */
  probe(): Promise<boolean>;

  /** Atomic: the command with all its tasks; or, where owner and key are known, the command that took them first. */
  createCommand(
    command: CommandRecord,
    tasks: readonly TaskRecord[],
  ): Promise<{ existing?: CommandRecord; batch: Batch }>;
  command(commandId: string): Promise<{ command: CommandRecord; tasks: readonly TaskRecord[] } | undefined>;
  task(taskId: string): Promise<StoredTask | undefined>;
  tasks(filter: TaskFilter): Promise<{ tasks: readonly StoredTask[]; next?: string }>;
  /** Every task that is not finished. */
  openTasks(): Promise<readonly StoredTask[]>;

  output(taskId: string, stream: StreamName, from: number): Promise<OutputPiece | undefined>;
  gaps(taskId: string): Promise<readonly GapRecord[]>;

  /**
   * Removes finished tasks for good, oldest first: output, gaps and, with its last task, their command; also enrolment tokens of
   * no more use. One bounded piece per call, so that others get their turn.
   */
  purge(limits: PurgeLimits): Promise<Purged>;
  /** Bytes of everything that is stored. */
  usedBytes(): number;

  gateways(): Promise<readonly GatewayRecord[]>;
  gateway(gatewayId: string): Promise<GatewayRecord | undefined>;
  /** Compare-and-set: the epoch becomes `expected + 1`; false when another backend or an older session was there first. */
  attach(gatewayId: string, expected: number): Promise<boolean>;

  /** False when the name is taken. */
  addToken(token: TokenRecord): Promise<boolean>;
  tokenByHash(hash: string): Promise<TokenRecord | undefined>;
  tokens(): Promise<readonly TokenRecord[]>;
  revokeToken(tokenId: string): Promise<boolean>;

  addEnrolment(record: EnrolmentRecord): Promise<void>;
  /** Uses a one-time token and stores the gateway's key, atomically: of two callers exactly one gets `enrolled`. */
  enrol(request: EnrolRequest): Promise<{ outcome: EnrolmentOutcome; gatewayId?: string }>;
}

/** What a gateway brings to its enrolment. */
export interface EnrolRequest {
  readonly tokenHash: string;
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly at: number;
}
