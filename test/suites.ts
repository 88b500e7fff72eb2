// What `npm test` runs after its bootstrap: the quick gate, unit tests, end-to-end suites. Ends with `N passed, M failed, K skipped`.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The part of vitest's JSON report that is read. */
interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const root = new URL('..', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'viworks-test-'));
const skipped: string[] = [];
const failures: string[] = [];

// All of them, or those that are named: `npm test -- check unit`.
const suites = {
  check,
  unit: (turn: Promise<unknown>) => vitest('unit', turn),
  e2e: (turn: Promise<unknown>) => vitest('e2e', turn),
};
const wanted = process.argv.slice(2);
const strange = wanted.filter((name) => !Object.hasOwn(suites, name));
if (strange.length > 0) {
  process.stderr.write(
    `viworks: no suite is called ${strange.join(', ')}\n  remedy: one of ${Object.keys(suites).join(', ')}\n`,
  );
  process.exit(64);
}
const tallies: Tally[] = [];
const isWanted = (name: keyof typeof suites): boolean => wanted.length === 0 || wanted.includes(name);
if (isWanted('check')) tallies.push(await suites.check());
// Side by side: unit tests need a core, and the first e2e suites mostly wait for hosts. Each prints in its turn.
const unit = isWanted('unit') ? suites.unit(Promise.resolve()) : Promise.resolve(null);
const e2e = isWanted('e2e') ? suites.e2e(unit) : null;
tallies.push(...(await Promise.all([unit, e2e])).filter((tally) => tally !== null));
rmSync(scratch, { recursive: true, force: true });
if (failures.length > 0) process.stdout.write(`\nfailed:\n${failures.map((name) => `  ${name}\n`).join('')}`);
if (skipped.length > 0) process.stdout.write(`\nskipped:\n${skipped.map((name) => `  ${name}\n`).join('')}`);
const sum = (key: keyof Tally): number => tallies.reduce((total, tally) => total + tally[key], 0);
process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped\n`);
process.exitCode = sum('failed') === 0 ? 0 : 1;

async function check(): Promise<Tally> {
  title('check');
  const { code, output } = await run([join(root, 'test/check.ts')]);
  const [, passed, failed, left] = /^check: (\d+) passed, (\d+) failed, (\d+) skipped/m.exec(output) ?? [];
  failures.push(...[...output.matchAll(/^FAIL {2}(.+?) {2}/gm)].map(([, step]) => `check: ${step}`));
  const tally = { passed: Number(passed ?? 0), failed: Number(failed ?? 0), skipped: Number(left ?? 0) };
  return code !== 0 && tally.failed === 0 ? { ...tally, failed: 1 } : tally;
}

async function vitest(project: string, turn: Promise<unknown>): Promise<Tally> {
  const file = join(scratch, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const { code } = await run(
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', project, ...reporters],
    { project, turn },
  );
  let report: VitestReport;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }; // It died before it could report.
  }
  const tests = report.testResults.flatMap((suite) => suite.assertionResults);
  const left = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed');
  skipped.push(...left.map((test) => test.fullName));
  for (const { name, assertionResults } of report.testResults) {
    const red = assertionResults.filter((test) => test.status === 'failed');
    failures.push(...red.map((test) => `${relative(root, name)}: ${test.fullName}`));
  }
  // A file that could not even be loaded has no failed test to be counted.
  const unloaded = report.testResults.filter(
    (suite) => suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed'),
  );
  failures.push(...unloaded.map(({ name }) => `${relative(root, name)}: not loaded`));
  const failed = report.numFailedTests + unloaded.length;
  return {
    passed: report.numPassedTests,
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: left.length,
  };
}

function title(text: string): void {
  process.stdout.write(`\n== ${text}\n`);
}

/** What it prints before its turn is kept until then. */
function run(
  args: readonly string[],
  { project, turn }: { readonly project?: string; readonly turn: Promise<unknown> } = { turn: Promise.resolve() },
): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let kept: string[] | null = [];
  const print = (text: string): void => {
    if (kept) kept.push(text);
    else process.stdout.write(text);
  };
  if (project !== undefined) print(`\n== ${project}\n`);
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    print(chunk.toString());
  });
  child.stderr.on('data', (chunk: Buffer) => print(chunk.toString()));
  const ended = new Promise<number>((resolve) => {
    child.on('close', (code) => resolve(code ?? 1));
  });
  return turn.then(async () => {
    for (const text of kept ?? []) process.stdout.write(text);
    kept = null;
    return { code: await ended, output };
  });
}
