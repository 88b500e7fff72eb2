// The real program for end-to-end suites: a private build, and runs of it as an operator's shell would make them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;

/** What came of one run. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A run that goes on. */
export interface Running {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** Resolves as soon as stdout (or stderr) so far matches; rejects when the program ends first. */
  seen(pattern: RegExp, stream?: 'stdout' | 'stderr'): Promise<void>;
}

/** How to run it. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Buffer | string;
  readonly cwd?: string;
}

/** A built program with a home of its own. */
export interface Program extends Disposable {
  readonly dist: string;
  readonly home: string;
  start(argv: readonly string[], options?: RunOptions): Running;
  run(argv: readonly string[], options?: RunOptions): Promise<Outcome>;
}

/** Builds into a new directory below the system's temporary one. */
export function buildProgram(): Program {
  const home = mkdtempSync(join(tmpdir(), 'viworks-e2e-'));
  const dist = join(home, 'dist');
  execFileSync(process.execPath, [join(ROOT, 'cli/build.ts'), '--quiet', '--outdir', dist], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  mkdirSync(join(home, 'home'));
  const base = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: join(home, 'home'), VIWORKS_DIST: dist };
  const program: Program = {
    dist,
    home,
    start(argv, options = {}) {
      const child = spawn(join(ROOT, 'viworks'), argv, {
        env: { ...base, ...options.env },
        cwd: options.cwd ?? home,
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      child.stdin.on('error', () => {}); // It may end before it has read everything.
      child.stdin.end(options.stdin);
      return watch(child);
    },
    run: (argv, options) => program.start(argv, options).outcome,
    [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }),
  };
  return program;
}

/** Collects what a child writes. */
export function watch(child: ChildProcess): Running {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const waiting = new Set<() => void>();
  let ended = false;
  const wake = (): void => waiting.forEach((look) => void look());
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      chunks[name].push(chunk);
      wake();
    });
  }
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      ended = true;
      wake();
      const stderr = Buffer.concat(chunks.stderr).toString('utf8');
      resolve({ code, signal, stdout: Buffer.concat(chunks.stdout), stderr });
    });
  });
  return {
    process: child,
    outcome,
    seen: (pattern, stream = 'stdout') =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const text = Buffer.concat(chunks[stream]).toString('latin1');
          if (pattern.test(text)) resolve();
          else if (ended)
            reject(new Error(`ended without ${pattern}: ${text}\n${Buffer.concat(chunks.stderr).toString()}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
  };
}
