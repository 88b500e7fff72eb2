// Running the host's own programs, and replacing files so that a crash leaves the old one or the new one.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, syncDirectory } from '../../agents/runtime/index.ts';

/** How a program ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with a deadline; a failure to start counts as code 127, a deadline as 124. */
export function run(argv: readonly [string, ...string[]], options: { ms?: number; input?: string } = {}): Promise<Ran> {
  const [program, ...rest] = argv;
  return new Promise((resolve) => {
    const child = execFile(
      program,
      rest,
      {
        timeout: options.ms ?? 30_000,
        killSignal: 'SIGKILL',
        maxBuffer: 8 * 1024 * 1024,
        // A helper of the host, not of an operator: no locale, no colours, no questions.
        env: {
          PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          LC_ALL: 'C.UTF-8',
          DEBIAN_FRONTEND: 'noninteractive',
        },
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : error.killed ? 124 : 127;
        resolve({ code, stdout, stderr: stderr || (code === 127 ? String(error) : '') });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Points a symbolic link somewhere else in one step. */
export async function replaceLink(file: string, target: string): Promise<void> {
  const aside = `${file}.viworks-new`;
  await mkdir(dirname(file), { recursive: true });
  await rm(aside, { force: true });
  await symlink(target, aside);
  await rename(aside, file);
  await syncDirectory(dirname(file));
}

/** Makes a directory with exactly this mode, whatever the umask is. */
export async function ensureDirectory(directory: string, mode: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, mode);
}

/** The target of a link, or undefined when there is no link. */
export async function linkTarget(file: string): Promise<string | undefined> {
  try {
    return await readlink(file);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}

/** SHA-256 in hex. */
export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
