// The schema as numbered steps, forward only. SQL stays within what SQLite and PostgreSQL both take, types of columns apart and
// WITHOUT ROWID, which keeps a row in its key's own tree: every page less is two writes less for each command.

/** One step; its number is its place in the list, from 1. Never edited once released. */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE tokens (
      token_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,
      created_at INTEGER NOT NULL, last_used_at INTEGER)`,
    `CREATE TABLE enrolments (
      hash TEXT PRIMARY KEY, gateway_id TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER)`,
    `CREATE TABLE gateways (
      gateway_id TEXT PRIMARY KEY, public_key TEXT NOT NULL, fingerprint TEXT NOT NULL, enrolled_at INTEGER NOT NULL,
      revoked_at INTEGER, session_epoch INTEGER NOT NULL, hello TEXT, remote_address TEXT, connected_at INTEGER,
      last_seen_at INTEGER, last_close TEXT)`,
    `CREATE TABLE commands (
      command_id TEXT PRIMARY KEY, verb TEXT NOT NULL, args TEXT NOT NULL, env TEXT NOT NULL, cwd TEXT, stdin TEXT,
      timeout_ms INTEGER NOT NULL, grace_ms INTEGER NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
      owner TEXT NOT NULL, idempotency_key TEXT, body_hash TEXT NOT NULL) WITHOUT ROWID`,
    'CREATE UNIQUE INDEX commands_by_key ON commands (owner, idempotency_key) WHERE idempotency_key IS NOT NULL',
    `CREATE TABLE tasks (
      task_id TEXT PRIMARY KEY, command_id TEXT NOT NULL, gateway_id TEXT NOT NULL, state TEXT NOT NULL, fence INTEGER NOT NULL,
      created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER,
      cancel_requested_at INTEGER, cancel_grace_ms INTEGER, stream_epoch TEXT, lost_from TEXT, result TEXT, outcome TEXT,
      out_stored INTEGER NOT NULL, err_stored INTEGER NOT NULL) WITHOUT ROWID`,
    'CREATE INDEX tasks_by_command ON tasks (command_id)',
    'CREATE INDEX tasks_by_gateway ON tasks (gateway_id, task_id)',
    "CREATE INDEX tasks_open ON tasks (task_id) WHERE state <> 'finished'",
    `CREATE TABLE task_output (
      task_id TEXT NOT NULL, stream TEXT NOT NULL, first_byte INTEGER NOT NULL, bytes BLOB NOT NULL,
      PRIMARY KEY (task_id, stream, first_byte)) WITHOUT ROWID`,
    `CREATE TABLE task_gaps (
      task_id TEXT NOT NULL, stream TEXT NOT NULL, from_byte INTEGER NOT NULL, to_byte INTEGER NOT NULL, reason TEXT NOT NULL,
      PRIMARY KEY (task_id, stream, from_byte)) WITHOUT ROWID`,
  ],
];

/**
 * Tables that an older build does not miss and does not see: they raise no version, so that the way back to it stays open. A
 * numbered step closes it, since a build refuses a store that is newer than itself.
 */
export const ADDITIONS: readonly string[] = [
  // Tasks that are gone and whose output has still to go.
  'CREATE TABLE IF NOT EXISTS purges (task_id TEXT PRIMARY KEY) WITHOUT ROWID',
];
