// Everything that changes rows: the queued writes of a batch, and the few operations that must see their own answer.
import {
  COMMANDS,
  ENROLMENTS,
  GATEWAYS,
  insertSql,
  type Row,
  selectList,
  TASKS,
  TOKENS,
  toRecord,
  toValues,
  updateSql,
} from './columns.ts';
import type { GroupCommit } from './group-commit.ts';
import type { EnrolmentRecord, GatewayRecord, TaskPatch, TaskRecord, Write } from './records.ts';
import type { Sql } from './sql.ts';
import type { EnrolmentOutcome, EnrolRequest, Store } from './store.ts';

/** Largest row of output: pieces that follow each other are joined up to this, so that small frames do not become small rows. */
const ROW_BYTES = 256 * 1024;

/** Applies a batch inside the caller's transaction. Applying it twice changes nothing. */
export function applyWrites(sql: Sql, writes: readonly Write[]): void {
  for (const write of joined(writes)) applyOne(sql, write);
}

function applyOne(sql: Sql, write: Write): void {
  switch (write.kind) {
    case 'output.append':
      // An empty row would stand in the way of the bytes that belong at its offset.
      if (write.bytes.length === 0) return;
      sql.run(
        'INSERT INTO task_output (task_id, stream, first_byte, bytes) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
        write.taskId,
        write.stream,
        write.offset,
        write.bytes,
      );
      return;
    case 'output.gap':
      sql.run(
        'INSERT INTO task_gaps (task_id, stream, from_byte, to_byte, reason) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
        write.taskId,
        write.stream,
        write.from,
        write.to,
        write.reason,
      );
      return;
    case 'task.patch':
      update(sql, updateSql<TaskRecord>(TASKS, 'taskId', write.patch as Partial<TaskRecord>), write.taskId);
      return;
    case 'gateway.seen':
      update(sql, updateSql<GatewayRecord>(GATEWAYS, 'gatewayId', write.patch), write.gatewayId);
      return;
    case 'token.used':
      sql.run('UPDATE tokens SET last_used_at = ? WHERE token_id = ?', write.at, write.tokenId);
  }
}

function update(sql: Sql, statement: ReturnType<typeof updateSql>, key: string): void {
  if (statement) sql.run(statement.sql, ...statement.values, key);
}

interface Run {
  readonly at: number;
  readonly first: Extract<Write, { kind: 'output.append' }>;
  readonly pieces: Uint8Array[];
  length: number;
}

// Joins pieces of one stream that follow each other, and patches of one task; every other write keeps its place. A short task is
// accepted, started, prints and ends within one batch: that is one row of output and one update.
function joined(writes: readonly Write[]): readonly Write[] {
  if (writes.length < 2) return writes;
  const result: Write[] = [];
  const open = new Map<string, Run>();
  const runs: Run[] = [];
  const patches = new Map<string, TaskPatch>();
  for (const write of writes) {
    if (write.kind === 'task.patch') {
      const earlier = patches.get(write.taskId);
      if (earlier) Object.assign(earlier, write.patch);
      else {
        const patch = { ...write.patch };
        patches.set(write.taskId, patch);
        result.push({ ...write, patch });
      }
      continue;
    }
    if (write.kind !== 'output.append') {
      result.push(write);
      continue;
    }
    const key = `${write.taskId} ${write.stream}`;
    const run = open.get(key);
    if (run && run.first.offset + run.length === write.offset && run.length + write.bytes.length <= ROW_BYTES) {
      run.pieces.push(write.bytes);
      run.length += write.bytes.length;
      continue;
    }
    const fresh: Run = { at: result.length, first: write, pieces: [write.bytes], length: write.bytes.length };
    open.set(key, fresh);
    runs.push(fresh);
    result.push(write);
  }
  for (const run of runs) {
    if (run.pieces.length > 1) result[run.at] = { ...run.first, bytes: Buffer.concat(run.pieces, run.length) };
  }
  return result;
}

/** The part of the store that answers from inside its own transaction. */
export type Transactions = Pick<
  Store,
  'createCommand' | 'attach' | 'addToken' | 'revokeToken' | 'addEnrolment' | 'enrol' | 'probe'
>;

/** Creates that part. */
export function createTransactions(sql: Sql, group: GroupCommit): Transactions {
  const insertCommand = insertSql(COMMANDS);
  const insertTask = insertSql(TASKS);
  const byKey = `SELECT ${selectList(COMMANDS)} FROM commands WHERE owner = ? AND idempotency_key = ?`;

  return {
    async createCommand(command, tasks) {
      const { value, batch } = group.run(() =>
        sql.transaction(() => {
          const key = command.idempotencyKey;
          const row = key === undefined ? undefined : sql.prepare(byKey).get(command.owner, key);
          if (row) return toRecord(COMMANDS, row as Row);
          sql.run(insertCommand, ...toValues(COMMANDS, command));
          for (const task of tasks) sql.run(insertTask, ...toValues(TASKS, task));
          return undefined;
        }),
      );
      return value ? { existing: value, batch } : { batch };
    },
    async attach(gatewayId, expected) {
      const { value, batch } = group.run(
        () =>
          sql.run(
            'UPDATE gateways SET session_epoch = session_epoch + 1 WHERE gateway_id = ? AND session_epoch = ?',
            gatewayId,
            expected,
          ) === 1,
      );
      await batch.committed;
      return value;
    },
    async addToken(token) {
      const statement = `${insertSql(TOKENS)} ON CONFLICT DO NOTHING`;
      const { value, batch } = group.run(() => sql.run(statement, ...toValues(TOKENS, token)) === 1);
      await batch.durable;
      return value;
    },
    async revokeToken(tokenId) {
      const { value, batch } = group.run(() => sql.run('DELETE FROM tokens WHERE token_id = ?', tokenId) === 1);
      await batch.durable;
      return value;
    },
    async addEnrolment(record) {
      const { batch } = group.run(() => sql.run(insertSql(ENROLMENTS), ...toValues(ENROLMENTS, record)));
      await batch.durable;
    },
    async enrol(request) {
      const { value, batch } = group.run(() => sql.transaction(() => enrol(sql, request)));
      await batch.durable;
      return value;
    },
    async probe() {
      try {
        const { batch } = group.run(() => sql.run('UPDATE schema_version SET version = version'));
        await batch.durable;
        return true;
      } catch {
        return false; // Told through the group's `failed` already.
      }
    },
  };
}

function enrol(sql: Sql, request: EnrolRequest): { outcome: EnrolmentOutcome; gatewayId?: string } {
  const row = sql.prepare('SELECT * FROM enrolments WHERE hash = ?').get(request.tokenHash) as Row | undefined;
  if (!row) return { outcome: 'unknown' };
  const enrolment: EnrolmentRecord = toRecord(ENROLMENTS, row);
  const { gatewayId } = enrolment;
  if (row.used_at !== null) return { outcome: 'used', gatewayId };
  if (enrolment.expiresAt <= request.at) return { outcome: 'expired', gatewayId };
  sql.run('UPDATE enrolments SET used_at = ? WHERE hash = ?', request.at, request.tokenHash);
  sql.run(
    `INSERT INTO gateways (gateway_id, public_key, fingerprint, enrolled_at, session_epoch) VALUES (?, ?, ?, ?, 0)
     ON CONFLICT (gateway_id) DO UPDATE SET public_key = excluded.public_key, fingerprint = excluded.fingerprint,
       enrolled_at = excluded.enrolled_at, revoked_at = NULL`,
    gatewayId,
    request.publicKey,
    request.fingerprint,
    request.at,
  );
  return { outcome: 'enrolled', gatewayId };
}
