// Forgetting for good. A task vanishes in one step for every reader; its output, which may be gigabytes, goes in pieces behind it.
import type { Row } from './columns.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Sql } from './sql.ts';
import type { Purged, PurgeLimits, Store } from './store.ts';

/** Rows of output (256 KiB at most) and tasks per transaction: about 5 ms on the loop. */
const ROWS_AT_ONCE = 32;
const TASKS_AT_ONCE = 100;
/** What a task without output takes, its command included: an estimate that is never too large. */
const RECORD_BYTES = 512;

const OLD = "SELECT task_id, command_id, out_stored + err_stored AS bytes FROM tasks WHERE state = 'finished'";

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
  const rows = sql.run(
    `DELETE FROM task_output WHERE (task_id, stream, first_byte) IN (
       SELECT o.task_id, o.stream, o.first_byte FROM purges AS p JOIN task_output AS o ON o.task_id = p.task_id LIMIT ?)`,
    ROWS_AT_ONCE,
  );
  if (rows === ROWS_AT_ONCE) return { tasks: 0, more: true };
  sql.run('DELETE FROM purges'); // Fewer rows than asked for: nothing of them is left.
  const excess = usedBytes(sql) - limits.maxBytes;
  const old = excess > 0 ? oldest(sql, excess) : oldestBefore(sql, limits);
  for (const { task_id: taskId, command_id: commandId } of old) {
    if (typeof taskId !== 'string' || typeof commandId !== 'string') continue;
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

// As many as make room for so many bytes.
function oldest(sql: Sql, excess: number): Row[] {
  const rows = sql.prepare(`${OLD} ORDER BY task_id LIMIT ?`).all(TASKS_AT_ONCE) as Row[];
  let left = excess;
  const end = rows.findIndex((row) => {
    left -= Number(row.bytes) + RECORD_BYTES;
    return left <= 0;
  });
  return end < 0 ? rows : rows.slice(0, end + 1);
}

// The bound on the id keeps this from looking at every task there is: ids sort by time.
function oldestBefore(sql: Sql, { idBefore, finishedBefore }: PurgeLimits): Row[] {
  return sql
    .prepare(`${OLD} AND task_id < ? AND finished_at < ? ORDER BY task_id LIMIT ?`)
    .all(idBefore, finishedBefore, TASKS_AT_ONCE) as Row[];
}

// Pages in use. The file keeps its size: what was freed in it is written over.
function usedBytes(sql: Sql): number {
  const figure = (name: string): number => Number(Object.values(sql.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
  return (figure('page_count') - figure('freelist_count')) * figure('page_size');
}
