// One database as the parts of the SQLite store use it: statements prepared once, and transactions.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Value } from './columns.ts';

/** Prepared statements by text, and transactions. What the parts of the SQLite store work with. */
export interface Sql {
  prepare(text: string): StatementSync;
  run(text: string, ...values: Value[]): number;
  /** Runs `work` in a transaction of its own. */
  transaction<T>(work: () => T): T;
}

/** Puts it around a database. */
export function createSql(database: DatabaseSync): Sql {
  const statements = new Map<string, StatementSync>();
  const prepare = (text: string): StatementSync => {
    const known = statements.get(text);
    if (known) return known;
    const statement = database.prepare(text);
    statements.set(text, statement);
    return statement;
  };
  return {
    prepare,
    run: (text, ...values) => Number(prepare(text).run(...values).changes),
    transaction(work) {
      prepare('BEGIN IMMEDIATE').run();
      try {
        const result = work();
        prepare('COMMIT').run();
        return result;
      } catch (error) {
        // A full disk may have ended the transaction already; the first error is the one that counts.
        if (database.isTransaction) prepare('ROLLBACK').run();
        throw error;
      }
    },
  };
}
