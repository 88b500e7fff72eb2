// What a command of the CLI is: data that gives its help, completions and docs, plus one function to run it.
import type { Readable, Writable } from 'node:stream';
import type * as z from 'zod';
import type { Clock } from './clock.ts';
import type { ConfigComplaint } from './config.ts';

/** An option in commander's notation: `-o, --output <format>`. */
export interface OptionSpec {
  readonly flags: string;
  readonly help: string;
  readonly default?: string | boolean | undefined;
  readonly choices?: readonly string[] | undefined;
  /** May be given several times; the value is then an array. */
  readonly repeatable?: boolean | undefined;
}

/** A positional argument. */
export interface ArgumentSpec {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean | undefined;
  readonly variadic?: boolean | undefined;
}

/** Where a command reads and writes. stdout carries results only; progress and errors go to stderr. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Both stdin and stdout are terminals and TERM is not dumb. */
  readonly interactive: boolean;
  /** Whether escape codes for colour may be written to stdout / stderr (NO_COLOR, FORCE_COLOR, TTY). */
  readonly colour: { readonly stdout: boolean; readonly stderr: boolean };
  /** 80 × 24 when the terminal does not say. */
  readonly columns: number;
  readonly rows: number;
}

/** One call of a command. */
export interface Invocation {
  readonly args: readonly string[];
  /** Everything after `--`, untouched. */
  readonly rest: readonly string[];
  /** By camel-cased long name. */
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly terminal: Terminal;
  /** Aborted at the first SIGINT/SIGTERM/SIGHUP; a second one ends the process. Daemons read it as "drain". */
  readonly signal: AbortSignal;
  /** Aborted at the second one, just before the process ends: for a last word that is written at once. */
  readonly leaving?: AbortSignal | undefined;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A command as data. `run` gives the exit code; it may throw a ViworksError, whose exit code is then used. */
export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly description?: string | undefined;
  readonly arguments?: readonly ArgumentSpec[] | undefined;
  /** What follows `--`, for the usage line: `COMMAND [ARGUMENT...]`. */
  readonly rest?: string | undefined;
  readonly options?: readonly OptionSpec[] | undefined;
  readonly examples: readonly { readonly command: string; readonly does: string }[];
  readonly exitCodes: readonly { readonly code: number; readonly means: string }[];
  /** Commands and documents for what comes next. */
  readonly seeAlso?: readonly string[] | undefined;
  readonly subcommands?: readonly CommandSpec[] | undefined;
  run?(invocation: Invocation): Promise<number>;
}

/**
 * A configuration file as data: `viworks config check|explain` and docs/config.md are made of it.
 * Each program exports one as `configSpec` from its config.ts; every key's schema carries `.meta({ description })`.
 */
export interface ConfigSpec<TSchema extends z.ZodType = z.ZodType> {
  /** What `config explain NAME` calls it: backend, gateway, launcher, inventory. */
  readonly name: string;
  readonly summary: string;
  readonly schema: TSchema;
  /** `VIWORKS_BACKEND`; none for files that no variable overrides. */
  readonly envPrefix?: string | undefined;
  /** Judges the typed value as a whole (a port used twice). A method, so that specs of any schema fit one list. */
  check?(value: z.output<TSchema>): readonly ConfigComplaint[];
}
