// Everything that only reads. Each query is short: the loop waits for it.
import type { StreamName } from '../../protocol/index.ts';
import { COMMANDS, GATEWAYS, type Row, selectList, TASKS, TOKENS, toRecord } from './columns.ts';
import type { GapRecord, StoredTask, TaskRecord } from './records.ts';
import type { Sql } from './sql.ts';
import type { OutputPiece, Store } from './store.ts';

/** The part of the store that only reads. */
export type Reads = Pick<
  Store,
  'command' | 'task' | 'tasks' | 'openTasks' | 'output' | 'gaps' | 'gateways' | 'gateway' | 'tokenByHash' | 'tokens'
>;

const TASK_AND_COMMAND = `SELECT ${selectList(TASKS)}, ${selectList(COMMANDS)
  .split(', ')
  .map((column) => `${column} AS ${column.replace('.', '_')}`)
  .join(', ')} FROM tasks JOIN commands ON commands.command_id = tasks.command_id`;

/** Creates the reading part. */
export function createReads(sql: Sql): Reads {
  const all = (text: string, ...values: (string | number)[]): Row[] => sql.prepare(text).all(...values) as Row[];
  const one = (text: string, ...values: (string | number)[]): Row | undefined =>
    sql.prepare(text).get(...values) as Row | undefined;

  return {
    async command(commandId) {
      const row = one(`SELECT ${selectList(COMMANDS)} FROM commands WHERE command_id = ?`, commandId);
      if (!row) return undefined;
      const tasks = all(`SELECT ${selectList(TASKS)} FROM tasks WHERE command_id = ? ORDER BY task_id`, commandId);
      return { command: toRecord(COMMANDS, row), tasks: tasks.map((task) => toRecord(TASKS, task)) };
    },
    async task(taskId) {
      const row = one(`${TASK_AND_COMMAND} WHERE tasks.task_id = ?`, taskId);
      return row && toStoredTask(row);
    },
    async tasks(filter) {
      const wanted: [string, string | undefined][] = [
        ['tasks.gateway_id = ?', filter.gatewayId],
        ['tasks.command_id = ?', filter.commandId],
        ['tasks.state = ?', filter.state],
        ['tasks.task_id < ?', filter.cursor],
      ];
      const used = wanted.filter((entry): entry is [string, string] => entry[1] !== undefined);
      const where = used.length === 0 ? '' : `WHERE ${used.map(([condition]) => condition).join(' AND ')}`;
      const rows = all(
        `${TASK_AND_COMMAND} ${where} ORDER BY tasks.task_id DESC LIMIT ?`,
        ...used.map(([, value]) => value),
        filter.limit + 1,
      );
      const tasks = rows.slice(0, filter.limit).map(toStoredTask);
      const last = tasks.at(-1);
      return rows.length > filter.limit && last ? { tasks, next: last.task.taskId } : { tasks };
    },
    async openTasks() {
      const rows = all(`${TASK_AND_COMMAND} WHERE tasks.state <> 'finished' ORDER BY tasks.task_id`);
      return rows.map((row) => {
        const { task, command } = toStoredTask(row);
        return { command, task: { ...task, outStored: stored(sql, task, 'out'), errStored: stored(sql, task, 'err') } };
      });
    },
    async output(taskId, stream, from) {
      return readOutput(sql, { taskId, stream, from });
    },
    async gaps(taskId) {
      return all('SELECT * FROM task_gaps WHERE task_id = ? ORDER BY stream, from_byte', taskId).map(toGap);
    },
    async gateways() {
      return all(`SELECT ${selectList(GATEWAYS)} FROM gateways ORDER BY gateway_id`).map((row) =>
        toRecord(GATEWAYS, row),
      );
    },
    async gateway(gatewayId) {
      const row = one(`SELECT ${selectList(GATEWAYS)} FROM gateways WHERE gateway_id = ?`, gatewayId);
      return row && toRecord(GATEWAYS, row);
    },
    async tokenByHash(hash) {
      const row = one(`SELECT ${selectList(TOKENS)} FROM tokens WHERE hash = ?`, hash);
      return row && toRecord(TOKENS, row);
    },
    async tokens() {
      return all(`SELECT ${selectList(TOKENS)} FROM tokens ORDER BY created_at`).map((row) => toRecord(TOKENS, row));
    },
  };
}

// Output is stored without holes, gaps apart, so the end is the largest end of either.
function stored(sql: Sql, task: TaskRecord, stream: StreamName): number {
  const row = sql
    .prepare(
      `SELECT coalesce((SELECT first_byte + length(bytes) FROM task_output WHERE task_id = ?1 AND stream = ?2
          ORDER BY first_byte DESC LIMIT 1), 0) AS bytes_end,
        coalesce((SELECT max(to_byte) FROM task_gaps WHERE task_id = ?1 AND stream = ?2), 0) AS gap_end`,
    )
    .get(task.taskId, stream) as Row;
  return Math.max(Number(row.bytes_end), Number(row.gap_end));
}

function readOutput(sql: Sql, at: { taskId: string; stream: StreamName; from: number }): OutputPiece | undefined {
  const row = sql
    .prepare(
      'SELECT first_byte, bytes FROM task_output WHERE task_id = ? AND stream = ? AND first_byte <= ? ORDER BY first_byte DESC LIMIT 1',
    )
    .get(at.taskId, at.stream, at.from) as Row | undefined;
  if (row && row.bytes instanceof Uint8Array) {
    const skip = at.from - Number(row.first_byte);
    if (skip < row.bytes.length) return { kind: 'bytes', offset: at.from, bytes: row.bytes.subarray(skip) };
  }
  const gap = sql
    .prepare('SELECT * FROM task_gaps WHERE task_id = ? AND stream = ? AND from_byte <= ? AND to_byte > ?')
    .get(at.taskId, at.stream, at.from, at.from) as Row | undefined;
  return gap && { kind: 'gap', gap: { ...toGap(gap), from: at.from } };
}

function toGap(row: Row): GapRecord {
  return {
    stream: String(row.stream) as StreamName,
    from: Number(row.from_byte),
    to: Number(row.to_byte),
    reason: String(row.reason),
  };
}

function toStoredTask(row: Row): StoredTask {
  const command: Record<string, Row[string]> = {};
  for (const [name, value] of Object.entries(row)) if (name.startsWith('commands_')) command[name.slice(9)] = value;
  return { task: toRecord(TASKS, row), command: toRecord(COMMANDS, command) };
}
