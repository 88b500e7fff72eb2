// Forgetting for good. A task vanishes in one step for every reader; its output, which may be gigabytes, goes in pieces behind it.
import type { Row } from './columns.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Sql } from './sql.ts';
import type { Purged, PurgeLimits, Store } from './store.ts';

/** What one transaction removes at most, in rows of output (256 KiB at most each), tasks, and bytes of their records: some ms on the loop. */
const ROWS_AT_ONCE = 32;
const TASKS_AT_ONCE = 100;
const RECORD_BYTES_AT_ONCE = 4 * 2 ** 20;
/** What a task takes beside what can be counted: never less than that, so that no more is forgotten than makes room. */
const OVERHEAD_BYTES = 2_048;

const OLD = `SELECT t.task_id, t.command_id, t.out_stored + t.err_stored AS output_bytes,
    ${OVERHEAD_BYTES} + octet_length(c.args) + octet_length(c.env) + coalesce(octet_length(c.stdin), 0) AS record_bytes
  FROM tasks AS t JOIN commands AS c ON c.command_id = t.command_id WHERE t.state = 'finished'`;

/** Creates the part of the store that forgets. */
export function createPurge(sql: Sql, group: GroupCommit): Pick<Store, 'purge' | 'usedBytes'> {
  return {
    usedBytes: () => usedBytes(sql),
    async purge(limits) {
      const { value, batch } = group.run(() => sql.transaction(() => purgePiece(sql, limits)));
      await batch.committed;
      return value;
    },
  };
}

function purgePiece(sql: Sql, limits: PurgeLimits): Purged {
  if (sweepOutput(sql)) return { tasks: 0, more: true };
  const excess = usedBytes(sql) - limits.maxBytes;
  const old = excess > 0 ? oldest(sql, excess) : oldestBefore(sql, limits);
  for (const { task_id: taskId = null, command_id: commandId = null } of old) {
    sql.run('INSERT INTO purges (task_id) VALUES (?)', taskId);
    sql.run('DELETE FROM task_gaps WHERE task_id = ?', taskId);
    sql.run('DELETE FROM tasks WHERE task_id = ?', taskId);
    sql.run(
      'DELETE FROM commands WHERE command_id = ? AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.command_id = commands.command_id)',
      commandId,
    );
  }
  sql.run('DELETE FROM enrolments WHERE coalesce(used_at, expires_at) < ?', limits.finishedBefore);
  return { tasks: old.length, more: old.length > 0 };
}

// Output of tasks that are gone already. True while there is more; a store without such writes nothing at all.
function sweepOutput(sql: Sql): boolean {
  if (!sql.prepare('SELECT 1 FROM purges LIMIT 1').get()) return false;
  const rows = sql.run(
    `DELETE FROM task_output WHERE (task_id, stream, first_byte) IN (
       SELECT o.task_id, o.stream, o.first_byte FROM purges AS p JOIN task_output AS o ON o.task_id = p.task_id LIMIT ?)`,
    ROWS_AT_ONCE,
  );
  if (rows === ROWS_AT_ONCE) return true;
  sql.run('DELETE FROM purges'); // Fewer rows than asked for: nothing of them is left.
  return false;
}

// As many as make room for so many bytes.
function oldest(sql: Sql, excess: number): Row[] {
  return piece(sql.prepare(`${OLD} ORDER BY t.task_id LIMIT ?`).iterate(TASKS_AT_ONCE), excess);
}

// The bound on the id keeps this from looking at every task there is: ids sort by time.
function oldestBefore(sql: Sql, { idBefore, finishedBefore }: PurgeLimits): Row[] {
  const statement = sql.prepare(`${OLD} AND t.task_id < ? AND t.finished_at < ? ORDER BY t.task_id LIMIT ?`);
  return piece(statement.iterate(idBefore, finishedBefore, TASKS_AT_ONCE), Number.POSITIVE_INFINITY);
}

// Rows up to the one that frees so many bytes, or that makes the piece large; only these are read.
function piece(rows: Iterable<unknown>, wantedBytes: number): Row[] {
  const taken: Row[] = [];
  let freed = 0;
  let records = 0;
  for (const row of rows as Iterable<Row>) {
    taken.push(row);
    records += Number(row.record_bytes);
    freed += Number(row.record_bytes) + Number(row.output_bytes);
    if (freed >= wantedBytes || records >= RECORD_BYTES_AT_ONCE) break;
  }
  return taken;
}

// Pages in use. The file keeps its size: what was freed in it is written over.
function usedBytes(sql: Sql): number {
  const figure = (name: string): number => Number(Object.values(sql.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  return (figure('page_count') - figure('freelist_count')) * figure('page_size');
}
