// Which processes are ours: pid and start time on disk, so that what a killed `up` left behind is found and ended, and
// nothing else ever is (a pid alone is reused).
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Clock, parseProcStat, replaceFile } from '../../agents/runtime/index.ts';

/** One process that was started. */
export interface Entry {
  readonly name: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, in clock ticks since boot. */
  readonly startTime: string;
}

/** What the ledger's file holds: the `up` itself, and its children in the order of their start. */
export interface LedgerFile {
  readonly owner: Entry & { readonly since: string };
  readonly children: readonly Entry[];
}

/** Start time of a process, or undefined when there is none (or it is a zombie). */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = parseProcStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return !stat || stat.state === 'Z' ? undefined : String(stat.startTicks);
  } catch {
    return undefined;
  }
}

/** Whether exactly this process still runs. */
export function isAlive(entry: Entry): boolean {
  return startTimeOf(entry.pid) === entry.startTime;
}

export async function readLedger(file: string): Promise<LedgerFile | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as LedgerFile;
  } catch {
    return undefined; // None yet, or half a file of a machine that lost its power: then its processes are gone too.
  }
}

export async function writeLedger(file: string, ledger: LedgerFile): Promise<void> {
  await replaceFile(file, `${JSON.stringify(ledger)}\n`, { mode: 0o600 });
}

/** How politely a process is ended. */
export interface EndOptions {
  readonly clock: Clock;
  readonly graceMs: number;
}

/**
 * Ends by force what is left of the group that a process led: workers of a killed nginx. A number is not given to a new process
 * while it is still the number of a group, so what answers to it is ours, unless a process of that number started later.
 */
export function endGroup(entry: Entry): void {
  if (startTimeOf(entry.pid) !== undefined && !isAlive(entry)) return;
  try {
    process.kill(-entry.pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

/** TERM, grace, KILL, and then the rest of its group; resolves when it is gone. Gives whether force was needed. */
export async function endProcess(entry: Entry, options: EndOptions): Promise<boolean> {
  const forced = await endLeader(entry, options);
  endGroup(entry);
  return forced;
}

async function endLeader(entry: Entry, options: EndOptions): Promise<boolean> {
  const { clock, graceMs } = options;
  if (!send(entry, 'SIGTERM')) return false;
  const until = clock.monotonicMs() + graceMs;
  while (isAlive(entry)) {
    if (clock.monotonicMs() > until) {
      send(entry, 'SIGKILL');
      while (isAlive(entry)) await clock.sleep(10);
      return true;
    }
    await clock.sleep(10);
  }
  return false;
}

function send(entry: Entry, signal: NodeJS.Signals): boolean {
  if (!isAlive(entry)) return false;
  try {
    return process.kill(entry.pid, signal);
  } catch {
    return false; // It ended between the look and the signal.
  }
}
