// The Logger that every room is handed, bound to pino. A message is a row of its program's messages.ts: its code becomes the field `event`,
// its sentence `msg`; data goes into fields.
import type { Writable } from 'node:stream';
import { pino } from 'pino';
import { errnoOf, type ViworksError } from './errors.ts';

/** How much is logged; changeable while the process runs. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields beside a message. Never put a secret here; Secret values print as [redacted]. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One sentence of a program: its code, which machines read and which keeps its meaning, and its words, which are for people. */
export interface LogMessage {
  readonly code: string;
  readonly text: string;
}

/** Structured logging. `error`: someone must act; `warn`: degraded, heals; `info`: an operator's timeline; `debug`: the rest. */
export interface Logger {
  debug(message: LogMessage, fields?: LogFields): void;
  info(message: LogMessage, fields?: LogFields): void;
  warn(message: LogMessage, fields?: LogFields): void;
  error(message: LogMessage, fields?: LogFields): void;
  /** One line for a failure at the boundary that handled it: message, code, hint. */
  failure(message: LogMessage, error: ViworksError, fields?: LogFields): void;
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
    debug: (message, fields) => target.debug({ event: message.code, ...fields }, message.text),
    info: (message, fields) => target.info({ event: message.code, ...fields }, message.text),
    warn: (message, fields) => target.warn({ event: message.code, ...fields }, message.text),
    error: (message, fields) => target.error({ event: message.code, ...fields }, message.text),
    failure: (message, error, fields) =>
      target.error(
        {
          event: message.code,
          ...fields,
          code: error.code,
          // The system's name for what is behind it, where there is one.
          errno: errnoOf(error.cause),
          reason: error.message,
          hint: error.hint,
        },
        message.text,
      ),
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
