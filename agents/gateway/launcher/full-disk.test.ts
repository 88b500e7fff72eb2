// The launcher on a disk that is full: ends are kept, starts are refused, cancels arrive; and it heals when there is room again.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createGatewayBench, type GatewayBench } from '../../../test/support/gateway-bench.ts';
import { mountSmallDisk, type SmallDisk, smallDisks } from '../../../test/support/small-disk.ts';
import { systemClock } from '../../runtime/index.ts';
import { createLauncher, type Launcher } from '../tasks/launcher-client.ts';
import type { Ending, Evidence } from '../tasks/launcher-protocol.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 }); // real processes, on machines that have other things to do

const { signal } = new AbortController();
let count = 0;

for (const { kind, missing } of smallDisks())
  describe.skipIf(missing !== '')(`on ${kind}${missing}`, () => {
    let disk: SmallDisk;
    let bench: GatewayBench;
    let launcher: Launcher;

    beforeEach(async () => {
      disk = mountSmallDisk(kind);
      bench = createGatewayBench({ url: 'ws://127.0.0.1:1/ws/agent', tasksDir: join(disk.dir, 'tasks') });
      await bench.startLauncher();
      launcher = createLauncher({ socketPath: bench.launcherSocket, clock: systemClock });
    });
    afterEach(async () => {
      try {
        await bench[Symbol.asyncDispose]();
      } finally {
        disk[Symbol.dispose]();
      }
    });

    const file = (taskId: string, name: string): string => join(bench.tasksDir, taskId, name);

    async function start(script: string): Promise<{ taskId: string; evidence: Evidence }> {
      const taskId = `task-disk-${process.pid}-${count++}`;
      const argv = ['sh', '-c', script];
      return { taskId, evidence: await launcher.start({ taskId, argv, env: {}, timeoutMs: 0, graceMs: 500 }, signal) };
    }

    async function ended(taskId: string): Promise<Ending> {
      for (const until = systemClock.monotonicMs() + 20_000; ; await systemClock.sleep(20)) {
        const evidence = await launcher.status(taskId, signal);
        if (evidence.state === 'exited') return evidence.ending;
        if (systemClock.monotonicMs() > until) throw new Error(`still ${JSON.stringify(evidence)}`);
      }
    }

    async function seen(what: string, look: () => boolean): Promise<void> {
      for (const until = systemClock.monotonicMs() + 20_000; !look(); await systemClock.sleep(20)) {
        if (systemClock.monotonicMs() > until) throw new Error(`never seen: ${what}`);
      }
    }

    const waiterOf = (taskId: string): number => Number(readFileSync(file(taskId, 'waiter'), 'utf8').split(' ')[0]);
    const isFull = (): boolean => {
      try {
        writeFileSync(join(disk.dir, 'one-more'), 'x'.repeat(512));
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ENOSPC';
      }
    };

    test('a task that fills the disk ends with its own exit code; the result outlives launcher and disk cache', async () => {
      const { taskId, evidence } = await start('cat /dev/zero 2>/dev/null; echo full >&2; exit 3');
      expect(evidence.state).toBe('running');
      const ending = await ended(taskId);
      expect(ending).toMatchObject({ reason: 'exited', code: 3, unwritten: undefined });
      expect(ending.out).toBeGreaterThan(4 << 20);
      expect(readFileSync(file(taskId, 'out'))).toHaveLength(ending.out);
      disk.fill();
      expect(isFull()).toBe(true);
      await bench.endLauncher('SIGKILL');
      await disk.remount();
      await bench.startLauncher();
      expect(await ended(taskId)).toEqual(ending);
      // Forgetting it is what frees the disk.
      disk.makeRoom();
      expect(await launcher.forget(taskId, signal)).toEqual({ state: 'forgotten' });
      const next = await start('echo fine');
      expect(await ended(next.taskId)).toMatchObject({ code: 0, out: 5 });
    });

    test('a dozen tasks that end on a disk without a free block all leave their result', async () => {
      const gate = join(bench.dir, 'gate');
      const all = [];
      for (let index = 0; index < 12; index++)
        all.push(await start(`while ! [ -e ${gate} ]; do sleep 0.02; done; exit ${index}`));
      disk.fill();
      writeFileSync(gate, '');
      for (const [index, { taskId }] of all.entries()) {
        expect(await ended(taskId)).toMatchObject({ code: index, unwritten: undefined });
        expect(readFileSync(file(taskId, 'rc'), 'utf8')).toContain(`code=${index}\n`);
      }
      expect(isFull()).toBe(true);
    });

    test('a start is refused before anything of it runs, the launcher says why, and both end with the lack of room', async () => {
      expect(await launcher.ping(signal)).toMatchObject({ spool: '' });
      disk.fill();
      const mark = join(bench.dir, 'mark');
      // Three times the pool and one more: folders that were made ahead, and folders that cannot be made.
      const refused = [];
      for (let index = 0; index < 13; index++) {
        const { taskId, evidence } = await start(`echo ran >> ${mark}`);
        expect(evidence).toEqual({ state: 'start_failed', stage: 'spool', errno: 'ENOSPC' });
        expect((await launcher.status(taskId, signal)).state).toMatch(/^(start_failed|unknown)$/);
        refused.push(taskId);
      }
      expect(await launcher.ping(signal)).toMatchObject({ spool: 'ENOSPC' });
      for (const taskId of refused) await launcher.forget(taskId, signal);
      expect(refused.filter((taskId) => existsSync(join(bench.tasksDir, taskId)))).toEqual([]);
      expect(existsSync(mark)).toBe(false);
      disk.makeRoom();
      expect(await launcher.ping(signal)).toMatchObject({ spool: '' });
      const { taskId } = await start(`echo ran >> ${mark}`);
      expect(await ended(taskId)).toMatchObject({ code: 0 });
      expect(readFileSync(mark, 'utf8')).toBe('ran\n');
    });

    test('a cancel reaches a task on a full disk', async () => {
      const { taskId } = await start('trap "" TERM; while :; do sleep 0.05; done');
      disk.fill();
      expect(await launcher.end({ taskId, reason: 'timed_out', graceMs: 200 }, signal)).toEqual({ state: 'ending' });
      expect(existsSync(file(taskId, 'end'))).toBe(false);
      expect(isFull()).toBe(true);
      expect(await ended(taskId)).toMatchObject({ reason: 'timed_out', signal: 9, escalated: true });
    });

    test('a bare signal to a task’s waiter is a cancel with the task’s own grace, for who has only that', async () => {
      const { taskId } = await start('trap "" TERM; while :; do sleep 0.05; done');
      disk.fill();
      process.kill(waiterOf(taskId), 'SIGUSR1');
      const ending = await ended(taskId);
      expect(ending).toMatchObject({ reason: 'cancelled', signal: 9, escalated: true });
      expect(ending.durationMs).toBeGreaterThanOrEqual(490);
    });

    test('a result whose reserve is lost is told from memory, and written as soon as there is room', async () => {
      const gate = join(bench.dir, 'gate');
      const { taskId } = await start(`while ! [ -e ${gate} ]; do sleep 0.02; done; echo late; exit 7`);
      rmSync(file(taskId, 'rc.tmp'));
      disk.fill();
      writeFileSync(gate, '');
      const held = await ended(taskId);
      expect(held).toMatchObject({ reason: 'exited', code: 7, unwritten: 'ENOSPC' });
      expect(existsSync(file(taskId, 'rc'))).toBe(false);
      const waiter = waiterOf(taskId);
      expect(readFileSync(`/proc/${waiter}/cmdline`, 'utf8')).toContain(`cannot write the result of ${taskId}`);
      await bench.endLauncher('SIGKILL');
      await bench.startLauncher();
      expect(await ended(taskId)).toEqual(held);
      disk.makeRoom();
      await seen('rc', () => existsSync(file(taskId, 'rc')));
      expect(await ended(taskId)).toEqual({ ...held, unwritten: undefined });
      await seen('the end of the waiter', () => !existsSync(`/proc/${waiter}`));
    });

    if (kind === 'ext4')
      test('read-only all of a sudden: ends and cancels are told from memory, starts are refused', async () => {
        const gate = join(bench.dir, 'gate');
        const leaves = await start(`while ! [ -e ${gate} ]; do sleep 0.02; done; exit 7`);
        const stays = await start('while :; do sleep 0.05; done');
        disk.breakDown();
        expect(await launcher.ping(signal)).toMatchObject({ spool: 'EROFS' });
        expect(await launcher.status(stays.taskId, signal)).toMatchObject({ state: 'running' });
        expect(await launcher.seal(stays.taskId, signal)).toMatchObject({ state: 'running' });
        writeFileSync(gate, '');
        expect(await ended(leaves.taskId)).toMatchObject({ reason: 'exited', code: 7, unwritten: 'EROFS' });
        expect(await launcher.end({ taskId: stays.taskId, reason: 'cancelled', graceMs: 5_000 }, signal)).toEqual({
          state: 'ending',
        });
        expect(await ended(stays.taskId)).toMatchObject({ reason: 'cancelled', signal: 15, unwritten: 'EROFS' });
        for (let index = 0; index < 6; index++) {
          expect((await start('true')).evidence).toEqual({ state: 'start_failed', stage: 'spool', errno: 'EROFS' });
        }
        expect(await launcher.forget(leaves.taskId, signal)).toMatchObject({ state: 'refused' });
        expect(await ended(leaves.taskId)).toMatchObject({ code: 7 });
      });

    test('nobody holds the result of a task that is forgotten', async () => {
      const gate = join(bench.dir, 'gate');
      const { taskId } = await start(`while ! [ -e ${gate} ]; do sleep 0.02; done`);
      const waiter = waiterOf(taskId);
      rmSync(file(taskId, 'rc.tmp'));
      disk.fill();
      writeFileSync(gate, '');
      expect(await ended(taskId)).toMatchObject({ code: 0, unwritten: 'ENOSPC' });
      expect(await launcher.forget(taskId, signal)).toEqual({ state: 'forgotten' });
      expect(existsSync(join(bench.tasksDir, taskId))).toBe(false);
      await seen('the end of the waiter', () => !existsSync(`/proc/${waiter}`));
    });
  });

const [, ext4] = smallDisks();
test.skipIf(ext4?.missing !== '')(
  `what is kept for root is no room for the tasks of others${ext4?.missing}`,
  async () => {
    using disk = mountSmallDisk('ext4', 20);
    await using bench = createGatewayBench({
      url: 'ws://127.0.0.1:1/ws/agent',
      tasksDir: join(disk.dir, 'tasks'),
      taskUser: 'nobody',
    });
    await bench.startLauncher();
    const launcher = createLauncher({ socketPath: bench.launcherSocket, clock: systemClock });
    expect(await launcher.ping(signal)).toMatchObject({ spool: '' });
    disk.fillAsOrdinaryUser();
    writeFileSync(join(disk.dir, 'by-root'), Buffer.alloc(64 << 10)); // root still may
    expect(await launcher.ping(signal)).toMatchObject({ spool: 'ENOSPC' });
    disk.makeRoom();
    expect(await launcher.ping(signal)).toMatchObject({ spool: '' });
  },
);
