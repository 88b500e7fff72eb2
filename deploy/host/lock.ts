// One deploy at a time: a kernel flock on a file in /run, held by this process and gone with it, plus who holds it in words.
import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { deployErrors } from '../errors.ts';
import { LAYOUT } from '../plan/layout.ts';

let held: FileHandle | undefined;

/** Takes the lock or throws VW_DEPLOY_LOCKED naming its holder. Kept until the process ends. */
export async function takeLock(holder: string): Promise<void> {
  if (held) return;
  const handle = await open(LAYOUT.lock, 'a+', 0o644);
  // Node has no flock(2): flock(1) locks the open file that it inherits, and the lock stays with our descriptor.
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn('/usr/bin/flock', ['--exclusive', '--nonblock', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', handle.fd],
    });
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code !== 0) {
    const text = (await handle.readFile('utf8')).trim();
    await handle.close();
    throw deployErrors.create('VW_DEPLOY_LOCKED', { holder: text || 'unknown' });
  }
  await handle.truncate(0);
  await handle.write(`${holder}\n`);
  held = handle;
}

/** Whether this conversation holds it. */
export function holdsLock(): boolean {
  return held !== undefined;
}
