// Files that are replaced whole or not at all, whether one is there, and why one could not be read: once for every room.
import { randomBytes } from 'node:crypto';
import { access, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { describe, errnoOf } from './errors.ts';

/** Writes a file aside, with its mode from the first byte on, makes it durable and renames it into place. Makes the directory where there is none. */
export async function replaceFile(
  file: string,
  content: string | Uint8Array,
  { mode, owner }: { readonly mode: number; readonly owner?: { readonly uid: number; readonly gid: number } },
): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const aside = `${file}.${randomBytes(4).toString('hex')}.viworks-new`;
  try {
    const handle = await open(aside, 'wx', mode);
    try {
      if (owner) await handle.chown(owner.uid, owner.gid);
      await handle.writeFile(content);
      // Whatever the umask is.
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } finally {
    await rm(aside, { force: true });
  }
  await syncDirectory(dirname(file));
}

/** Makes a rename in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether something is there. What may not be looked at counts as there: whoever opens it is told why that failed. */
export function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    (error: unknown) => !['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? ''),
  );
}

const READING: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EISDIR: 'it is a directory',
  EACCES: 'this user may not read it',
};

/** Why a file could not be read, in words. */
export function whyUnread(error: unknown): string {
  return READING[errnoOf(error) ?? ''] ?? systemText(error);
}

/** What the system said, by its name and in words: `EACCES: permission denied`; for another error its own text. */
export function systemText(error: unknown): string {
  const errno = errnoOf(error);
  return errno === undefined ? describe(error) : errnoText(errno);
}

/** The same of a name alone, as another program gave it. */
export function errnoText(errno: string): string {
  const words = [...getSystemErrorMap().values()].find(([name]) => name === errno)?.[1];
  return words === undefined ? errno : `${errno}: ${words}`;
}
