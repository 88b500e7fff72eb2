// Runs the machine's own tools for the lab: arguments as given, never through a shell, and a failure names the command.
import { execa } from 'execa';

export interface ShellResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ShellOptions {
  readonly input?: string;
  /** A file of this machine to read standard input from. */
  readonly inputFile?: string;
  readonly signal?: AbortSignal | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
}

/** Runs a command and answers with its exit code; 127 when it could not be started, 124 when it took too long. */
export async function attempt(
  command: readonly [string, ...string[]],
  options: ShellOptions = {},
): Promise<ShellResult> {
  const [file, ...args] = command;
  const result = await execa(file, args, {
    reject: false,
    ...(options.input === undefined && options.inputFile === undefined ? { stdin: 'ignore' as const } : {}),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.inputFile === undefined ? {} : { inputFile: options.inputFile }),
    ...(options.signal ? { cancelSignal: options.signal } : {}),
    ...(options.env ? { env: options.env } : {}),
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.timeoutMs ? { timeout: options.timeoutMs } : {}),
  });
  options.signal?.throwIfAborted();
  return {
    code: result.timedOut ? 124 : (result.exitCode ?? 127),
    stdout: result.stdout,
    stderr: result.stderr,
  };
}

/** As `attempt`, but anything else than exit code 0 throws; the answer is what the command printed. */
export async function must(command: readonly [string, ...string[]], options: ShellOptions = {}): Promise<string> {
  const result = await attempt(command, options);
  if (result.code !== 0) {
    const said = (result.stderr || result.stdout).trim().split('\n').slice(-8).join('\n  ');
    throw new Error(`\`${command.join(' ').slice(0, 300)}\` ended with ${result.code}\n  ${said}`);
  }
  return result.stdout;
}
