// The processes of the local system: started apart from the terminal's Ctrl-C, written into the ledger, ended in order.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../agents/runtime/index.ts';
import { localErrors } from './errors.ts';
import { type Entry, endGroup, endProcess, type LedgerFile, startTimeOf, writeLedger } from './ledger.ts';

/** One started process. */
export interface Child {
  readonly name: string;
  readonly entry: Entry;
  readonly log: string;
  /** Rejects with VW_UP_CHILD_ENDED when it ends without being asked to; never resolves. */
  readonly unexpectedEnd: Promise<never>;
}

/** Starts and ends them. */
export interface Children {
  start(name: string, argv: readonly string[]): Promise<Child>;
  /** Ends all of them in reverse order of their start; gives the names of those that needed force. */
  endAll(): Promise<string[]>;
  /** At once and by force, without waiting: for the moment before this process ends. */
  killAll(): void;
}

/** What they are started with. */
export interface ChildrenOptions {
  readonly logs: string;
  readonly ledger: string;
  readonly owner: LedgerFile['owner'];
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

/** Backend and gateway drain for some seconds at most; then they are ended by force. */
const GRACE_MS = 15_000;

export function createChildren(options: ChildrenOptions): Children {
  const started: { readonly child: Child; readonly process: ChildProcess }[] = [];
  let ending = false;

  const record = (): Promise<void> =>
    writeLedger(options.ledger, { owner: options.owner, children: started.map(({ child }) => child.entry) });

  return {
    async start(name, argv) {
      const log = join(options.logs, `${name}.log`);
      const output = openSync(log, 'w', 0o600);
      const [program = '', ...args] = argv;
      // A session of its own: Ctrl-C in the terminal reaches only us, and we end them in order.
      const child = spawn(program, args, { detached: true, env: options.env, stdio: ['ignore', output, output] });
      closeSync(output);
      const spawned = new Promise<number>((resolve, reject) => {
        child.once('spawn', () => resolve(child.pid ?? 0));
        child.once('error', reject);
      });
      const unexpectedEnd = new Promise<never>((_resolve, reject) => {
        child.once('exit', (code, signal) => {
          if (ending) return;
          const how = signal ?? `exit ${code}`;
          reject(localErrors.create('VW_UP_CHILD_ENDED', { name, ending: how, log, words: lastWords(log) }));
        });
      });
      unexpectedEnd.catch(() => {}); // Looked at by whoever waits for it; until then it must not end the process.
      const pid = await spawned;
      const entry = { name, pid, startTime: startTimeOf(pid) ?? '' };
      const made = { name, entry, log, unexpectedEnd };
      started.push({ child: made, process: child });
      await record();
      return made;
    },
    async endAll() {
      ending = true;
      const forced: string[] = [];
      for (const { child } of started.toReversed()) {
        if (await endProcess(child.entry, { clock: options.clock, graceMs: GRACE_MS })) forced.push(child.name);
      }
      return forced;
    },
    killAll() {
      ending = true;
      for (const { child } of started.toReversed()) endGroup(child.entry);
    },
  };
}

/** The end of a log for an error message: the last lines, of JSON ones the parts that people read. */
export function lastWords(file: string): string {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return '    (no log)';
  }
  const lines = text.trimEnd().split('\n').slice(-8);
  return lines.map((line) => `    ${readable(line)}`).join('\n');
}

function readable(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    const { level, msg, code, reason, hint } = JSON.parse(line) as Record<string, unknown>;
    return [level, msg, code, reason, hint].filter((part) => typeof part === 'string').join(' · ');
  } catch {
    return line;
  }
}
