// Hosts that are full of secrets, and users on them who want the doctor to read, believe or show something of theirs.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../doctor/engine/index.ts';
import { buildProgram, type Outcome, type Program } from '../support/program.ts';
import { secretShapes, traces } from '../support/secrets.ts';
import { type Lab, labObstacle, openLab } from './lab/index.ts';

const obstacle = await labObstacle();
const title = obstacle ? `the doctor on hostile hosts (skipped: ${obstacle})` : 'the doctor on hostile hosts';

/** What only root may read there. */
const hidden = 'R00tOnly0x51c7';

/** A whole run, with what a host does to make it wait, in ms. */
const RUN_MS = 30_000;

// A process of nobody that calls itself nginx, in every way that a process can, and names a file of his.
const impostor = `
use strict;
sub name { $0 = shift; open(my $f, '>', '/proc/self/comm'); print $f 'nginx'; close $f }
name('nginx: master process nginx -c /tmp/hostile.conf');
if (!fork) { name('nginx: worker process'); sleep 600 }
sleep 600;
`;

describe.skipIf(obstacle !== undefined)(title, () => {
  let lab: Lab;
  let program: Program;
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'viworks-hostile-'));
    program = buildProgram();
    lab = await openLab({ name: 'e2e-foe' });
    await lab.installOld();
  });
  afterAll(async () => {
    await lab?.close();
    program?.[Symbol.dispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  /** A run, with everything that it wrote: report, screen text, recording, errors. */
  const look = async (): Promise<{ outcome: Outcome; report: Report; all: string }> => {
    const recording = path.join(scratch, `run-${Math.random()}.ndjson`);
    const outcome = await program.run(['doctor', '-i', lab.inventoryPath, '--output', 'json', '--record', recording]);
    const plain = await program.run(['doctor', '--replay', recording, '--all']);
    const all = [outcome.stdout, outcome.stderr, plain.stdout, plain.stderr, await readFile(recording, 'utf8')].join(
      '\n',
    );
    return { outcome, report: JSON.parse(outcome.stdout.toString()) as Report, all };
  };

  test('secrets of every shape in files and logs are in no output and in no recording', async () => {
    const text = secretShapes()
      .map(([, shape]) => shape)
      .join('\n');
    const commented = text.replace(/^/gm, '# ');
    const stamped = '$(date "+%Y/%m/%d %H:%M:%S") [error] 1#1: *1';
    const config = '/opt/old-system/agent.toml';
    await lab.run('be1', 'cp -a /etc/hosts /etc/hosts.kept');
    await lab.run('gw1', `cp -a ${config} ${config}.kept; cat >> ${config}`, `\n${commented}\n`);
    await lab.run('be1', 'cat >> /etc/hosts', `${commented}\n`);
    await lab.run('be1', 'cat > /etc/nginx/conf.d/secrets.conf', `${commented}\n`);
    await lab.run(
      'be1',
      `while IFS= read -r line; do printf '%s %s\\n' "${stamped}" "$line"; done >> /var/log/nginx/error.log`,
      `${text}\n`,
    );
    const unit = 'viworks-backend-agent.service';
    await lab.run(
      'be1',
      `sh -c 'echo $$ > /sys/fs/cgroup$(systemctl show -p ControlGroup --value ${unit})/cgroup.procs; exec logger'`,
      `${text}\n`,
    );
    const { all, report } = await look();
    await lab.run('gw1', `mv -f ${config}.kept ${config}`);
    await lab.run(
      'be1',
      'rm /etc/nginx/conf.d/secrets.conf; mv -f /etc/hosts.kept /etc/hosts; : > /var/log/nginx/error.log',
    );
    for (const trace of traces()) expect(all).not.toContain(trace);
    expect(report.verdict).toBe('healthy');
    expect(all).toContain('[redacted]');
  });

  test('a process of nobody that poses as nginx changes nothing in what is read or said', async () => {
    await lab.run(
      'be1',
      `printf '%s' '${hidden}' > /root/hostile.txt; chmod 600 /root/hostile.txt; cat > /tmp/hostile.pl`,
      impostor,
    );
    await lab.run(
      'be1',
      'cat > /tmp/hostile.conf',
      'include /etc/shadow;\ninclude /root/hostile.txt;\nerror_log /root/hostile.txt;\n',
    );
    await lab.run(
      'be1',
      'chmod 644 /tmp/hostile.*; systemd-run -q --unit=hostile -p User=nobody -- perl /tmp/hostile.pl; until grep -qx nginx /proc/$(systemctl show -p MainPID --value hostile)/comm; do sleep 0.1; done',
    );
    const said = (report: Report) => [report.verdict, report.causes.map((cause) => cause.code)];
    const posed = await look();
    expect(posed.all).not.toMatch(/hostile\.(?:conf|txt|pl)/);
    expect(posed.all).not.toContain(hidden);
    expect(said(posed.report)).toEqual(['healthy', []]);
    await lab.run('be1', 'systemctl stop nginx');
    const down = await look();
    await lab.run('be1', 'systemctl stop hostile');
    const alone = await look();
    await lab.run('be1', 'systemctl start nginx');
    expect(said(down.report)).toEqual(said(alone.report));
    expect(down.all).not.toMatch(/hostile\.(?:conf|txt|pl)/);
  });

  test('a FIFO or a link to a secret where the agent has its configuration is neither waited for nor followed', async () => {
    const file = '/opt/old-system/agent.toml';
    await lab.run(
      'gw1',
      `printf 'password = "${hidden}"\\nurl = "${hidden}"\\n' > /root/hostile.txt; chmod 600 /root/hostile.txt; cp -a ${file} ${file}.kept`,
    );
    for (const trap of [`rm ${file}; mkfifo ${file}`, `rm ${file}; ln -s /etc/shadow ${file}`]) {
      await lab.run('gw1', trap);
      const began = performance.now();
      const { all, report } = await look();
      expect(performance.now() - began).toBeLessThan(RUN_MS);
      expect(all).not.toContain(hidden);
      expect(all).not.toMatch(/root:\$|root:\*/);
      expect(report.unknowns.map((item) => item.key)).toContain('agent.config');
    }
    await lab.run('gw1', `mv -f ${file}.kept ${file}`);
  });

  test('endless words at login end the round, not the run', async () => {
    await lab.run('gw1', 'cat > /root/.bashrc', '[ -n "$SSH_CONNECTION" ] && while :; do echo "endless words"; done\n');
    try {
      const began = performance.now();
      const { report, all } = await look();
      expect(performance.now() - began).toBeLessThan(RUN_MS);
      expect(all.length).toBeLessThan(4 * 1024 * 1024);
      expect(report.causes).toEqual([]);
      expect(report.unknowns.some((item) => item.reason === 'cut')).toBe(true);
    } finally {
      await lab.run('gw1', 'rm -f /root/.bashrc');
    }
  });
});
