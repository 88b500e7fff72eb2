// A configuration file's text: read as UTF-8 or refused with its place, and every reason why it cannot be read with its remedy.
import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { errnoOf, runtimeErrors } from './errors.ts';
import { whyUnread } from './files.ts';

/** Reads it. Throws VW_RUNTIME_CONFIG_UNREADABLE, or VW_RUNTIME_CONFIG for bytes that are no UTF-8. */
export async function readConfigText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
  if (isUtf8(bytes) && !bytes.includes(0)) return bytes.toString('utf8');
  const { line, column, message, remedy } = badBytes(bytes);
  const problems = `${file}:${line}:${column}  ${message}\n  remedy: ${remedy}`;
  throw runtimeErrors.create('VW_RUNTIME_CONFIG', { problems, count: 1, remedied: true });
}

const REMEDIES: Readonly<Record<string, (file: string) => string>> = {
  ENOENT: () => 'is the path right, and is this the host that it is for?',
  ENOTDIR: () => 'is the path right?',
  EISDIR: (file) => `name a file in it: ls ${file}`,
  EACCES: (file) => `use sudo, or change its mode: ls -l ${file}`,
};

/** Why a file cannot be read, in words, with what to do. */
export function unreadable(file: string, error: unknown): Error {
  const remedy = REMEDIES[errnoOf(error) ?? '']?.(file) ?? `look at it: ls -l ${file}`;
  return runtimeErrors.create('VW_RUNTIME_CONFIG_UNREADABLE', { file, reason: whyUnread(error), remedy }, error);
}

/** The first byte that no UTF-8 text has. Pure. */
export function badBytes(bytes: Buffer): { line: number; column: number; message: string; remedy: string } {
  const sixteen = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (sixteen) {
    const remedy = 'save it as UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW';
    return { line: 1, column: 1, message: 'this is UTF-16, and the file has to be UTF-8', remedy };
  }
  const zero = bytes.indexOf(0);
  const at = zero === -1 ? firstInvalid(bytes) : zero;
  const before = bytes.subarray(0, at).toString('utf8');
  const line = before.split('\n').length;
  const column = before.length - (before.lastIndexOf('\n') + 1) + 1;
  const byte = (bytes[at] ?? 0).toString(16).padStart(2, '0');
  const message = `not valid UTF-8 (byte 0x${byte})`;
  return { line, column, message, remedy: 'save it as UTF-8, e.g. from Latin-1: iconv -f LATIN1 -t UTF-8 OLD > NEW' };
}

// Up to the first replacement character that the bytes do not spell themselves, everything is good.
function firstInvalid(bytes: Buffer): number {
  const text = bytes.toString('utf8');
  for (let from = 0; ; ) {
    const index = text.indexOf('\uFFFD', from);
    if (index === -1) return 0;
    const at = Buffer.byteLength(text.slice(0, index));
    if (bytes[at] !== 0xef || bytes[at + 1] !== 0xbf || bytes[at + 2] !== 0xbd) return at;
    from = index + 1;
  }
}
