// `npm run bench`: measures every row, ours against floor and peers in one run, prints the table, keeps the raw numbers as JSON.
// Usage: npm run bench [-- ROW...] [-- --quick]
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { type Row, renderRow } from './measure.ts';
import { cliRows } from './rows/cli.ts';
import { echoRows } from './rows/echo.ts';
import { hostRows } from './rows/hosts.ts';
import { memoryRow } from './rows/memory.ts';
import { streamRow } from './rows/stream.ts';
import { openSystem, type System } from './system.ts';

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const wanted = args.filter((arg) => !arg.startsWith('--'));
const wants = (...ids: readonly string[]): boolean => wanted.length === 0 || ids.some((id) => wanted.includes(id));

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const rows: Row[] = [];
const keep = (found: readonly Row[]): void => {
  for (const row of found) {
    rows.push(row);
    say(`\n${renderRow(row)}`);
  }
};

say(`viworks bench on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`);
if (wants('memory', 'echo', 'first-byte', 'stream', 'cli-run', 'cli-start')) {
  const system: System = await openSystem();
  try {
    if (wants('memory')) keep([await memoryRow(system, quick ? 200 : 2_000)]);
    if (wants('echo', 'first-byte')) keep(await echoRows(system));
    if (wants('cli-run', 'cli-start')) keep(cliRows(system));
    if (wants('stream')) keep([await streamRow(system, quick ? 64 : 1024)]);
  } finally {
    await system.close();
  }
}
if (wants('doctor', 'doctor-first', 'doctor-dropped', 'deploy')) keep(await hostRows(say));

mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
const file = new URL(`./results/${new Date().toISOString().slice(0, 10)}.json`, import.meta.url);
writeFileSync(file, `${JSON.stringify({ node: process.versions.node, cpus: cpus().length, rows }, undefined, 1)}\n`);
say(`\nraw numbers: ${file.pathname}`);
