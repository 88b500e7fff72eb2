// `viworks run` over the death of the backend and of the gateway: nothing is lost, nothing comes twice.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLocalSystem, type LocalSystem } from '../support/local-system.ts';
import type { Running } from '../support/program.ts';

// What the task prints: numbered lines on both streams, 20 ms apart, 40 KB a second.
const PRINTER = `let n = 0; const t = setInterval(() => { n += 1; process.stdout.write(n + ' ' + 'o'.repeat(800) + '\\n'); process.stderr.write(n + ' ' + 'e'.repeat(50) + '\\n'); if (n === 150) clearInterval(t); }, 20)`;
const expected = (letter: string, width: number): string =>
  Array.from({ length: 150 }, (_, index) => `${index + 1} ${letter.repeat(width)}\n`).join('');
const sha256 = (text: Buffer | string) => createHash('sha256').update(text).digest('hex');

let system: LocalSystem;
const agents = new Map<string, Running>();

// The agents by hand, with the configuration that `up` wrote: there the death of one would end the rest.
async function agent(name: 'backend' | 'launcher' | 'gateway'): Promise<Running> {
  const made = system.program.start([name, '--config', join(system.state, `${name}.toml`)]);
  agents.set(name, made);
  const ready = { backend: /backend ready/, launcher: /launcher listening/, gateway: /./ };
  await made.seen(ready[name]);
  return made;
}

beforeAll(async () => {
  system = await createLocalSystem();
  const up = await system.up(['--no-nginx']);
  up.process.kill('SIGINT');
  await up.outcome;
  for (const name of ['backend', 'launcher', 'gateway'] as const) await agent(name);
  await system.run(['run', 'this-machine', '--', 'true']);
});
afterAll(async () => {
  for (const name of ['gateway', 'launcher', 'backend']) {
    agents.get(name)?.process.kill('SIGTERM');
    await agents.get(name)?.outcome;
  }
  system[Symbol.dispose]();
});

test.each(['backend', 'gateway'] as const)('kill -9 of the %s in mid-stream loses nothing', async (victim) => {
  const made = system.start(['run', 'this-machine', '--', process.execPath, '-e', PRINTER]);
  for (const mark of [/^20 /m, /^60 /m]) {
    await made.seen(mark);
    agents.get(victim)?.process.kill('SIGKILL');
    await agents.get(victim)?.outcome;
    await agent(victim);
  }
  const { code, stdout, stderr } = await made.outcome;
  expect([code, stdout.length, sha256(stdout)]).toEqual([0, expected('o', 800).length, sha256(expected('o', 800))]);
  expect(stderr).toBe(expected('e', 50));
});

test('a gateway that stays away past --ttl is 69; one that comes back in time runs the command', async () => {
  agents.get('gateway')?.process.kill('SIGKILL');
  await agents.get('gateway')?.outcome;
  const late = await system.run(['run', 'this-machine', '--ttl', '1s', '--', 'echo', 'late']);
  expect([late.code, late.stdout.toString(), late.stderr]).toEqual([69, '', expect.stringContaining('not started')]);
  const waiting = system.start(['run', 'this-machine', '--ttl', '60s', '--', 'echo', 'in time']);
  await agent('gateway');
  expect((await waiting.outcome).stdout.toString()).toBe('in time\n');
});

test('Ctrl-C while the backend is away is carried out when it is back', async () => {
  const made = system.start(['run', 'this-machine', '--', 'sh', '-c', 'echo begun; exec sleep 63.75']);
  await made.seen(/begun/);
  agents.get('backend')?.process.kill('SIGKILL');
  await agents.get('backend')?.outcome;
  made.process.kill('SIGINT');
  await made.seen(/cancelling/, 'stderr');
  await agent('backend');
  const outcome = await made.outcome;
  expect([outcome.code, outcome.stderr]).toEqual([130, expect.stringContaining('nothing of it is left')]);
});
