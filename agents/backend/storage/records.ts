// What the store keeps, as plain data. Times are milliseconds since the epoch.
import type { http, StreamName, TaskResult } from '../../protocol/index.ts';

/** An API token; only the hash of its text is kept. */
export interface TokenRecord {
  readonly tokenId: string;
  readonly name: string;
  readonly role: http.Role;
  /** Lower-case hex SHA-256 of the token's text. */
  readonly hash: string;
  readonly createdAt: number;
  readonly lastUsedAt?: number | undefined;
}

/** A one-time token with which a gateway registers its key. */
export interface EnrolmentRecord {
  readonly hash: string;
  readonly gatewayId: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** What a gateway last said of itself. */
export interface GatewayHello {
  readonly version: string;
  readonly revision: string;
  readonly incarnation: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly verbs: Readonly<Record<string, { readonly schemaHash: string; readonly idempotent: boolean }>>;
  readonly kernel: { readonly cgroup: string; readonly subreaper: boolean; readonly limits: readonly string[] };
}

/** A gateway. */
export interface GatewayRecord {
  readonly gatewayId: string;
  /** Ed25519 SPKI DER, base64. */
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly enrolledAt: number;
  readonly revokedAt?: number | undefined;
  readonly sessionEpoch: number;
  readonly hello?: GatewayHello | undefined;
  readonly remoteAddress?: string | undefined;
  readonly connectedAt?: number | undefined;
  readonly lastSeenAt?: number | undefined;
  readonly lastClose?: { readonly code: number; readonly name: string; readonly at: number } | undefined;
}

/** What all tasks of a command have in common. */
export interface CommandRecord {
  readonly commandId: string;
  readonly verb: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly stdin?: string | undefined;
  readonly timeoutMs: number;
  readonly graceMs: number;
  readonly createdAt: number;
  /** Name of the token that asked. */
  readonly createdBy: string;
  /** Id of that token: the scope of idempotency keys. */
  readonly owner: string;
  readonly idempotencyKey?: string | undefined;
  readonly bodyHash: string;
}

/** A task. What may change is written as a {@link TaskPatch}. */
export interface TaskRecord {
  readonly taskId: string;
  readonly commandId: string;
  readonly gatewayId: string;
  readonly state: http.TaskState;
  readonly fence: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly startedAt?: number | undefined;
  readonly finishedAt?: number | undefined;
  readonly cancelRequestedAt?: number | undefined;
  readonly cancelGraceMs?: number | undefined;
  readonly streamEpoch?: string | undefined;
  /** The state before its gateway was lost, while `state` is `unknown`. */
  readonly lostFrom?: http.TaskState | undefined;
  /** The gateway's result while output is still missing. */
  readonly result?: TaskResult | undefined;
  readonly end?: http.TaskEnd | undefined;
  /** End of what is stored without a hole, gaps counted as present. */
  readonly outStored: number;
  readonly errStored: number;
}

/** Fields of a task to write. */
export type TaskPatch = {
  -readonly [K in Exclude<keyof TaskRecord, 'taskId' | 'commandId' | 'gatewayId' | 'createdAt'>]?: TaskRecord[K];
};

/** A task with its command: what the engine and the API work on. */
export interface StoredTask {
  readonly task: TaskRecord;
  readonly command: CommandRecord;
}

/** Bytes that are gone for good. */
export interface GapRecord {
  readonly stream: StreamName;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** One write. A batch of them is one transaction. */
export type Write =
  | { readonly kind: 'task.patch'; readonly taskId: string; readonly patch: TaskPatch }
  | {
      readonly kind: 'output.append';
      readonly taskId: string;
      readonly stream: StreamName;
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  | ({ readonly kind: 'output.gap'; readonly taskId: string } & GapRecord)
  | { readonly kind: 'gateway.seen'; readonly gatewayId: string; readonly patch: GatewayPatch }
  | { readonly kind: 'token.used'; readonly tokenId: string; readonly at: number };

/** Fields of a gateway to write. */
export type GatewayPatch = {
  -readonly [K in 'hello' | 'remoteAddress' | 'connectedAt' | 'lastSeenAt' | 'lastClose']?: GatewayRecord[K];
};
