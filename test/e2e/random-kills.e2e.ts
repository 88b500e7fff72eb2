// Tasks run while backend and gateway are killed at random instants. What counts is said by a judge that knows the tasks' own traces
// and nothing else: nothing started twice, no byte lost or doubled. VIWORKS_KILLS=200 gives the long form, VIWORKS_SEED another order.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { type SystemBench, startSystem } from '../support/system-bench.ts';

const KILLS = Number(process.env.VIWORKS_KILLS ?? 20);
const SEED = Number(process.env.VIWORKS_SEED ?? Date.now() % 1_000_000);
const AT_ONCE = 4;
const PROGRAMS = resolve(import.meta.dirname, '../programs');
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// Mulberry32: the order of a failure can be run again from its seed.
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`${KILLS} random kills of either side`, { timeout: 120_000 + KILLS * 4_000 }, async () => {
  const random = randomFrom(SEED);
  process.stdout.write(`random-kills: ${KILLS} kills, seed ${SEED}\n`);
  const began = performance.now();
  await using system: SystemBench = await startSystem();
  const trace = join(system.gateway.dir, 'trace');
  const results = join(system.gateway.dir, 'results');
  mkdirSync(results);
  writeFileSync(trace, '');
  let stop = false;
  let submitted = 0;
  const outcomes = new Map<string, number>();

  async function feed(): Promise<void> {
    while (!stop) {
      const lines = 1 + Math.floor(random() * 200);
      const seconds = (random() * 2).toFixed(2);
      const argv = ['perl', join(PROGRAMS, 'counter.pl'), trace, String(lines), seconds];
      const taskId = await system.submit({ verb: 'exec', args: { argv }, gateways: ['gw1'], ttlMs: 600_000 });
      submitted += 1;
      const { task, out, err } = await system.finished(taskId);
      const end = task.end?.outcome ?? 'none';
      outcomes.set(end, (outcomes.get(end) ?? 0) + 1);
      const code = task.end && 'code' in task.end ? task.end.code : undefined;
      writeFileSync(join(results, `${taskId}.out`), out);
      writeFileSync(join(results, `${taskId}.err`), err);
      writeFileSync(join(results, `${taskId}.end`), `${lines} ${end} ${code ?? '-'}\n`);
    }
  }

  const feeds = Array.from({ length: AT_ONCE }, feed);
  const killed = { backend: 0, gateway: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(random() * 600);
    const side = random() < 0.5 ? 'backend' : 'gateway';
    killed[side] += 1;
    if (side === 'backend') {
      await system.endBackend('SIGKILL');
      await system.startBackend();
    } else {
      await system.gateway.endGateway('SIGKILL');
      await system.gateway.startGateway();
    }
  }
  stop = true;
  await Promise.all(feeds);
  const { stdout } = await promisify(execFile)('perl', [join(PROGRAMS, 'judge.pl'), trace, results]);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  process.stdout.write(
    `random-kills: ${JSON.stringify(killed)}, ${submitted} tasks, ${JSON.stringify(Object.fromEntries(outcomes))}, ${seconds} s\n${stdout}`,
  );
  expect(stdout).toMatch(/^judge: all good/m);
  expect(submitted).toBeGreaterThan(AT_ONCE);
  // Only the agents are killed here, never a waiter: so every task must have run to its own end.
  expect([...outcomes.keys()]).toEqual(['exited']);
});
