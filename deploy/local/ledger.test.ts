// Own processes by pid and start time: found, ended, and never mistaken for others.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../agents/runtime/index.ts';
import { type Entry, endProcess, isAlive, readLedger, startTimeOf, writeLedger } from './ledger.ts';

const clock = systemClock;
const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended as it should.
    }
  }
});

async function child(script: string): Promise<Entry> {
  const made = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(made.stdout, 'data');
  started.push(made.pid ?? 0);
  return { name: 'child', pid: made.pid ?? 0, startTime: startTimeOf(made.pid ?? 0) ?? '' };
}

test('an obedient process is ended without force, a stubborn one with it', async () => {
  const obedient = await child('echo up; exec sleep 60');
  expect(isAlive(obedient)).toBe(true);
  expect(await endProcess(obedient, { clock, graceMs: 5_000 })).toBe(false);
  expect(isAlive(obedient)).toBe(false);
  const stubborn = await child("trap '' TERM; echo up; while :; do sleep 0.1; done");
  expect(await endProcess(stubborn, { clock, graceMs: 50 })).toBe(true);
  expect(isAlive(stubborn)).toBe(false);
});

test('another process with the same pid is not ours', async () => {
  const entry = await child('echo up; exec sleep 60');
  const other = { ...entry, startTime: '1' };
  expect(isAlive(other)).toBe(false);
  expect(await endProcess(other, { clock, graceMs: 0 })).toBe(false);
  expect(isAlive(entry)).toBe(true);
});

test('a name with blanks and parentheses does not confuse the look', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'viworks-ledger-'));
  symlinkSync('/bin/sleep', join(directory, 'a) S 1 (b'));
  const made = spawn(join(directory, 'a) S 1 (b'), ['60'], { stdio: 'ignore' });
  await once(made, 'spawn');
  started.push(made.pid ?? 0);
  expect(startTimeOf(made.pid ?? 0)).toMatch(/^\d+$/);
  rmSync(directory, { recursive: true });
  expect(startTimeOf(0)).toBeUndefined();
});

test('the ledger survives a round trip; half a file is none', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'viworks-ledger-'));
  const file = join(directory, 'processes.json');
  const entry = { name: 'backend', pid: 7, startTime: '9' };
  const ledger = { owner: { ...entry, since: '2026-11-20T00:00:00Z' }, children: [entry] };
  expect(await readLedger(file)).toBeUndefined();
  await writeLedger(file, ledger);
  expect(await readLedger(file)).toEqual(ledger);
  writeFileSync(file, '{"owner":');
  expect(await readLedger(file)).toBeUndefined();
  rmSync(directory, { recursive: true });
});
