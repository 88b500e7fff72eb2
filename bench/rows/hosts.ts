// Rows that need two real hosts: the doctor on healthy hosts and where packets are dropped, and a deployment with nothing to do. The peer is
// Ansible.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labObstacle, openLab } from '../../test/e2e/lab/index.ts';
import { openAnsible } from '../ansible.ts';
import type { Row } from '../measure.ts';

const main = new URL('../../dist/main.js', import.meta.url).pathname;
const ROUNDS = 7;
/** A run with drops takes seconds, and the installation some more to be well again. */
const DROP_ROUNDS = 3;

const DOCTOR = {
  id: 'doctor',
  work: '`viworks doctor`, both hosts healthy, whole report',
  aim: '≤ 1.0 s; ≥ 5 × faster than Ansible',
};
const FIRST = {
  id: 'doctor-first',
  work: '`viworks doctor`, both hosts healthy, from the start of the program to its first verdict',
  aim: '≤ 0.5 s',
};
const DROPPED = {
  id: 'doctor-dropped',
  work: '`viworks doctor`, whole report where packets are dropped',
  aim: '≤ 4 s',
};
const DEPLOY = {
  id: 'deploy',
  work: '`viworks deploy apply` with nothing to do, two hosts',
  aim: '≤ 0.6 s median, never > 1 s',
};

/** What is dropped, as rules of iptables on one host; what the lab itself does there needs no network. */
const DROPS = [
  { name: 'the backend host, all of it', host: 'be1', rule: 'INPUT ! -i lo -j DROP' },
  { name: 'the gateway host, all of it', host: 'gw1', rule: 'INPUT ! -i lo -j DROP' },
  { name: 'port 443 on the backend host', host: 'be1', rule: 'INPUT ! -i lo -p tcp --dport 443 -j DROP' },
  { name: 'names on the gateway host', host: 'gw1', rule: 'OUTPUT -p udp --dport 53 -j DROP' },
] as const;

/** The names of this host come from a name server alone, as on most hosts. */
const NAMELESS =
  "sed 's/ agents.example.test//' /etc/hosts >/run/hosts.bench && mount --bind /run/hosts.bench /etc/hosts; echo nameserver 192.0.2.53 >/etc/resolv.conf";
const NAMED = 'umount /etc/hosts; rm -f /run/hosts.bench /etc/resolv.conf';

/** The rows `doctor`, `doctor-first`, `doctor-dropped` and `deploy`. */
export async function hostRows(say: (text: string) => void): Promise<Row[]> {
  const obstacle = await labObstacle();
  const empty = { ours: undefined, others: [], notes: [] };
  if (obstacle !== undefined)
    return [DOCTOR, FIRST, DROPPED, DEPLOY].map((row) => ({ ...row, ...empty, skipped: obstacle }));
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
    const firstVerdict = async (): Promise<number> => {
      const started = performance.now();
      const child = spawn(process.execPath, [main, 'doctor', '-i', lab.inventoryPath, '--output', 'ndjson'], { env });
      let heard = '';
      let first = Number.NaN;
      child.stdout.on('data', (part: Buffer) => {
        heard += part.toString('utf8');
        if (Number.isNaN(first) && heard.includes('"type":"verdict"')) first = performance.now() - started;
      });
      await once(child, 'close');
      return first;
    };
    const dropped = async ({ host, rule }: (typeof DROPS)[number]): Promise<number> => {
      const isNames = rule.includes('--dport 53');
      const changed = await lab.run(host, `${isNames ? NAMELESS : ':'}; iptables -I ${rule}`);
      if (changed.code !== 0) throw new Error(`iptables on ${host}: ${changed.stderr}`);
      const started = performance.now();
      spawnSync(process.execPath, [main, ...look], { env });
      const took = performance.now() - started;
      await lab.run(host, `iptables -D ${rule}; ${isNames ? NAMED : ':'}`);
      await lab.untilWell();
      return took;
    };
    const look = ['doctor', '-i', lab.inventoryPath, '--output', 'plain'];
    const apply = ['deploy', 'apply', '-i', lab.inventoryPath, '--yes'];
    say(`first deployment: ${(timed(apply) / 1000).toFixed(1)} s`);
    const ansible = await openAnsible(lab, say);
    const samples = {
      look: [] as number[],
      apply: [] as number[],
      first: [] as number[],
      dropped: DROPS.map(() => [] as number[]),
      peerLook: [] as number[],
      peerApply: [] as number[],
    };
    for (let round = 0; round < ROUNDS; round++) {
      samples.look.push(timed(look));
      samples.apply.push(timed(apply));
      samples.first.push(await firstVerdict());
      if (typeof ansible === 'string') continue;
      samples.peerLook.push(ansible.looks());
      samples.peerApply.push(ansible.applies());
    }
    for (const [index, drop] of DROPS.entries())
      for (let round = 0; round < DROP_ROUNDS; round++) samples.dropped[index]?.push(await dropped(drop));
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
      { ...FIRST, ours: side('viworks doctor', samples.first), others: [], skipped: undefined, notes: [] },
      {
        ...DROPPED,
        ours: side('viworks doctor, all of them', samples.dropped.flat()),
        others: DROPS.map(({ name }, index) => side(`dropped: ${name}`, samples.dropped[index] ?? [])),
        skipped: undefined,
        notes: [],
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
