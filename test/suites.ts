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
const suites = { check, unit: () => vitest('unit'), e2e: () => vitest('e2e') };
const wanted = process.argv.slice(2);
const strange = wanted.filter((name) => !Object.hasOwn(suites, name));
if (strange.length > 0) {
  process.stderr.write(
    `viworks: no suite is called ${strange.join(', ')}\n  remedy: one of ${Object.keys(suites).join(', ')}\n`,
  );
  process.exit(64);
}
const tallies: Tally[] = [];
for (const [name, run] of Object.entries(suites)) {
  if (wanted.length === 0 || wanted.includes(name)) tallies.push(await run());
}
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

async function vitest(project: string): Promise<Tally> {
  title(project);
  const file = join(scratch, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const { code } = await run([join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', project, ...reporters]);
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

function run(args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      process.stdout.write(chunk);
    });
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
