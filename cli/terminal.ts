// The terminal of this process as commands see it. Streams are opened when first used: opening stdin costs start-up time.
import { isatty } from 'node:tty';
import type { Terminal } from '../agents/runtime/index.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Whether colour may be written to a descriptor: NO_COLOR (no-color.org) wins, then FORCE_COLOR, then the terminal itself. */
export function colourAllowed(env: Env, isTty: boolean): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '')
    return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTty && env.TERM !== 'dumb';
}

/** The process's own streams. */
export function processTerminal(env: Env): Terminal {
  const [stdin, stdout, stderr] = [isatty(0), isatty(1), isatty(2)];
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return process.stdout;
    },
    get stderr() {
      return process.stderr;
    },
    interactive: stdin && stdout && env.TERM !== 'dumb',
    colour: { stdout: colourAllowed(env, stdout), stderr: colourAllowed(env, stderr) },
    get columns() {
      return process.stdout.columns ?? 80;
    },
    get rows() {
      return process.stdout.rows ?? 24;
    },
  };
}
