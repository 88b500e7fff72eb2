// The terminal of this process as commands see it: no text that they write can steer it, whoever said it.
// Streams are opened when first used: opening stdin costs start-up time.
import { fstatSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { rewriting, type Terminal, terminalText } from '../agents/runtime/index.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Whether colour may be written to a descriptor: NO_COLOR (no-color.org) wins, then FORCE_COLOR, then the terminal itself. */
export function colourAllowed(env: Env, isTty: boolean): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '')
    return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTty && env.TERM !== 'dumb';
}

/** The process's own streams, and the end of them. */
export interface ProcessTerminal {
  readonly terminal: Terminal;
  /** Resolves when all that was written has left the process (or nobody takes it any more). */
  flush(): Promise<void>;
}

/** Opens each stream when it is first used; `onError` hears when its reader goes away. */
export function processTerminal(env: Env, onError: (error: NodeJS.ErrnoException) => void): ProcessTerminal {
  const [stdin, stdout, stderr] = [isTerminal(0), isTerminal(1), isTerminal(2)];
  const colour = { stdout: colourAllowed(env, stdout), stderr: colourAllowed(env, stderr) };
  const opened = new Map<Writable, Writable>();
  const open = (stream: NodeJS.WriteStream, coloured: boolean): NodeJS.WriteStream => {
    const known = opened.get(stream);
    if (known !== undefined) return known as NodeJS.WriteStream;
    stream.on('error', onError);
    const safe = rewriting(stream, (text) => terminalText(text, coloured));
    opened.set(stream, safe);
    return safe;
  };
  return {
    terminal: {
      get stdin() {
        return process.stdin;
      },
      get stdout() {
        return open(process.stdout, colour.stdout);
      },
      get stderr() {
        return open(process.stderr, colour.stderr);
      },
      interactive: stdin && stdout && env.TERM !== 'dumb',
      colour,
      get columns() {
        return (stdout && process.stdout.columns) || 80;
      },
      get rows() {
        return (stdout && process.stdout.rows) || 24;
      },
    },
    async flush() {
      await Promise.all([...opened.keys()].map((stream) => new Promise((done) => void stream.write('', done))));
    },
  };
}

// Pipes and files are told apart without loading what terminals need.
function isTerminal(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice() && process.getBuiltinModule('node:tty').isatty(descriptor);
  } catch {
    return false; // Closed by whoever started us.
  }
}
