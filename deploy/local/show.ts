// The proof that it works: the doctor's own verdict on the local path, and one command's live output.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Invocation, operatorDirectory } from '../../agents/runtime/index.ts';
import type { Places } from './places.ts';
import type { Screen } from './screen.ts';

/** What showing needs. */
export interface Showing {
  readonly invocation: Invocation;
  readonly places: Places;
  readonly screen: Screen;
  readonly program: readonly string[];
  readonly signal: AbortSignal;
  readonly anyEnd: Promise<never>;
}

/** Runs the doctor on this machine and shows what it says; gives its exit code. */
export async function showPath(showing: Showing): Promise<number> {
  const { places, screen, invocation } = showing;
  screen.plain('');
  const tokenFile = join(operatorDirectory(invocation.env), `${places.gatewayId}.token`);
  return await run(showing, ['doctor', '--local', '--output', 'plain', '--token-file', tokenFile]);
}

/** Runs one command on the gateway, live, as the operator would. */
export async function showCommand(showing: Showing): Promise<number> {
  const { places, screen } = showing;
  screen.plain(`\n$ viworks run ${places.gatewayId} -- uname -sr`);
  return await run(showing, ['run', places.gatewayId, '--context', places.gatewayId, '--', 'uname', '-sr']);
}

async function run(showing: Showing, argv: readonly string[]): Promise<number> {
  const { program, signal, anyEnd, invocation } = showing;
  const [file = '', ...args] = program;
  const { stdout, stderr } = invocation.terminal;
  const env = Object.fromEntries(
    Object.entries(invocation.env).filter(([name]) => !/^VIWORKS_(URL|TOKEN|TRUST|CONTEXT)/.test(name)),
  );
  const child = spawn(file, [...args, ...argv], { env, signal, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (chunk: Buffer) => stdout.write(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.write(chunk));
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  return await Promise.race([ended, anyEnd]);
}
