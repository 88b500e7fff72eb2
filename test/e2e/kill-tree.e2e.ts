// Cancel ends everything that a task has started, whatever it did to get away; and `cancelled` is only said when that is true.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SystemBench, startSystem } from '../support/system-bench.ts';

const PROGRAMS = resolve(import.meta.dirname, '../programs');
// A cgroup of the launcher's own can only be made by root here; a host under systemd delegates one.
const canMakeGroups = process.getuid?.() === 0 && existsSync('/sys/fs/cgroup');
const why = canMakeGroups ? '' : ' (skipped: only root can make one here)';

const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

describe.skipIf(!canMakeGroups)(`launcher with a cgroup of its own${why}`, () => endsTrees(true));
describe('launcher without a cgroup', () => endsTrees(false));

function endsTrees(cgroup: boolean): void {
  let system: SystemBench;
  beforeAll(async () => {
    system = await startSystem({ cgroup });
  });
  afterAll(async () => {
    await system[Symbol.asyncDispose]();
  });

  async function started(argv: string[], until: RegExp): Promise<{ taskId: string; pids: number[] }> {
    const taskId = await system.submit({ verb: 'exec', args: { argv }, gateways: ['gw1'] });
    for (;;) {
      let text = '';
      try {
        text = readFileSync(`${system.gateway.tasksDir}/${taskId}/out`, 'utf8');
      } catch {
        // It has not started yet.
      }
      const pids = [...text.matchAll(/(?:escaped|stubborn) (\d+)/g)].map((match) => Number(match[1]));
      if (until.test(text)) return { taskId, pids };
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  test('env -i, setsid and double forks do not help', async () => {
    const { taskId, pids } = await started([`${PROGRAMS}/escape.sh`], /ready/);
    expect(pids).toHaveLength(3);
    expect(pids.every(alive)).toBe(true);
    await system.cancel(taskId, 200);
    const { task } = await system.finished(taskId);
    expect(pids.some(alive)).toBe(false);
    expect(task.end).toMatchObject({ outcome: 'cancelled', killMode: cgroup ? 'cgroup' : 'sweep' });
  });

  test('a child that ignores TERM is killed after the grace', async () => {
    const { taskId, pids } = await started([`${PROGRAMS}/stubborn.sh`], /stubborn/);
    const before = performance.now();
    await system.cancel(taskId, 500);
    const { task } = await system.finished(taskId);
    const tookMs = performance.now() - before;
    expect(task.end).toMatchObject({ outcome: 'cancelled', escalated: true, signal: 'SIGKILL' });
    expect(tookMs).toBeGreaterThanOrEqual(490);
    expect(tookMs).toBeLessThan(3_000);
    expect(pids.some(alive)).toBe(false);
  });

  test('cancel while the gateway is away holds until it is back; twice is once', async () => {
    const { taskId, pids } = await started([`${PROGRAMS}/stubborn.sh`], /stubborn/);
    await system.gateway.endGateway('SIGKILL');
    await system.cancel(taskId, 100);
    await system.cancel(taskId, 100);
    expect(pids.every(alive)).toBe(true);
    await system.gateway.startGateway();
    const { task } = await system.finished(taskId);
    expect(task.end).toMatchObject({ outcome: 'cancelled' });
    expect(pids.some(alive)).toBe(false);
  });

  test('cancel right after the start, many times over: one truthful end each', async () => {
    const ids = await Promise.all(
      Array.from({ length: 15 }, () =>
        system.submit({ verb: 'exec', args: { argv: ['sleep', '30'] }, gateways: ['gw1'] }),
      ),
    );
    await Promise.all(ids.map((taskId) => system.cancel(taskId, 100)));
    for (const taskId of ids) {
      const { task } = await system.finished(taskId);
      expect(['cancelled', 'cancelled_before_start']).toContain(task.end?.outcome);
    }
  });
}
