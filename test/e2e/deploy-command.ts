// Runs `viworks deploy` as an operator would, with a home directory of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../..', import.meta.url).pathname;

/** What a command printed, and how it ended. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const home = mkdtempSync(join(tmpdir(), 'viworks-home-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));

/** Runs `./viworks ARGS…` with HOME in a directory that goes away with this process. */
export async function viworks(args: readonly string[]): Promise<Outcome> {
  const environment = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8', NO_COLOR: '1' };
  const child = spawn(join(root, 'viworks'), args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

/** `viworks deploy …`; throws with everything that it printed unless it exits 0. */
export async function deployCommand(args: readonly string[]): Promise<Outcome> {
  const outcome = await viworks(['deploy', ...args]);
  if (outcome.code !== 0)
    throw new Error(`viworks deploy ${args.join(' ')}: exit ${outcome.code}\n${outcome.stdout}\n${outcome.stderr}`);
  return outcome;
}
