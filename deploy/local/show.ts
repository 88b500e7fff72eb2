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

/** The part of the doctor's report (`viworks.doctor/1`) that is shown. */
interface Report {
  readonly verdict: string;
  readonly path: readonly { readonly label: string; readonly state: string }[];
}

/** Runs the doctor on this machine: healthy is its path in one line, all else its whole report. Gives its exit code. */
export async function showPath(showing: Showing): Promise<number> {
  const { places, screen, invocation } = showing;
  const tokenFile = join(operatorDirectory(invocation.env), `${places.gatewayId}.probe-token`);
  const recording = join(places.home, 'doctor.ndjson');
  const argv = ['doctor', '--local', '--output', 'json', '--token-file', tokenFile, '--record', recording];
  const { code, stdout, stderr } = await run(showing, argv, 'kept');
  const report = parseReport(stdout);
  screen.plain('');
  if (code === 0 && report) screen.plain(renderPath(report));
  else if (report) await run(showing, ['doctor', '--replay', recording, '--output', 'plain'], 'shown');
  else screen.plain(`${stdout}${stderr}`.trimEnd());
  return code;
}

/** `  path  gateway ok → dns ok → … → canary ok      healthy`. */
export function renderPath(report: Report): string {
  const hops = report.path.filter(({ state }) => state !== 'skipped').map(({ label, state }) => `${label} ${state}`);
  return `  path  ${hops.join(' → ')}      ${report.verdict}`;
}

function parseReport(text: string): Report | undefined {
  try {
    const report = JSON.parse(text) as Partial<Report> | null;
    return typeof report?.verdict === 'string' && Array.isArray(report.path) ? (report as Report) : undefined;
  } catch {
    return undefined; // It ended before it could report; what it said is shown as it is.
  }
}

/** Runs one command on the gateway, live, as the operator would. */
export async function showCommand(showing: Showing): Promise<number> {
  const { places, screen } = showing;
  screen.plain(`\n$ viworks run ${places.gatewayId} -- uname -sr`);
  const argv = ['run', places.gatewayId, '--context', places.gatewayId, '--', 'uname', '-sr'];
  return (await run(showing, argv, 'shown')).code;
}

async function run(
  showing: Showing,
  argv: readonly string[],
  output: 'shown' | 'kept',
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { program, signal, anyEnd, invocation } = showing;
  const [file = '', ...args] = program;
  // Where the operator's own commands go is no business of this system.
  const env = Object.fromEntries(
    Object.entries(invocation.env).filter(([name]) => !/^VIWORKS_(URL|TOKEN|TRUST|CONTEXT)/.test(name)),
  );
  const child = spawn(file, [...args, ...argv], { env, signal, stdio: ['ignore', 'pipe', 'pipe'] });
  const kept = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      if (output === 'shown') invocation.terminal[name].write(text);
      else kept[name] += text;
    });
  }
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  const code = await Promise.race([ended, anyEnd]);
  return { code, ...kept };
}
