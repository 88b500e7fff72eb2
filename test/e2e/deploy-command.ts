// Runs `viworks deploy` as an operator would, with a home directory of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, type ProcessOutput } from 'zx';

const root = new URL('../..', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'viworks-home-'));

/** Removes the home directory; for the end of a suite. */
export function forgetHome(): void {
  rmSync(home, { recursive: true, force: true });
}

/** Runs `./viworks ARGS…` with HOME in a directory that goes away with this process. */
async function viworks(args: readonly string[]): Promise<ProcessOutput> {
  const env = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', NO_COLOR: '1' };
  return $({ env, nothrow: true, quiet: true, stdio: ['ignore', 'pipe', 'pipe'] })`${join(root, 'viworks')} ${args}`;
}

/** `viworks deploy …`; throws with everything that it printed unless it exits 0. */
export async function deployCommand(args: readonly string[]): Promise<ProcessOutput> {
  const outcome = await viworks(['deploy', ...args]);
  if (outcome.exitCode !== 0)
    throw new Error(`viworks deploy ${args.join(' ')}: exit ${outcome.exitCode}\n${outcome.stdout}\n${outcome.stderr}`);
  return outcome;
}
