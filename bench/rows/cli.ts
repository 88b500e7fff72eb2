// Whole commands as a user types them, against a bare start of the same Node and, where there is one, a cold ssh.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Row, Side } from '../measure.ts';
import type { System } from '../system.ts';

const root = new URL('../..', import.meta.url).pathname;
const ROUNDS = 15;

/** The rows `cli-run` and `cli-start`. */
export function cliRows(system: System): Row[] {
  const bundle = join(root, 'dist/main.js');
  const programs = {
    bare: [process.execPath, '-e', '0'],
    run: [process.execPath, bundle, 'run', system.gateway, '--', 'echo', 'hi'],
    version: [process.execPath, bundle, '--version'],
    help: [process.execPath, bundle, 'doctor', '--help'],
  } as const;
  const samples: Record<keyof typeof programs, number[]> = { bare: [], run: [], version: [], help: [] };
  for (let round = -2; round < ROUNDS; round++) {
    for (const name of Object.keys(programs) as (keyof typeof programs)[]) {
      const [program, ...args] = programs[name];
      const started = performance.now();
      const result = spawnSync(program, args, { env: system.env, encoding: 'utf8' });
      if (result.status !== 0) throw new Error(`${name}: exit ${result.status}: ${result.stderr}`);
      if (round >= 0) samples[name].push(performance.now() - started);
    }
  }
  const side = (name: string, key: keyof typeof programs): Side => ({ name, unit: 'ms', samples: samples[key] });
  return [
    {
      id: 'cli-run',
      work: 'whole `viworks run GATEWAY -- echo hi`',
      aim: '≤ 2 × bare node start',
      ours: side('viworks run', 'run'),
      others: [side('node -e 0', 'bare')],
      skipped: undefined,
      notes: [],
    },
    {
      id: 'cli-start',
      work: '`viworks --version`',
      aim: '≤ 1.5 × bare node start',
      ours: side('viworks --version', 'version'),
      others: [side('node -e 0', 'bare'), side('viworks doctor --help', 'help')],
      skipped: undefined,
      notes: [],
    },
  ];
}
