// The real launcher under the real perl: start-once, evidence, ends of whole trees, what a task inherits.
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createGatewayBench, type GatewayBench } from '../../../test/support/gateway-bench.ts';
import { systemClock } from '../../runtime/index.ts';
import { createLauncher, type Launcher } from '../tasks/launcher-client.ts';
import type { Ending, Evidence, StartRequest } from '../tasks/launcher-protocol.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 }); // real processes, on machines that have other things to do

const PROGRAMS = resolve(import.meta.dirname, '../../../test/programs');
const { signal } = new AbortController();
const isRoot = process.getuid?.() === 0;
// Only root can give a launcher a cgroup of its own here; elsewhere it has one from systemd or none.
const canMakeGroups = isRoot && existsSync('/sys/fs/cgroup');
let count = 0;
const newId = (): string => `task-test-${process.pid}-${count++}`;

function plain(argv: readonly string[], more: Partial<StartRequest> = {}): StartRequest {
  return { taskId: newId(), argv, env: {}, timeoutMs: 0, graceMs: 1_000, ...more };
}

async function ended(launcher: Launcher, taskId: string): Promise<Ending> {
  for (;;) {
    const evidence = await launcher.status(taskId, signal);
    if (evidence.state === 'exited') return evidence.ending;
    if (evidence.state !== 'running' && evidence.state !== 'starting') throw new Error(JSON.stringify(evidence));
    await systemClock.sleep(10);
  }
}

async function prints(file: string, pattern: RegExp): Promise<string> {
  for (;;) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (pattern.test(text)) return text;
    await systemClock.sleep(10);
  }
}

const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

const why = canMakeGroups ? '' : ' (skipped: only root can make one here)';
describe.skipIf(!canMakeGroups)(`with a cgroup of its own${why}`, () => startsAndEnds(true));
describe('without a cgroup', () => startsAndEnds(false));

function startsAndEnds(cgroup: boolean): void {
  let bench: GatewayBench;
  let launcher: Launcher;
  const file = (taskId: string, name: string): string => join(bench.tasksDir, taskId, name);
  const output = (taskId: string, name: 'out' | 'err' = 'out'): Buffer => readFileSync(file(taskId, name));

  async function run(argv: readonly string[], more: Partial<StartRequest> = {}): Promise<Ending & { taskId: string }> {
    const request = plain(argv, more);
    const evidence = await launcher.start(request, signal);
    expect(evidence.state).toBe('running');
    return { ...(await ended(launcher, request.taskId)), taskId: request.taskId };
  }

  beforeAll(async () => {
    bench = createGatewayBench({ url: 'ws://127.0.0.1:1/ws/agent', cgroup });
    await bench.startLauncher();
    launcher = createLauncher({ socketPath: bench.launcherSocket, clock: systemClock });
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
  });

  test('says what it can do', async () => {
    const abilities = await launcher.ping(signal);
    expect(abilities).toMatchObject({ subreaper: true, tasksDir: bench.tasksDir });
    expect(abilities.cgroup).toBe(cgroup ? 'kill' : 'none');
  });

  test('runs argv as argv, with exit code, both streams and stdin', async () => {
    const result = await run(['sh', '-c', 'cat; echo "$0|$1|$2"; echo oops >&2; exit 7', 'a b', '', '$(id)'], {
      stdin: Buffer.from('in\0\xff', 'latin1'),
    });
    expect(result).toMatchObject({ reason: 'exited', code: 7, signal: undefined, leftovers: 0, killMode: 'none' });
    expect(output(result.taskId).toString('latin1')).toBe('in\0\xffa b||$(id)\n');
    expect(output(result.taskId, 'err').toString()).toBe('oops\n');
    expect(result).toMatchObject({ out: 15, err: 5 });
  });

  test('a signal comes back as a signal', async () => {
    expect(await run(['sh', '-c', 'kill -SEGV $$'])).toMatchObject({ reason: 'exited', code: undefined, signal: 11 });
  });

  test('the task inherits a clean environment, three descriptors, default signals and its own session', async () => {
    const script =
      'env; pwd; ls /proc/self/fd | tr "\\n" " "; grep -E "^Sig(Blk|Ign)" /proc/self/status; ps -o pid=,sid= $$';
    const { taskId } = await run(['sh', '-c', script], {
      env: { EXTRA: 'a=b\nc', PATH: '/bin:/usr/bin' },
      cwd: '/usr',
    });
    const text = output(taskId).toString();
    const names = text.match(/^[A-Z_]+(?==)/gm);
    expect(new Set(names)).toEqual(
      new Set(['EXTRA', 'HOME', 'LANG', 'LOGNAME', 'PATH', 'PWD', 'SHELL', 'USER', 'VIWORKS_TASK_ID']),
    );
    expect(text).toContain(`VIWORKS_TASK_ID=${taskId}`);
    expect(text).toContain('EXTRA=a=b\nc');
    expect(text).toContain('\n/usr\n0 1 2 3 '); // 3 is the folder that ls itself reads
    expect(text).toMatch(/SigBlk:\s+0+\nSigIgn:\s+0+\n/);
    const [pid, session] = text.trim().split('\n').at(-1)?.trim().split(/\s+/) ?? [];
    expect(pid).toBe(session);
  });

  test('what cannot be started says where and why, and is not taken for a run', async () => {
    const cases: [StartRequest, string, string][] = [
      [plain(['/no/such/program']), 'exec', 'ENOENT'],
      [plain([PROGRAMS]), 'exec', 'EACCES'],
      [plain(['true'], { cwd: '/no/such/folder' }), 'cwd', 'ENOENT'],
      [plain(['true', 'x'.repeat(200_000)]), 'exec', 'E2BIG'],
    ];
    for (const [request, stage, errno] of cases) {
      expect(await launcher.start(request, signal)).toEqual({ state: 'start_failed', stage, errno });
      expect(await launcher.status(request.taskId, signal)).toEqual({ state: 'start_failed', stage, errno });
      expect(await launcher.forget(request.taskId, signal)).toEqual({ state: 'forgotten' });
    }
  });

  test('fifty starts of one id at the same moment run it once', async () => {
    const request = plain(['sh', '-c', 'echo started; sleep 0.3']);
    const answers = await Promise.all(Array.from({ length: 50 }, () => launcher.start(request, signal)));
    expect(answers.every(({ state }) => state === 'running' || state === 'starting' || state === 'exited')).toBe(true);
    await ended(launcher, request.taskId);
    expect(output(request.taskId).toString()).toBe('started\n');
    expect((await launcher.start(request, signal)).state).toBe('exited');
  });

  test('a sealed id never starts, and a forgotten one may start anew', async () => {
    const request = plain(['true']);
    expect(await launcher.seal(request.taskId, signal)).toEqual({ state: 'not_started' });
    expect(await launcher.start(request, signal)).toEqual({ state: 'not_started' });
    expect(await launcher.status(request.taskId, signal)).toEqual({ state: 'not_started' });
    expect(await launcher.forget(request.taskId, signal)).toEqual({ state: 'forgotten' });
    expect((await launcher.start(request, signal)).state).toBe('running');
    await ended(launcher, request.taskId);
  });

  test('seals and starts of one id that race agree on one truth', async () => {
    for (let round = 0; round < 15; round++) {
      const request = plain(['sh', '-c', 'echo ran']);
      const [started, sealed] = await Promise.all([
        launcher.start(request, signal),
        launcher.seal(request.taskId, signal),
      ]);
      const ran = sealed.state !== 'not_started';
      expect(started.state === 'not_started').toBe(!ran);
      if (!ran) expect(existsSync(file(request.taskId, 'pid'))).toBe(false);
      else expect(await ended(launcher, request.taskId)).toMatchObject({ code: 0, out: 4 });
    }
  });

  test('an obedient task ends at TERM, a stubborn one after the grace', async () => {
    const obedient = plain(['sleep', '600']);
    const stubborn = plain([join(PROGRAMS, 'stubborn.sh')]);
    await Promise.all([launcher.start(obedient, signal), launcher.start(stubborn, signal)]);
    await prints(file(stubborn.taskId, 'out'), /stubborn/);
    const before = systemClock.monotonicMs();
    for (const { taskId } of [obedient, stubborn]) {
      expect(await launcher.end({ taskId, reason: 'cancelled', graceMs: 300 }, signal)).toEqual({ state: 'ending' });
    }
    expect(await ended(launcher, obedient.taskId)).toMatchObject({ reason: 'cancelled', signal: 15, escalated: false });
    const last = await ended(launcher, stubborn.taskId);
    expect(last).toMatchObject({
      reason: 'cancelled',
      signal: 9,
      escalated: true,
      killMode: cgroup ? 'cgroup' : 'sweep',
    });
    const tookMs = systemClock.monotonicMs() - before;
    expect(tookMs).toBeGreaterThanOrEqual(290);
    expect(await launcher.end({ taskId: stubborn.taskId, reason: 'cancelled', graceMs: 0 }, signal)).toMatchObject({
      state: 'exited',
    });
  });

  test('grandchildren without environment, in sessions of their own, do not outlive the end', async () => {
    const request = plain([join(PROGRAMS, 'escape.sh')]);
    await launcher.start(request, signal);
    const text = await prints(file(request.taskId, 'out'), /ready/);
    const pids = [...text.matchAll(/escaped (\d+)/g)].map((match) => Number(match[1]));
    expect(pids).toHaveLength(3);
    expect(pids.every(alive)).toBe(true);
    await launcher.end({ taskId: request.taskId, reason: 'cancelled', graceMs: 100 }, signal);
    expect(await ended(launcher, request.taskId)).toMatchObject({ reason: 'cancelled', survivors: [] });
    expect(pids.some(alive)).toBe(false);
  });

  test('what is left when the leader has ended gets a second, then goes; the result says so', async () => {
    const request = plain([join(PROGRAMS, 'escape.sh'), 'leave']);
    await launcher.start(request, signal);
    const before = systemClock.monotonicMs();
    const ending = await ended(launcher, request.taskId);
    expect(ending).toMatchObject({
      reason: 'exited',
      code: 3,
      killMode: cgroup ? 'cgroup' : 'sweep',
      escalated: false,
    });
    expect(ending.leftovers).toBeGreaterThanOrEqual(3);
    expect(systemClock.monotonicMs() - before).toBeLessThan(6_000);
    const pids = [
      ...output(request.taskId)
        .toString()
        .matchAll(/escaped (\d+)/g),
    ].map((match) => Number(match[1]));
    expect(pids.some(alive)).toBe(false);
  });

  test('a timeout is kept by the waiter', async () => {
    const before = systemClock.monotonicMs();
    expect(await run(['sleep', '600'], { timeoutMs: 200 })).toMatchObject({ reason: 'timed_out', signal: 15 });
    expect(systemClock.monotonicMs() - before).toBeGreaterThanOrEqual(190);
  });

  test('a task that ended by itself stays that, although it was cancelled in the same moment', async () => {
    const request = plain(['sh', '-c', 'sleep 600 & exit 4']);
    await launcher.start(request, signal);
    await prints(`/proc/${process.pid}/stat`, /./);
    await systemClock.sleep(50);
    await launcher.end({ taskId: request.taskId, reason: 'cancelled', graceMs: 0 }, signal);
    const ending = await ended(launcher, request.taskId);
    expect(ending).toMatchObject({ reason: 'exited', code: 4, leftovers: 1 });
  });

  test('a held task makes no progress, and goes on when it is let go', async () => {
    const request = plain(['sh', '-c', 'while :; do echo x; sleep 0.01; done']);
    await launcher.start(request, signal);
    await prints(file(request.taskId, 'out'), /x\nx\n/);
    expect(await launcher.hold(request.taskId, true, signal)).toEqual({ state: 'paused' });
    await systemClock.sleep(100);
    const held = statSync(file(request.taskId, 'out')).size;
    await systemClock.sleep(150);
    expect(statSync(file(request.taskId, 'out')).size).toBe(held);
    await launcher.hold(request.taskId, false, signal);
    await prints(file(request.taskId, 'out'), new RegExp(`^(x\\n){${held / 2 + 3}}`));
    // Held once more: the end must reach it all the same.
    await launcher.hold(request.taskId, true, signal);
    await launcher.end({ taskId: request.taskId, reason: 'cancelled', graceMs: 2_000 }, signal);
    expect(await ended(launcher, request.taskId)).toMatchObject({ reason: 'cancelled', escalated: false });
  });

  test('kill -9 of the launcher ends no task, and its successor knows them', async () => {
    const request = plain(['sh', '-c', 'sleep 0.8; echo done; exit 5']);
    await launcher.start(request, signal);
    await bench.endLauncher('SIGKILL');
    // Nobody listens, or a worker on its way out accepted the connection along: no answer either way.
    const noAnswer = expect.stringMatching(/^VW_GATEWAY_LAUNCHER_(ABSENT|UNREACHABLE)$/);
    await expect(launcher.ping(signal)).rejects.toMatchObject({ code: noAnswer });
    await bench.startLauncher();
    expect((await launcher.status(request.taskId, signal)).state).toBe('running');
    expect(await ended(launcher, request.taskId)).toMatchObject({ code: 5, out: 5 });
  });

  test('kill -9 of a waiter: the task is found as orphaned, can be ended, and never gets a made-up exit code', async () => {
    const request = plain(['sleep', '600']);
    await launcher.start(request, signal);
    process.kill(Number(readFileSync(file(request.taskId, 'waiter'), 'utf8').split(' ')[0]), 'SIGKILL');
    let evidence: Evidence = { state: 'running', elapsedMs: 0 };
    while (evidence.state === 'running') evidence = await launcher.status(request.taskId, signal);
    expect(evidence).toEqual({ state: 'orphaned' });
    await launcher.end({ taskId: request.taskId, reason: 'cancelled', graceMs: 500 }, signal);
    const leader = Number(/^pid=(\d+)/.exec(readFileSync(file(request.taskId, 'pid'), 'utf8'))?.[1]);
    while (!existsSync(file(request.taskId, 'rc'))) await systemClock.sleep(10);
    expect(await ended(launcher, request.taskId)).toMatchObject({ reason: 'cancelled', code: undefined, lost: true });
    expect(alive(leader)).toBe(false);
  });

  test('kill -9 of a waiter whose task has ended too, or ran before a reboot: indeterminate', async () => {
    const request = plain(['sleep', '600']);
    await launcher.start(request, signal);
    const record = readFileSync(file(request.taskId, 'pid'), 'utf8');
    for (const pid of [
      readFileSync(file(request.taskId, 'waiter'), 'utf8').split(' ')[0],
      /^pid=(\d+)/.exec(record)?.[1],
    ]) {
      process.kill(Number(pid), 'SIGKILL');
    }
    let evidence: Evidence = { state: 'orphaned' };
    while (evidence.state === 'orphaned' || evidence.state === 'running') {
      evidence = await launcher.status(request.taskId, signal);
    }
    expect(evidence.state).toBe('indeterminate');
    writeFileSync(file(request.taskId, 'pid'), record.replace(/^boot=.*/m, 'boot=another'));
    expect(await launcher.status(request.taskId, signal)).toEqual({
      state: 'indeterminate',
      message: 'the host was restarted',
    });
  });

  test('lists what it has, and leaves nothing when it forgets', async () => {
    const { taskId } = await run(['true']);
    expect((await launcher.statusAll(signal)).get(taskId)).toMatchObject({ state: 'exited' });
    expect(await launcher.forget(taskId, signal)).toEqual({ state: 'forgotten' });
    expect(await launcher.status(taskId, signal)).toEqual({ state: 'unknown' });
    expect(readdirSync(bench.tasksDir).filter((name) => name.includes(taskId))).toEqual([]);
  });

  test('ids that could leave the folder are refused', async () => {
    for (const taskId of ['../../etc', 'UPPERCASE-ID', 'short', '.launcher.lock', 'task-a/b-c-d-e']) {
      expect((await launcher.start(plain(['true'], { taskId }), signal)).state).toBe('refused');
    }
  });
}

test.runIf(isRoot)('tasks run as the task user, with its groups, and cannot get back', async () => {
  await using bench = createGatewayBench({ url: 'ws://127.0.0.1:1/ws/agent', taskUser: 'nobody' });
  await bench.startLauncher();
  const launcher = createLauncher({ socketPath: bench.launcherSocket, clock: systemClock });
  const request = plain([
    'sh',
    '-c',
    'id -un; id -G; grep -E "^(Uid|CapEff)" /proc/self/status; echo x > /dev/stdout; cat ../out',
  ]);
  await launcher.start(request, signal);
  await ended(launcher, request.taskId);
  const text = readFileSync(join(bench.tasksDir, request.taskId, 'out'), 'utf8');
  expect(text).toMatch(/^nobody\n65534\nUid:\s+65534\s+65534\s+65534\s+65534\nCapEff:\s+0+\n$/);
});

test('what could not be made ahead is made when it is asked for: a trouble that is over costs no task', async () => {
  await using bench = createGatewayBench({ url: 'ws://127.0.0.1:1/ws/agent' });
  await bench.startLauncher();
  const launcher = createLauncher({ socketPath: bench.launcherSocket, clock: systemClock });
  const away = `${bench.tasksDir}.away`;
  renameSync(bench.tasksDir, away);
  // Three times the pool and one more, so that those who wait afterwards are of the kind that found no folder.
  for (let i = 0; i < 13; i++) {
    const evidence = await launcher.start(plain(['true']), signal);
    expect(evidence).toEqual({ state: 'start_failed', stage: 'spool', errno: 'ENOENT' });
  }
  renameSync(away, bench.tasksDir);
  for (let i = 0; i < 12; i++) {
    const request = plain(['sh', '-c', 'echo here']);
    expect((await launcher.start(request, signal)).state).toBe('running');
    expect(await ended(launcher, request.taskId)).toMatchObject({ reason: 'exited', code: 0 });
    expect(readFileSync(join(bench.tasksDir, request.taskId, 'out'), 'utf8')).toBe('here\n');
  }
  await bench.endLauncher('SIGTERM');
});

test('a second launcher on the same folder is refused', async () => {
  await using first = createGatewayBench({ url: 'ws://127.0.0.1:1/ws/agent' });
  await first.startLauncher();
  await expect(first.startLauncher()).rejects.toThrow(/another launcher serves/);
  await first.endLauncher('SIGTERM');
});
