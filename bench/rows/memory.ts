// Resident memory of both agents: at rest, and after thousands of short tasks through one session.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { command } from '../client.ts';
import type { Row } from '../measure.ts';
import type { System } from '../system.ts';

const SETTLE_MS = 10_000; // a start leaves garbage behind that an idle process gives back
const AT_ONCE = 4;

/** The row `memory`; `tasks` in each of three rounds. Of a system that has done nothing yet. */
export async function memoryRow(system: System, tasks: number): Promise<Row> {
  await sleep(SETTLE_MS);
  const rest = { backend: residentMb(system.pids.backend), gateway: residentMb(system.pids.gateway) };
  const notes = [`backend at rest: ${rest.backend.toFixed(0)} MB`];
  for (let round = 1; round <= 3; round++) {
    let left = tasks;
    const work = async (): Promise<void> => {
      while (left-- > 0) await command(system, ['echo', 'hi']);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const after = [system.pids.gateway, system.pids.backend].map((pid) => residentMb(pid).toFixed(0));
    notes.push(`after ${round * tasks} tasks: gateway ${after[0]} MB, backend ${after[1]} MB`);
  }
  return {
    id: 'memory',
    work: 'gateway at rest, resident memory',
    aim: '≤ 60 MB; flat over an hour of tasks',
    ours: { name: 'viworks gateway', unit: 'MB', samples: [rest.gateway] },
    others: [{ name: 'node that does nothing', unit: 'MB', samples: [await bareMb()] }],
    skipped: undefined,
    notes,
  };
}

/** Resident megabytes (2^20 bytes) of a process. */
export function residentMb(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096) / 2 ** 20;
}

async function bareMb(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1e6)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  const resident = residentMb(child.pid ?? 0);
  child.kill();
  await ended;
  return resident;
}
