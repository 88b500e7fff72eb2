// Tasks outlive the agents by design; when the whole local system ends, they are ended too, through the launcher's own files:
// each task's waiter reads DIR/end and does what a cancel does. Works also when backend and gateway are gone already.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../agents/runtime/index.ts';
import { type Entry, isAlive } from './ledger.ts';

/** From the polite signal to the forced end. */
const GRACE_MS = 1_000;
/** The waiter kills for at most 5 s after the grace; then it gives up too. */
const LIMIT_MS = GRACE_MS + 6_000;

/** Ends every task that runs; gives how many there were. */
export async function endTasks(tasksDir: string, clock: Clock): Promise<number> {
  const waiters = await runningWaiters(tasksDir);
  for (const { directory, entry } of waiters) {
    await writeFile(join(directory, 'end'), `cancelled ${GRACE_MS}`);
    if (isAlive(entry)) process.kill(entry.pid, 'SIGUSR1');
  }
  const until = clock.monotonicMs() + LIMIT_MS;
  while (waiters.some(({ entry }) => isAlive(entry)) && clock.monotonicMs() < until) await clock.sleep(10);
  return waiters.length;
}

async function runningWaiters(tasksDir: string): Promise<{ directory: string; entry: Entry }[]> {
  const names = await readdir(tasksDir).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const directory = join(tasksDir, name);
      const text = await readFile(join(directory, 'waiter'), 'utf8').catch(() => '');
      const [pid = '', startTime = ''] = text.trim().split(' ');
      const ended = await stat(join(directory, 'rc')).then(
        () => true,
        () => false,
      );
      const entry = { name: `task ${name}`, pid: Number(pid), startTime };
      return !ended && entry.pid > 1 && isAlive(entry) ? [{ directory, entry }] : [];
    }),
  );
  return found.flat();
}
