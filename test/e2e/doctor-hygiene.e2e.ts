// What the doctor does to the hosts that it looks at: it logs in once, starts nothing, leaves nothing, also when it is killed in the
// middle, and what it keeps of them holds no secret.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { scheduler } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../doctor/engine/index.ts';
import { buildProgram, type Outcome, type Program } from '../support/program.ts';
import { type Lab, labObstacle, openLab } from './lab/index.ts';
import { hostSnapshot, loginsSince } from './lab/snapshot.ts';

const obstacle = await labObstacle();
const title = obstacle ? `the doctor's traces on a host (skipped: ${obstacle})` : "the doctor's traces on a host";

/** Longer than a round may last on a host that nobody listens to any more. */
const ROUND_OVER_MS = 17_000;
const secret = 'c4nary-S3cret-93b1f0';

describe.skipIf(obstacle !== undefined)(title, () => {
  let lab: Lab;
  let program: Program;
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'viworks-hygiene-'));
    program = buildProgram();
    lab = await openLab({ name: 'e2e-hygiene' });
    await lab.installOld();
  });
  afterEach(async () => {
    await lab.mend();
    await lab.untilWell(); // a case that stops services itself has nothing to mend, and its gateway comes back in its own time
  });
  afterAll(async () => {
    await lab?.close();
    program?.[Symbol.dispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  const doctor = (...more: readonly string[]): Promise<Outcome> =>
    program.run(['doctor', '-i', lab.inventoryPath, '--output', 'json', '--no-record', ...more]);
  const reportOf = (outcome: Outcome): Report => JSON.parse(outcome.stdout.toString()) as Report;

  test.each(['BE-02', 'NGR-05'])('%s: a broken host is left as it was, after one login', async (id) => {
    await lab.break(id);
    const before = await hostSnapshot(lab, 'be1');
    const cursor = (await loginsSince(lab, 'be1')).cursor;
    expect((await doctor()).code).toBe(3);
    expect(await hostSnapshot(lab, 'be1')).toEqual(before);
    expect((await loginsSince(lab, 'be1', cursor)).logins).toBe(1);
  });

  test('killed in the middle of a round it leaves nothing either', async () => {
    const before = await hostSnapshot(lab, 'be1');
    const running = program.start(['doctor', '-i', lab.inventoryPath, '--output', 'ndjson', '--no-record']);
    await running.seen(/"probe.end"/);
    running.process.kill('SIGKILL');
    await running.outcome;
    await scheduler.wait(ROUND_OVER_MS);
    expect(await hostSnapshot(lab, 'be1')).toEqual(before);
  });

  test('a service that waits behind its socket is not started by the look', async () => {
    const unit = 'viworks-backend-agent.service';
    const socket = 'viworks-backend-agents.socket';
    await lab.run(
      'be1',
      `printf '[Socket]\\nListenStream=127.0.0.1:8081\\nService=${unit}\\n' > /etc/systemd/system/${socket}
       systemctl daemon-reload; systemctl stop ${unit}; systemctl start ${socket}; systemctl stop nginx`,
    );
    try {
      const report = reportOf(await doctor());
      const state = await lab.run('be1', `systemctl is-active ${unit} ${socket} || true`);
      expect(state.stdout.trim().split('\n')).toEqual(['inactive', 'active']);
      expect(report.verdict).not.toBe('healthy');
    } finally {
      await lab.run(
        'be1',
        `systemctl stop ${socket}; rm -f /etc/systemd/system/${socket}; systemctl daemon-reload; systemctl start ${unit} nginx`,
      );
    }
  });

  test('an ordinary user gets reasons where root gets facts, and no other verdict', async () => {
    const outcome = await program.run([
      'doctor',
      '-i',
      lab.unprivilegedInventoryPath,
      '--output',
      'json',
      '--no-record',
    ]);
    const report = reportOf(outcome);
    expect(outcome.code).toBe(0);
    expect(report.causes).toEqual([]);
    const denied = report.unknowns.filter((item) => item.reason === 'no-permission').map((item) => item.key);
    expect(denied).toEqual(expect.arrayContaining(['log.tail', 'nginx.test', 'firewall.rules']));
    for (const item of report.unknowns) expect(item.detail).not.toBe('');
  });

  test('secrets of a host are in no output and in no recording; the recording is its owner’s', async () => {
    const file = '/opt/old-system/agent.toml';
    await lab.run(
      'gw1',
      `printf '\\napi_token = "${secret}"\\n' >> ${file}; logger -t viworks "password=${secret}"
       systemd-run -q --unit=viworks-probe -- /bin/echo 'Authorization: Bearer ${secret}'`,
    );
    const recording = path.join(scratch, 'run.ndjson');
    const outcome = await program.run(['doctor', '-i', lab.inventoryPath, '--output', 'json', '--record', recording]);
    expect(outcome.stdout.toString()).not.toContain(secret);
    expect(await readFile(recording, 'utf8')).not.toContain(secret);
    await lab.run('gw1', `sed -i '/api_token/d' ${file}`);
  });

  test('without a host in reach the rest is still looked at', async () => {
    await lab.break('SSH-01');
    const report = reportOf(await doctor());
    expect(report.causes).toEqual([]);
    expect(report.sight.map((cause) => cause.code)).toEqual(['SSH-01']);
    expect(report.hosts.find((host) => host.host === 'be')?.state).toBe('not-seen');
  });
});
