// Rows that need two real hosts: a healthy look by the doctor, and a deployment with nothing to do. The peer is Ansible.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labObstacle, openLab } from '../../test/e2e/lab/index.ts';
import { openAnsible } from '../ansible.ts';
import type { Row } from '../measure.ts';

const main = new URL('../../dist/main.js', import.meta.url).pathname;
const ROUNDS = 7;

const DOCTOR = {
  id: 'doctor',
  work: '`viworks doctor`, both hosts healthy, whole report',
  aim: '≤ 1.0 s; ≥ 5 × faster than Ansible',
};
const DEPLOY = {
  id: 'deploy',
  work: '`viworks deploy apply` with nothing to do, two hosts',
  aim: '≤ 0.6 s median, never > 1 s',
};

/** The rows `doctor` and `deploy`. */
export async function hostRows(say: (text: string) => void): Promise<Row[]> {
  const obstacle = await labObstacle();
  const empty = { ours: undefined, others: [], notes: [] };
  if (obstacle !== undefined) return [DOCTOR, DEPLOY].map((row) => ({ ...row, ...empty, skipped: obstacle }));
  const home = mkdtempSync(join(tmpdir(), 'viworks-bench-'));
  const lab = await openLab({ name: 'bench', say });
  try {
    const env = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8' };
    const timed = (args: readonly string[]): number => {
      const started = performance.now();
      const result = spawnSync(process.execPath, [main, ...args], { env, encoding: 'utf8' });
      if (result.status !== 0)
        throw new Error(`viworks ${args.join(' ')}: exit ${result.status}\n${result.stdout}\n${result.stderr}`);
      return performance.now() - started;
    };
    const look = ['doctor', '-i', lab.inventoryPath, '--output', 'plain'];
    const apply = ['deploy', 'apply', '-i', lab.inventoryPath, '--yes'];
    say(`first deployment: ${(timed(apply) / 1000).toFixed(1)} s`);
    const ansible = await openAnsible(lab, say);
    const samples = {
      look: [] as number[],
      apply: [] as number[],
      peerLook: [] as number[],
      peerApply: [] as number[],
    };
    for (let round = 0; round < ROUNDS; round++) {
      samples.look.push(timed(look));
      samples.apply.push(timed(apply));
      if (typeof ansible === 'string') continue;
      samples.peerLook.push(ansible.looks());
      samples.peerApply.push(ansible.applies());
    }
    const side = (name: string, measured: readonly number[]) => ({ name, unit: 'ms', samples: measured });
    const peer = (measured: readonly number[]) => (measured.length > 0 ? [side('ansible, pipelining', measured)] : []);
    const notes = typeof ansible === 'string' ? [`no peer: ${ansible}`] : [];
    if (typeof ansible !== 'string') ansible.close();
    return [
      {
        ...DOCTOR,
        ours: side('viworks doctor', samples.look),
        others: peer(samples.peerLook),
        skipped: undefined,
        notes,
      },
      {
        ...DEPLOY,
        ours: side('viworks deploy', samples.apply),
        others: peer(samples.peerApply),
        skipped: undefined,
        notes,
      },
    ];
  } finally {
    await lab.close();
    rmSync(home, { recursive: true, force: true });
  }
}
