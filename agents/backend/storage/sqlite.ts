// The store on node:sqlite. WAL with synchronous=NORMAL never tears the file; durability comes from an fsync of the WAL
// after the commit (group-commit.ts), which is what synchronous=FULL does, but off the loop.
import { chownSync, closeSync, existsSync, fdatasync, mkdirSync, openSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Clock, describe, ViworksError } from '../../runtime/index.ts';
import { backendErrors } from '../errors.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { ADDITIONS, MIGRATIONS } from './migrations.ts';
import { createSql, type Sql } from './sql.ts';
import { createPurge } from './sqlite-purge.ts';
import { createReads } from './sqlite-reads.ts';
import { applyWrites, createTransactions } from './sqlite-writes.ts';
import type { Store } from './store.ts';

/** Name of the store's file in the state directory. */
const FILE = 'viworks.db';

/** The WAL is folded back when it has grown to this; each fold costs two fsyncs on the loop. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024;
/** Measured: 256 KiB rows go in a quarter faster than with 4 KiB pages, and a short command costs 30 µs more. */
const PAGE_BYTES = 8192;

/** How a store is opened. `observe` is told of every commit and fsync. */
export interface SqliteOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly observe?: ((step: 'commit' | 'sync', seconds: number) => void) | undefined;
  /** Called when a write failed; the store goes on trying with each new write. */
  readonly onFailure?: ((error: ViworksError) => void) | undefined;
}

/** Opens (and creates or migrates) the store in a directory. Throws VW_BACKEND_STORE_OPEN or VW_BACKEND_STORE_NEWER. */
export function openSqliteStore(options: SqliteOptions): Store {
  const { directory } = options;
  const file = join(directory, FILE);
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    database = new DatabaseSync(file, { timeout: 5_000 });
    database.exec(`PRAGMA page_size=${PAGE_BYTES}`);
    database.exec('PRAGMA journal_mode=WAL');
    database.exec('PRAGMA synchronous=NORMAL');
    database.exec('PRAGMA cache_size=-32000');
    database.exec(`PRAGMA wal_autocheckpoint=${CHECKPOINT_BYTES / PAGE_BYTES}`);
    // Without it the file stays as long as its largest moment and is written over in place: one metadata write less per fsync.
    database.exec('PRAGMA journal_size_limit=-1');
    const sql = createSql(database);
    migrate(sql);
    giveToOwner(directory, file);
    return createStore(database, sql, options);
  } catch (error) {
    database?.close();
    if (error instanceof ViworksError) throw error;
    if (isFull(directory)) throw backendErrors.create('VW_BACKEND_STORE_FULL', { directory }, error);
    throw backendErrors.create('VW_BACKEND_STORE_OPEN', { directory, reason: describe(error) }, error);
  }
}

// SQLite calls it an I/O error when there is no room for its shared memory file.
function isFull(directory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize < PAGE_BYTES;
  } catch {
    return false;
  }
}

function createStore(database: DatabaseSync, sql: Sql, options: SqliteOptions): Store {
  const { clock, directory, observe } = options;
  const wal = openSync(`${join(directory, FILE)}-wal`, 'r');
  const failed = (thrown: unknown): ViworksError => {
    if (thrown instanceof ViworksError) return thrown;
    const failure = backendErrors.create(
      'VW_BACKEND_STORAGE_UNAVAILABLE',
      { reason: describe(thrown), directory },
      thrown,
    );
    options.onFailure?.(failure);
    return failure;
  };
  const group: GroupCommit = createGroupCommit({
    clock,
    failed,
    commit: timed('commit', (writes) => sql.transaction(() => applyWrites(sql, writes))),
    async sync() {
      const start = clock.monotonicMs();
      await new Promise<void>((resolve, reject) => fdatasync(wal, (error) => (error ? reject(error) : resolve())));
      observe?.('sync', (clock.monotonicMs() - start) / 1000);
    },
  });

  function timed<A>(step: 'commit', work: (argument: A) => void): (argument: A) => void {
    return (argument) => {
      const start = clock.monotonicMs();
      work(argument);
      observe?.(step, (clock.monotonicMs() - start) / 1000);
    };
  }

  return {
    ...createReads(sql),
    ...createTransactions(sql, group),
    ...createPurge(sql, group),
    write: (writes, urgency) => group.write(writes, urgency),
    flush: () => group.flush(),
    async [Symbol.asyncDispose]() {
      try {
        await group.flush();
      } finally {
        closeSync(wal);
        database.close();
      }
    },
  };
}

function migrate(sql: Sql): void {
  sql.transaction(() => {
    sql.run('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)');
    const found = Number(sql.prepare('SELECT coalesce(max(version), 0) AS version FROM schema_version').get()?.version);
    if (found > MIGRATIONS.length)
      throw backendErrors.create('VW_BACKEND_STORE_NEWER', { found, known: MIGRATIONS.length });
    MIGRATIONS.slice(found).forEach((step, index) => {
      for (const statement of step) sql.run(statement);
      sql.run('INSERT INTO schema_version (version) VALUES (?)', found + index + 1);
    });
    for (const statement of ADDITIONS) sql.run(statement);
  });
}

// A token made by root before the first start must not leave files that the service's user cannot open.
function giveToOwner(directory: string, file: string): void {
  if (process.getuid?.() !== 0) return;
  const owner = statSync(directory);
  if (owner.uid === 0) return;
  for (const path of [file, `${file}-wal`, `${file}-shm`]) if (existsSync(path)) chownSync(path, owner.uid, owner.gid);
}
