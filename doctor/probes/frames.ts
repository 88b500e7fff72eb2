// Cuts the output of a bundle into its sections while it arrives, so that what came before a hang is not lost. Pure.

/** The output of one section as it came from the host. */
export interface SectionOutput {
  readonly id: string;
  readonly rc: number;
  readonly text: string;
  /** The host cut it at the section's cap, or its length does not match what was announced. */
  readonly truncated: boolean;
}

/** Seconds since the epoch as `date` prints them, `1795191577.123456789`, as ms; busybox leaves the fraction out, nobody there is `-`. */
export function epochMs(text: string | undefined): number | null {
  const seconds = Number.parseFloat(text ?? '');
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : null;
}

/** Takes chunks, gives the sections that are complete by now. */
export interface FrameReader {
  push(chunk: Uint8Array): readonly SectionOutput[];
  /** Whether the end mark was seen: every section ran. */
  readonly done: boolean;
  /** What stood outside of any frame (a banner, an error of the shell), at most 2 kB. */
  readonly noise: string;
  /** The host says more than any round has to say: nothing more is taken, and whoever listens hangs up. */
  readonly flooded: boolean;
}

/** A banner and the words of a login script are a few kB; what goes on beyond this does not end, in bytes. */
const NOISE_BYTES = 256 * 1024;
/** No section is allowed more than this on the host, in bytes. */
const SECTION_BYTES = 1024 * 1024;
/** All sections of a round together stay far below this, in bytes. */
const ROUND_BYTES = 8 * 1024 * 1024;

interface Open {
  readonly id: string;
  readonly rc: number;
  readonly length: number;
  readonly capped: boolean;
}

/** A reader for the frames of one nonce. */
export function createFrameReader(nonce: string): FrameReader {
  const mark = Buffer.from(`\n@${nonce} `);
  let buffer: Buffer = Buffer.alloc(0);
  let open: Open | undefined;
  let done = false;
  let noise = '';
  let unframed = 0;
  let total = 0;
  let flooded = false;

  function close(end: number): SectionOutput | undefined {
    const bytes = buffer.subarray(0, end);
    if (!open) {
      unframed += bytes.length;
      if (noise.length < 2000) noise = (noise + bytes.toString('utf8', 0, 8000)).trimStart().slice(0, 2000);
      return undefined;
    }
    const truncated = open.capped || bytes.length !== open.length;
    return { id: open.id, rc: open.rc, text: bytes.toString('utf8'), truncated };
  }

  /** A section is whole as soon as its announced bytes are there: the next one may take long. */
  function closeEarly(): SectionOutput | undefined {
    if (!open || open.capped || open.id === 'end' || buffer.length < open.length) return undefined;
    const { id, rc, length } = open;
    const text = buffer.toString('utf8', 0, length);
    buffer = buffer.subarray(length);
    open = undefined;
    return { id, rc, text, truncated: false };
  }

  /** What came outside of a frame is not kept, except for what may be the first half of a mark. */
  function settle(): void {
    if (!open && !done && buffer.length > 8 * 1024) {
      close(buffer.length - mark.length);
      buffer = buffer.subarray(buffer.length - mark.length);
    }
    flooded = total > ROUND_BYTES || unframed > NOISE_BYTES || (open !== undefined && open.length > SECTION_BYTES);
    flooded ||= open !== undefined && buffer.length > SECTION_BYTES;
    if (flooded) buffer = Buffer.alloc(0);
  }

  return {
    push(chunk) {
      if (flooded || done) return [];
      total += chunk.length;
      buffer = Buffer.concat([buffer, chunk]);
      const out: SectionOutput[] = [];
      for (let at = buffer.indexOf(mark); at >= 0 && !done; at = buffer.indexOf(mark)) {
        const lineEnd = buffer.indexOf(10, at + mark.length);
        if (lineEnd < 0) break;
        const finished = close(at);
        if (finished) out.push(finished);
        const [id = '', rc = '0', size = '0'] = buffer.toString('utf8', at + mark.length, lineEnd).split(' ');
        open = { id, rc: Number(rc), length: Number.parseInt(size, 10), capped: size.endsWith('+') };
        done = id === 'end';
        buffer = buffer.subarray(lineEnd + 1);
        const early = closeEarly();
        if (early) out.push(early);
      }
      const early = closeEarly();
      if (early) out.push(early);
      settle();
      return out;
    },
    get flooded() {
      return flooded;
    },
    get done() {
      return done;
    },
    get noise() {
      // Without any frame everything that came is noise.
      return open || done ? noise : (noise + buffer.toString('utf8')).trimStart().slice(0, 2000);
    },
  };
}
