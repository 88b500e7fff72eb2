// The Logger that every room is handed, bound to pino. Messages are constants; data goes into fields.
import type { Writable } from 'node:stream';
import { pino } from 'pino';
import type { ViworksError } from './errors.ts';

/** How much is logged; changeable while the process runs. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields beside a message. Never put a secret here; Secret values print as [redacted]. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured logging. `error`: someone must act; `warn`: degraded, heals; `info`: an operator's timeline; `debug`: the rest. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** One line for a failure at the boundary that handled it: message, code, hint. */
  failure(message: string, error: ViworksError, fields?: LogFields): void;
  child(fields: LogFields): Logger;
  setLevel(level: LogLevel): void;
  readonly level: LogLevel;
}

// Defence in depth: nothing secret is put into a field, and if it is, these names never reach the line.
const REDACTED = ['token', 'secret', 'password', 'authorization', 'privateKey', '*.token', '*.secret', '*.password'];

/** Creates a logger that writes JSON lines to `stream` (stdout for daemons, stderr for the CLI). */
export function createLogger(options: { level: LogLevel; stream: Writable; name?: string | undefined }): Logger {
  const root = pino(
    {
      level: options.level,
      base: options.name === undefined ? {} : { program: options.name },
      redact: { paths: REDACTED, censor: '[redacted]' },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    options.stream,
  );
  return bind(root, root);
}

function bind(target: pino.Logger, root: pino.Logger): Logger {
  return {
    debug: (message, fields) => target.debug(fields ?? {}, message),
    info: (message, fields) => target.info(fields ?? {}, message),
    warn: (message, fields) => target.warn(fields ?? {}, message),
    error: (message, fields) => target.error(fields ?? {}, message),
    failure: (message, error, fields) =>
      target.error({ ...fields, code: error.code, reason: error.message, hint: error.hint }, message),
    child: (fields) => bind(target.child({ ...fields }), root),
    setLevel(level) {
      root.level = level;
      target.level = level;
    },
    get level() {
      return target.level as LogLevel;
    },
  };
}

/** A logger that says nothing, for one-shots and tests. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  failure() {},
  child: () => silentLogger,
  setLevel() {},
  level: 'error',
};
