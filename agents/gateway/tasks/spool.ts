// One output stream of one task in the spool: how much exists, what is sent next, and the hash of everything. Reads are
// synchronous on purpose: the bytes were written a moment ago and come from memory faster than a thread can be asked for them.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

const YIELD_BYTES = 4 * 1024 * 1024; // hashed between two looks at everything else: about 5 ms
const HASH_SLICE = 256 * 1024; // read at a time when only the hash is wanted

/**
 * A stream of the spool.
 * INVARIANTS: offsets are absolute in the stream and never go back for the hash; `hashed <= produced`; a byte enters the hash once,
 * in order; after a truncation by the task, offsets go on where reading had come to (`base` moves), so that nothing repeats.
 */
export class SpoolStream {
  readonly #path: string;
  #fd: number | undefined;
  #base = 0;
  #hash = createHash('sha256');
  #hashed = 0;
  #next = 0;
  /** Bytes that the task took away again by truncating its own output. */
  truncations = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes that exist so far. */
  get produced(): number {
    const size = this.#size();
    const seen = Math.max(this.#next, this.#hashed) - this.#base;
    if (size < seen) {
      this.#base += seen;
      this.truncations += 1;
    }
    return this.#base + size;
  }

  /** Offset of the next byte to send. */
  get next(): number {
    return this.#next;
  }

  /** Sends from here on: the backend said what it has. */
  resumeAt(offset: number): void {
    // Never beyond what there is: a spool that lost its end to a power cut has nothing to add to what the backend stored.
    this.#next = Math.min(offset, this.produced);
  }

  /** Bytes that were to be sent next and are gone for good; asking skips them. */
  takeGap(): { readonly from: number; readonly to: number } | undefined {
    if (this.produced < this.#next || this.#next >= this.#base) return undefined;
    const gap = { from: this.#next, to: this.#base };
    this.#next = this.#base;
    return gap;
  }

  /** Reads what is to be sent next into `target` (at most `length` bytes at `at`); gives the number of bytes, 0 when there is nothing new. */
  read(target: Uint8Array, at: number, length: number): number {
    if (this.#next < this.#base) return 0;
    const wanted = Math.min(length, this.produced - this.#next);
    if (wanted <= 0) return 0;
    const fd = this.#open();
    if (fd === undefined) return 0;
    const got = readSome(fd, target, { at, length: wanted, from: this.#next - this.#base });
    // The hash is fed on the way, so that an ordinary task's bytes are read once.
    if (this.#next <= this.#hashed && this.#next + got > this.#hashed) {
      const from = this.#hashed - this.#next;
      this.#hash.update(target.subarray(at + from, at + got));
      this.#hashed += got - from;
    }
    this.#next += got;
    return got;
  }

  /** Total and hash once nobody writes any more. May be asked again. */
  async finish(signal: AbortSignal): Promise<{ bytes: number; sha256: string }> {
    const total = this.produced;
    const fd = this.#open();
    const slice = Buffer.allocUnsafe(Math.min(HASH_SLICE, Math.max(1, total - this.#hashed)));
    while (fd !== undefined && this.#hashed < total) {
      const length = Math.min(slice.length, total - this.#hashed);
      const got = readSome(fd, slice, { at: 0, length, from: this.#hashed - this.#base });
      if (got === 0) break;
      this.#hash.update(slice.subarray(0, got));
      this.#hashed += got;
      if (this.#hashed % YIELD_BYTES < got) await setImmediate(undefined, { signal });
    }
    return { bytes: this.#hashed, sha256: this.#hash.copy().digest('hex') };
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #size(): number {
    const fd = this.#open();
    return fd === undefined ? 0 : fstatSync(fd).size;
  }

  #open(): number | undefined {
    try {
      this.#fd ??= openSync(this.#path, 'r');
    } catch {
      return undefined; // not there (yet, or any more): an empty stream
    }
    return this.#fd;
  }
}

// A disk that gives nothing back (EIO) loses output, and nothing else: the end of the task and its exit code must still be told.
function readSome(fd: number, target: Uint8Array, of: { at: number; length: number; from: number }): number {
  try {
    return readSync(fd, target, of.at, of.length, of.from);
  } catch {
    return 0;
  }
}
