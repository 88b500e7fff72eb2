// `npm run check`: the quick gate. Runs every step at once, prints one line each and the output of those that failed.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus } from 'node:os';

interface Step {
  readonly name: string;
  readonly argv: readonly string[];
}

const root = new URL('..', import.meta.url).pathname;
const bin = (name: string): string => `${root}node_modules/.bin/${name}`;
const present = (names: readonly string[]): string[] => {
  const entries = new Set(readdirSync(root));
  return names.filter((name) => entries.has(name));
};
const rooms = present(['agents', 'bench', 'cli', 'deploy', 'docs', 'doctor', 'test']);

// Longest first, so that two cores end together.
const steps: readonly Step[] = [
  { name: 'lint', argv: [bin('eslint'), '--cache', '--cache-location', `${root}.cache/eslint`, ...rooms] },
  { name: 'types', argv: [bin('tsc'), '-p', root] },
  { name: 'dead code', argv: [bin('knip'), '--no-progress'] },
  { name: 'conventions', argv: [bin('vitest'), 'run', '--project', 'unit', 'test/conventions', '--reporter', 'dot'] },
  {
    name: 'rooms',
    argv: [bin('depcruise'), '--config', '.dependency-cruiser.cjs', ...rooms.filter((room) => room !== 'test')],
  },
  { name: 'docs fresh', argv: [process.execPath, 'docs/generate.ts', '--check'] },
  { name: 'package', argv: [bin('publint'), '--strict'] },
  { name: 'format', argv: [bin('biome'), 'ci', '--colors=off', '--error-on-warnings', '.'] },
];

interface Outcome {
  readonly step: Step;
  readonly ok: boolean;
  readonly seconds: number;
  readonly output: string;
}

function run(step: Step): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    const [program = '', ...args] = step.argv;
    const child = spawn(program, args, { cwd: root, env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' } });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const finish = (ok: boolean): void => resolve({ step, ok, output, seconds: (performance.now() - started) / 1000 });
    child.on('error', (error) => {
      output += error.message;
      finish(false);
    });
    child.on('close', (code) => finish(code === 0));
  });
}

const queue = [...steps];
const outcomes: Outcome[] = [];
async function work(): Promise<void> {
  for (let step = queue.shift(); step; step = queue.shift()) {
    const outcome = await run(step);
    outcomes.push(outcome);
    process.stdout.write(`${outcome.ok ? 'ok  ' : 'FAIL'}  ${step.name.padEnd(12)} ${outcome.seconds.toFixed(1)} s\n`);
  }
}
const started = performance.now();
await Promise.all(Array.from({ length: Math.max(2, cpus().length) }, work));
const failed = outcomes.filter((outcome) => !outcome.ok);
for (const { step, output } of failed) process.stdout.write(`\n── ${step.name} ──\n${output.slice(-20_000)}\n`);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(
  `check: ${outcomes.length - failed.length} passed, ${failed.length} failed, 0 skipped (${seconds} s)\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
