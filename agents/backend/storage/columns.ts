// Records ↔ rows, declared once per table: which field is which column, and whether it is kept as JSON. Pure.
import type { CommandRecord, EnrolmentRecord, GatewayRecord, TaskRecord, TokenRecord } from './records.ts';

/** What a column can hold. */
export type Value = string | number | bigint | null | Uint8Array;
/** A row as the driver gives it. */
export type Row = Readonly<Record<string, Value>>;

interface Column {
  readonly name: string;
  readonly json: boolean;
}

/** A table: its name and, for each field of the record, its column. */
export interface Table<T> {
  readonly name: string;
  readonly columns: { readonly [K in keyof Required<T>]: Column };
}

const plain = (name: string): Column => ({ name, json: false });
const json = (name: string): Column => ({ name, json: true });

export const TOKENS: Table<TokenRecord> = {
  name: 'tokens',
  columns: {
    tokenId: plain('token_id'),
    name: plain('name'),
    role: plain('role'),
    hash: plain('hash'),
    createdAt: plain('created_at'),
    lastUsedAt: plain('last_used_at'),
  },
};

export const ENROLMENTS: Table<EnrolmentRecord> = {
  name: 'enrolments',
  columns: {
    hash: plain('hash'),
    gatewayId: plain('gateway_id'),
    createdAt: plain('created_at'),
    expiresAt: plain('expires_at'),
  },
};

export const GATEWAYS: Table<GatewayRecord> = {
  name: 'gateways',
  columns: {
    gatewayId: plain('gateway_id'),
    publicKey: plain('public_key'),
    fingerprint: plain('fingerprint'),
    enrolledAt: plain('enrolled_at'),
    revokedAt: plain('revoked_at'),
    sessionEpoch: plain('session_epoch'),
    hello: json('hello'),
    remoteAddress: plain('remote_address'),
    connectedAt: plain('connected_at'),
    lastSeenAt: plain('last_seen_at'),
    lastClose: json('last_close'),
  },
};

export const COMMANDS: Table<CommandRecord> = {
  name: 'commands',
  columns: {
    commandId: plain('command_id'),
    verb: plain('verb'),
    args: json('args'),
    env: json('env'),
    cwd: plain('cwd'),
    stdin: plain('stdin'),
    timeoutMs: plain('timeout_ms'),
    graceMs: plain('grace_ms'),
    createdAt: plain('created_at'),
    createdBy: plain('created_by'),
    owner: plain('owner'),
    idempotencyKey: plain('idempotency_key'),
    bodyHash: plain('body_hash'),
  },
};

export const TASKS: Table<TaskRecord> = {
  name: 'tasks',
  columns: {
    taskId: plain('task_id'),
    commandId: plain('command_id'),
    gatewayId: plain('gateway_id'),
    state: plain('state'),
    fence: plain('fence'),
    createdAt: plain('created_at'),
    expiresAt: plain('expires_at'),
    startedAt: plain('started_at'),
    finishedAt: plain('finished_at'),
    cancelRequestedAt: plain('cancel_requested_at'),
    cancelGraceMs: plain('cancel_grace_ms'),
    streamEpoch: plain('stream_epoch'),
    lostFrom: plain('lost_from'),
    result: json('result'),
    end: json('outcome'),
    outStored: plain('out_stored'),
    errStored: plain('err_stored'),
  },
};

function entries<T>(table: Table<T>): [keyof T & string, Column][] {
  return Object.entries(table.columns) as [keyof T & string, Column][];
}

/** `INSERT` of a whole record. */
export function insertSql<T>(table: Table<T>): string {
  const names = entries(table).map(([, column]) => column.name);
  return `INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
}

/** The column list of a `SELECT`. */
export function selectList<T>(table: Table<T>): string {
  return entries(table)
    .map(([, column]) => `${table.name}.${column.name}`)
    .join(', ');
}

/** The values of a whole record, in the order of {@link insertSql}. */
export function toValues<T extends object>(table: Table<T>, record: T): Value[] {
  return entries(table).map(([field, column]) => toValue(column, record[field]));
}

/** `UPDATE` of the fields that a patch names; undefined for an empty one. */
export function updateSql<T extends object>(
  table: Table<T>,
  key: keyof T & string,
  patch: Partial<T>,
): { sql: string; values: Value[] } | undefined {
  const fields = Object.keys(patch) as (keyof T & string)[];
  if (fields.length === 0) return undefined;
  const assignments = fields.map((field) => `${table.columns[field].name} = ?`).join(', ');
  return {
    sql: `UPDATE ${table.name} SET ${assignments} WHERE ${table.columns[key].name} = ?`,
    values: fields.map((field) => toValue(table.columns[field], patch[field])),
  };
}

/** A record of a row; columns that are NULL are left out. */
export function toRecord<T>(table: Table<T>, row: Row): T {
  const record: Record<string, unknown> = {};
  for (const [field, column] of entries(table)) {
    const value = row[column.name];
    if (value === null || value === undefined) continue;
    record[field] = column.json ? JSON.parse(String(value)) : value;
  }
  return record as T;
}

function toValue(column: Column, value: unknown): Value {
  if (value === undefined || value === null) return null;
  return column.json ? JSON.stringify(value) : (value as Value);
}
