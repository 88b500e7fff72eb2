// A value that must never be printed: it shows as [redacted] wherever it is stringified, inspected or logged.
import { readFile, stat } from 'node:fs/promises';
import { inspect } from 'node:util';
import { runtimeErrors } from './errors.ts';
import { whyUnread } from './files.ts';

/** Wraps a secret; only `reveal` gives the value. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [inspect.custom](): string {
    return '[redacted]';
  }
}

/**
 * Reads a secret from a file (at most 64 KiB, trailing newline dropped). Throws VW_RUNTIME_SECRET_UNREADABLE.
 * `name` is what the secret is for; it appears in the error.
 */
export async function readSecretFile(name: string, file: string): Promise<Secret> {
  try {
    const info = await stat(file);
    if (info.size > 65_536) throw new Error('the file is larger than 64 KiB');
    const text = (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
    if (text === '') throw new Error('the file is empty');
    return new Secret(text);
  } catch (error) {
    throw runtimeErrors.create('VW_RUNTIME_SECRET_UNREADABLE', { name, file, reason: whyUnread(error) }, error);
  }
}
