// Every edit that the doctor prints is applied literally, with `patch` and the printed commands, and the installation is well again.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../doctor/engine/index.ts';
import { buildProgram, type Program } from '../support/program.ts';
import { answerTo } from './lab/breaks/answer.ts';
import { breaks, type Lab, labObstacle, openLab } from './lab/index.ts';

const obstacle = await labObstacle();
const title = (what: string) => (obstacle ? `${what} (skipped: ${obstacle})` : what);
const run = promisify(execFile);

/** All of them take minutes; without VIWORKS_ALL_FAULTS=1 there is one of each way to edit. */
const some = ['NGX-01', 'NGX-03', 'NGX-30', 'NGX-32', 'NGX-34'];
const all = [
  ...some,
  'NGX-09',
  'NGX-02',
  'NGX-04',
  'NGX-05',
  'NGX-07',
  'NGX-20',
  'NGX-22',
  'NGX-23',
  'NGX-31',
  'NGX-33',
];
const wanted = process.env.VIWORKS_ALL_FAULTS === '1' ? all : some;

describe.skipIf(obstacle !== undefined)(title('edits that the doctor proposes'), () => {
  let lab: Lab;
  let program: Program;
  let scratch: string;

  beforeAll(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'viworks-fixes-'));
    program = buildProgram();
    lab = await openLab({ name: 'e2e-fixes' });
    const applied = await program.run(['deploy', 'apply', '-i', lab.inventoryPath, '--yes']);
    if (applied.code !== 0) throw new Error(`deploy apply ended with ${applied.code}: ${applied.stderr}`);
  });
  afterEach(async () => {
    await lab.mend();
  });
  afterAll(async () => {
    await lab.close();
    program[Symbol.dispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  async function diagnose(): Promise<Report> {
    const outcome = await program.run(['doctor', '-i', lab.inventoryPath, '--output', 'json', '--no-record']);
    return JSON.parse(outcome.stdout.toString()) as Report;
  }

  /** As somebody with the report before him would do it. */
  async function apply(diff: string): Promise<void> {
    const file = /^--- (.+)$/m.exec(diff)?.[1] ?? '';
    const copy = path.join(scratch, 'copy');
    await writeFile(copy, (await lab.run('be1', `cat '${file}'`)).stdout);
    await writeFile(path.join(scratch, 'diff'), `${diff}\n`);
    await run('patch', ['-s', copy, path.join(scratch, 'diff')]);
    const text = await readFile(copy, 'utf8');
    const written = await lab.run('be1', `cat >'${file}' && nginx -t && nginx -s reload`, text);
    expect(written).toMatchObject({ code: 0 });
  }

  test.each(wanted)('%s: tried, applied, healed', async (id) => {
    const fault = breaks.find((item) => item.id === id);
    await lab.break(id);
    const mounts = await lab.run('be1', 'cat /proc/mounts; ls -a /mnt');
    const report = await diagnose();
    const cause = report.causes.find((item) => fault && item.code === answerTo(fault).code);
    expect(cause?.remedy.tried).toMatchObject({ state: 'ok' });
    expect(await lab.run('be1', 'cat /proc/mounts; ls -a /mnt')).toEqual(mounts);
    await apply(cause?.remedy.diff ?? '');
    await lab.untilWell();
    expect((await diagnose()).causes).toEqual([]);
  });
});
