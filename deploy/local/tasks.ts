// Tasks outlive the agents by design; when the whole local system ends, they are ended too, through the launcher's own files:
// each task's waiter reads DIR/end and does what a cancel does. Works also when backend and gateway are gone already.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../agents/runtime/index.ts';
import { type Entry, isAlive } from './ledger.ts';

/** From the polite signal to the forced end. */
const GRACE_MS = 1_000;
/** The waiter kills for at most 5 s after the grace; then it gives up too. */
const LIMIT_MS = GRACE_MS + 6_000;

/** Ends every task that runs and waits until they are gone; gives how many there were. */
export async function endTasks(tasksDir: string, clock: Clock): Promise<number> {
  const waiters = askTasksToEnd(tasksDir, GRACE_MS);
  const until = clock.monotonicMs() + LIMIT_MS;
  while (waiters.some(isAlive) && clock.monotonicMs() < until) await clock.sleep(10);
  return waiters.length;
}

/** The asking alone, done when it returns: for the moment before this process ends. Gives the tasks' waiters. */
export function askTasksToEnd(tasksDir: string, graceMs: number): Entry[] {
  // A leading dot marks what the launcher keeps beside the tasks: folders for the next ones, and of forgotten ones.
  const names = existsSync(tasksDir) ? readdirSync(tasksDir).filter((name) => !name.startsWith('.')) : [];
  const running = names.flatMap((name) => waiterOf(join(tasksDir, name)));
  for (const { directory, entry } of running) {
    try {
      writeFileSync(join(directory, 'end'), `cancelled ${graceMs}`);
    } catch {
      // A full disk keeps no task from being ended: without a file, the signal alone means the same with the task's own grace.
    }
    if (isAlive(entry)) process.kill(entry.pid, 'SIGUSR1');
  }
  return running.map(({ entry }) => entry);
}

function waiterOf(directory: string): { directory: string; entry: Entry }[] {
  const file = join(directory, 'waiter');
  if (!existsSync(file) || existsSync(join(directory, 'rc'))) return [];
  const [pid = '', startTime = ''] = readFileSync(file, 'utf8').trim().split(' ');
  const entry = { name: directory, pid: Number(pid), startTime };
  return entry.pid > 1 && isAlive(entry) ? [{ directory, entry }] : [];
}
