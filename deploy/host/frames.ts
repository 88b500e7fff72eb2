// How deployer and helper talk over one exec channel. To the helper: JSON lines, each with the raw bytes that it announces.
// From the helper: lines that begin with a word chosen by the deployer, so that the noise of a login shell is skipped.
import type { Readable } from 'node:stream';

/** A request. `bytes` raw bytes follow its line. */
export interface HostRequest {
  readonly id: number;
  readonly op: string;
  readonly args: unknown;
  readonly bytes: number;
}

/** What the helper says. */
export type HostMessage =
  | { readonly type: 'hello'; readonly helper: string; readonly uid: number }
  | { readonly type: 'bare'; readonly facts: Readonly<Record<string, string>> }
  | { readonly type: 'note'; readonly id: number; readonly step: string; readonly detail: string }
  | { readonly type: 'done'; readonly id: number; readonly value: unknown }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly code: string;
      readonly message: string;
      readonly detail: Readonly<Record<string, string | number | boolean | null>>;
    };

const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** Reads lines and counted byte runs from a stream, without ever reading past what was asked for. */
export class FrameReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#source = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** The next line without its end; undefined when the stream is over. */
  async line(): Promise<string | undefined> {
    const parts: Buffer[] = [];
    let length = 0;
    for (;;) {
      const end = this.#rest.indexOf(10);
      if (end >= 0) {
        parts.push(this.#rest.subarray(0, end));
        this.#rest = this.#rest.subarray(end + 1);
        return Buffer.concat(parts).toString('utf8');
      }
      parts.push(this.#rest);
      length += this.#rest.length;
      if (length > MAX_LINE_BYTES) throw new Error('a line is longer than 32 MiB');
      if (!(await this.#more())) return undefined;
    }
  }

  /** Exactly `count` bytes, in pieces. Throws when the stream ends before. */
  async *bytes(count: number): AsyncGenerator<Buffer> {
    let left = count;
    while (left > 0) {
      if (this.#rest.length === 0 && !(await this.#more()))
        throw new Error('the stream ended in the middle of an upload');
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    this.#rest = next.done ? Buffer.alloc(0) : next.value;
    return !next.done;
  }
}

/** One line from the helper. */
export function encodeMessage(word: string, message: HostMessage): string {
  return `${word} ${JSON.stringify(message)}\n`;
}

/** The message in a line, or undefined when the line is somebody else's. */
export function decodeMessage(word: string, line: string): HostMessage | undefined {
  if (!line.startsWith(`${word} `)) return undefined;
  try {
    return JSON.parse(line.slice(word.length + 1)) as HostMessage;
  } catch {
    return undefined;
  }
}
