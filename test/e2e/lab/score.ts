// `npm run faults:doctor [-- ID...] [--as root|user] [--healthy N] [--form systemd|docker]`: every fault of the lab against the doctor, graded.
// Ends with 0 only when nothing was wrong or missed, enough was right, and no healthy run raised an alarm.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Report } from '../../../doctor/engine/index.ts';
import { buildProgram, type Program } from '../../support/program.ts';
import { answerTo, type Grade, grade } from './breaks/answer.ts';
import type { Answer, Break } from './breaks/break.ts';
import { breaks, type Lab, labObstacle, openLab } from './index.ts';

type Seat = 'root' | 'user';

interface Row {
  readonly id: string;
  readonly seat: Seat;
  readonly grade: Grade | 'not in';
  readonly answer: Answer | null;
  readonly named: readonly string[];
  readonly verdict: string;
  readonly milliseconds: number;
}

/** The share of faults that have to be named, by what the doctor may read on the hosts. */
const enough: Readonly<Record<Seat, number>> = { root: 0.95, user: 0.85 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    as: { type: 'string' },
    form: { type: 'string' },
    healthy: { type: 'string', default: '0' },
    name: { type: 'string', default: 'faults' },
  },
});
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort(new Error(signal)));
const { signal } = interrupted;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function diagnose(program: Program, inventory: string): Promise<{ report: Report; milliseconds: number }> {
  const began = performance.now();
  const outcome = await program.run(['doctor', '-i', inventory, '--output', 'json', '--no-record']);
  const text = outcome.stdout.toString();
  if (!text.startsWith('{')) throw new Error(`the doctor printed no report (exit ${outcome.code}): ${outcome.stderr}`);
  return { report: JSON.parse(text) as Report, milliseconds: Math.round(performance.now() - began) };
}

function describe(row: Row): string {
  const wanted = row.answer?.code ?? row.answer?.kind ?? '';
  const named = row.named.length > 0 ? row.named.join(' ') : row.verdict;
  return `${row.grade.padEnd(7)} ${row.seat.padEnd(4)} ${row.id.padEnd(26)} wanted ${wanted.padEnd(11)} got ${named}  ${row.milliseconds} ms`;
}

async function ask(of: { lab: Lab; program: Program; fault: Break; seat: Seat }): Promise<Row> {
  const { lab, program, fault, seat } = of;
  const answer = answerTo(fault);
  const inventory = seat === 'root' ? lab.inventoryPath : lab.unprivilegedInventoryPath;
  const { report, milliseconds } = await diagnose(program, inventory);
  const named = [
    ...report.causes,
    ...(answer.kind === 'latent' ? report.latent : []),
    ...(answer.kind === 'sight' ? report.sight : []),
  ];
  return {
    id: fault.id,
    seat,
    grade: grade(report, answer),
    answer,
    named: named.map((cause) => `${cause.code}${cause.confidence === 'proven' ? '' : '?'}`),
    verdict: report.verdict,
    milliseconds,
  };
}

async function faults(of: {
  lab: Lab;
  program: Program;
  list: readonly Break[];
  seats: readonly Seat[];
}): Promise<Row[]> {
  const rows: Row[] = [];
  const keep = (row: Row): void => {
    rows.push(row);
    say(describe(row));
  };
  for (const fault of of.list) {
    signal.throwIfAborted();
    try {
      await of.lab.break(fault.id);
      for (const seat of of.seats) keep(await ask({ ...of, fault, seat }));
    } catch (error) {
      signal.throwIfAborted();
      const verdict = error instanceof Error ? error.message : String(error);
      keep({ id: fault.id, seat: 'root', grade: 'not in', answer: null, named: [], verdict, milliseconds: 0 });
    }
    await of.lab.mend();
  }
  return rows;
}

async function healthyRuns(lab: Lab, program: Program, count: number): Promise<number> {
  let alarms = 0;
  for (let run = 0; run < count; run += 1) {
    signal.throwIfAborted();
    const { report } = await diagnose(program, lab.inventoryPath);
    if (report.verdict === 'healthy') continue;
    alarms += 1;
    say(
      `alarm   healthy run ${run + 1}: ${report.verdict} ${report.causes.map((cause) => cause.code).join(' ')} ${report.firstBad ?? ''}`,
    );
  }
  if (count > 0) say(`healthy ${count} runs, ${alarms} false alarms`);
  return alarms;
}

function summary(rows: readonly Row[], seats: readonly Seat[]): boolean {
  let good = true;
  for (const seat of seats) {
    const own = rows.filter((row) => row.seat === seat && row.grade !== 'not in');
    const count = (name: Grade): number => own.filter((row) => row.grade === name).length;
    const share = own.length === 0 ? 1 : count('right') / own.length;
    const trapped = own.filter((row) => row.answer?.kind === 'healthy' && row.grade !== 'right').length;
    say(
      `${seat.padEnd(5)} right ${count('right')} (${(share * 100).toFixed(1)} %) · unsure ${count('unsure')} · wrong ${count('wrong')} · missed ${count('missed')} · traps not healthy ${trapped}`,
    );
    good &&=
      count('wrong') === 0 && count('missed') === 0 && share >= enough[seat] && (seat === 'user' || trapped === 0);
  }
  const open = rows.filter((row) => row.grade === 'not in');
  if (open.length > 0) say(`not injected, hence not judged: ${open.map((row) => row.id).join(' ')}`);
  return good && open.length === 0;
}

async function main(): Promise<number> {
  const obstacle = await labObstacle();
  if (obstacle) {
    say(`not run: ${obstacle}`);
    return 1;
  }
  const seats: readonly Seat[] = values.as === 'root' || values.as === 'user' ? [values.as] : ['root', 'user'];
  const named = new Set(positionals.map((id) => id.toUpperCase()));
  const strange = [...named].filter((id) => !breaks.some((fault) => fault.id === id));
  if (strange.length > 0) {
    say(`unknown fault: ${strange.join(', ')}\n  remedy: npm run -s lab -- breaks lists them`);
    return 64;
  }
  const wanted = breaks.filter(({ id }) => named.size === 0 || named.has(id));
  const forms = (['systemd', 'docker'] as const).filter((form) => values.form === undefined || values.form === form);
  using program = buildProgram();
  const rows: Row[] = [];
  let alarms = 0;
  for (const form of forms) {
    const list = wanted.filter((fault) => fault.form === form);
    if (list.length === 0) continue;
    const lab = await openLab({ name: `${values.name}-${form}`, docker: form === 'docker', signal });
    try {
      if (form === 'systemd') {
        const applied = await program.run(['deploy', 'apply', '-i', lab.inventoryPath, '--yes']);
        if (applied.code !== 0) throw new Error(`deploy apply ended with ${applied.code}: ${applied.stderr}`);
        alarms += await healthyRuns(lab, program, Number(values.healthy));
      }
      rows.push(...(await faults({ lab, program, list, seats })));
    } finally {
      await lab.close();
    }
  }
  const directory = join(import.meta.dirname, '../../../bench/results');
  await mkdir(directory, { recursive: true });
  const file = join(directory, `faults-doctor-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.json`);
  await writeFile(file, `${JSON.stringify(rows, null, 2)}\n`);
  const good = summary(rows, seats) && alarms === 0;
  say(`raw: ${file}`);
  return good ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  return signal.aborted ? 130 : 1;
});
