// Disks that are full on a gateway, as the operator of `viworks run` sees them: true ends in bounded time, refusals that name the place.
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { http } from '../../agents/protocol/index.ts';
import { buildProgram, type Program, type Running } from '../support/program.ts';
import { mountSmallDisk, type SmallDisk, smallDisks } from '../support/small-disk.ts';
import { type SystemBench, startSystem } from '../support/system-bench.ts';

const isRoot = process.getuid?.() === 0;
const BOUND_MS = 30_000; // of any wait here; what is waited for takes seconds at most

describe.skipIf(!isRoot)('full disks (need root for a small one)', () => {
  let program: Program;
  let disk: SmallDisk;
  let system: SystemBench;
  const running = new Set<Running>();

  beforeAll(() => {
    program = buildProgram();
  });
  afterAll(() => program[Symbol.dispose]());
  afterEach(async () => {
    for (const { process } of running) process.kill('SIGKILL');
    running.clear();
    try {
      await system?.[Symbol.asyncDispose]();
    } finally {
      disk?.[Symbol.dispose]();
    }
  });

  function viworks(...argv: string[]): Running {
    const token = join(program.home, 'token');
    writeFileSync(token, system.token, { mode: 0o600 });
    const made = program.start(['run', 'gw1', '--', ...argv], {
      env: { VIWORKS_URL: system.api, VIWORKS_TOKEN_FILE: token },
    });
    running.add(made);
    void made.outcome.finally(() => running.delete(made));
    return made;
  }

  async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    for (const end = performance.now() + BOUND_MS; performance.now() < end; ) {
      const seen = await look();
      if (seen !== undefined) return seen;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`never seen: ${what}`);
  }

  const health = async (status: number): Promise<http.HealthBody> =>
    until(`health ${status}`, async () => {
      const response = await fetch(`http://127.0.0.1:${system.gateway.apiPort()}/api/v1/health`);
      return response.status === status ? ((await response.json()) as http.HealthBody) : undefined;
    });
  const logged = (message: string): number => system.gateway.log().split(`"msg":"${message}"`).length - 1;
  const isTask = (name: string): boolean => !name.startsWith('.');
  const spoolIsEmpty = (): Promise<true> =>
    until('an empty spool', () => !readdirSync(system.gateway.tasksDir).some(isTask) || undefined);
  const soleTask = (): Promise<string> =>
    until('a task', () =>
      readdirSync(system.gateway.tasksDir).find(
        (name) => isTask(name) && existsSync(join(system.gateway.tasksDir, name, 'pid')),
      ),
    );

  for (const { kind, missing } of smallDisks())
    describe.skipIf(missing !== '')(`spool on ${kind}${missing}`, () => {
      beforeEach(async () => {
        disk = mountSmallDisk(kind);
        system = await startSystem({ tasksDir: join(disk.dir, 'tasks') });
      });

      test('a task that fills the disk: its own exit code, all output that there was room for, and room again', async () => {
        const outcome = await viworks('sh', '-c', 'cat /dev/zero; echo "cat: $?" >&2; exit 3').outcome;
        expect(outcome.code).toBe(3);
        expect(outcome.stdout.length).toBeGreaterThan(4 << 20);
        expect(outcome.stdout.every((byte) => byte === 0)).toBe(true);
        await spoolIsEmpty();
        expect((await viworks('echo', 'fine').outcome).stdout.toString()).toBe('fine\n');
      });

      test('it ends on the full disk while gateway and launcher are away: told when they are back', async () => {
        const gate = join(system.gateway.dir, 'gate');
        const run = viworks(
          'sh',
          '-c',
          `echo waits; while ! [ -e ${gate} ]; do sleep 0.05; done; cat /dev/zero; exit 3`,
        );
        await run.seen(/waits/);
        const taskId = await soleTask();
        await system.gateway.endGateway('SIGKILL');
        await system.gateway.endLauncher('SIGKILL');
        writeFileSync(gate, '');
        const record = join(system.gateway.tasksDir, taskId, 'rc');
        await until('its record', () => existsSync(record) || undefined);
        disk.fill();
        expect(readFileSync(record, 'utf8')).toContain('code=3\n');
        await system.gateway.startLauncher();
        await system.gateway.startGateway();
        expect((await run.outcome).code).toBe(3);
      });
    });

  describe('spool on tmpfs, troubles', () => {
    beforeEach(async () => {
      disk = mountSmallDisk('tmpfs');
      system = await startSystem({ tasksDir: join(disk.dir, 'tasks') });
    });

    test('a start is refused with 125, the place and what to do; health and one line of the log say it; it heals by itself', async () => {
      disk.fill();
      const mark = join(system.gateway.dir, 'mark');
      const refused = await viworks('sh', '-c', `echo ran > ${mark}`).outcome;
      expect(refused.code).toBe(125);
      expect(refused.stderr).toContain(`spool of the tasks in ${system.gateway.tasksDir}: ENOSPC`);
      expect(refused.stderr).toMatch(/storage_unavailable.*df -h/s);
      expect(refused.stderr).not.toContain('journal');
      expect(existsSync(mark)).toBe(false);
      disk.fill(); // what the refused one has given back
      const sick = await health(503);
      expect(sick.parts).toMatchObject({
        spool: { state: 'down' },
        journal: { state: 'up' },
        launcher: { state: 'up' },
      });
      expect(sick.parts.spool?.message).toContain(`${system.gateway.tasksDir}: ENOSPC`);
      disk.makeRoom();
      expect((await health(200)).parts).toMatchObject({ spool: { state: 'up' } });
      expect(logged('spool cannot be written')).toBe(1);
      expect(logged('spool can be written again')).toBe(1);
      expect((await viworks('sh', '-c', `echo ran > ${mark}; exit 4`).outcome).code).toBe(4);
      expect(existsSync(mark)).toBe(true);
    });

    test('a result that the disk does not take at all is told all the same, with one line of the log, and leaves nothing', async () => {
      const gate = join(system.gateway.dir, 'gate');
      const run = viworks('sh', '-c', `echo waits; while ! [ -e ${gate} ]; do sleep 0.05; done; exit 7`);
      await run.seen(/waits/);
      const taskId = await soleTask();
      rmSync(join(system.gateway.tasksDir, taskId, 'rc.tmp')); // what was reserved for it
      disk.fill();
      writeFileSync(gate, '');
      expect((await run.outcome).code).toBe(7);
      expect(logged('task ended, its result is held in memory')).toBe(1);
      expect(system.gateway.log()).toContain(`${system.gateway.tasksDir}/${taskId}: ENOSPC`);
      await health(503);
      disk.makeRoom();
      await health(200);
      await spoolIsEmpty();
    });
  });

  test('a full disk below the journal is named as that, and not as the spool', async () => {
    system = await startSystem();
    await system.gateway.endGateway('SIGTERM');
    const journal = join(system.gateway.dir, 'state/journal');
    disk = mountSmallDisk('tmpfs');
    rmSync(journal, { recursive: true });
    symlinkSync(disk.dir, journal);
    await system.gateway.startGateway();
    await system.connected();
    expect((await viworks('true').outcome).code).toBe(0);
    disk.fill();
    // What is left of the journal's last block takes a few records more.
    const refused = await until('a refusal', async () => {
      const outcome = await viworks('true').outcome;
      return outcome.code === 125 ? outcome : undefined;
    });
    expect(refused.stderr).toContain(`cannot write the journal in ${journal}: ENOSPC`);
    expect(refused.stderr).toMatch(/storage_unavailable.*df -h/s);
    expect(refused.stderr).not.toContain('spool');
    const sick = await health(503);
    expect(sick.parts).toMatchObject({ journal: { state: 'down' }, spool: { state: 'up' } });
    expect(sick.parts.journal?.message).toContain(journal);
    disk.makeRoom();
    await until('a task that runs', async () => ((await viworks('true').outcome).code === 0 ? true : undefined));
    await health(200);
    // A short record may find room where a long one did not: told each time, in turns.
    expect(logged('journal cannot be written')).toBe(logged('journal can be written again'));
  });
});
