// One output stream of one task, put together from pieces that may come twice, overlap or come early. Pure.
// INVARIANTS: what `append` gives out is contiguous and never repeated; at most `EARLY_BYTES` are held back.
import { limits } from '../../protocol/index.ts';

/** Pieces ahead of a hole may not exceed what the gateway has credit for. */
const EARLY_BYTES = limits.TASK_CREDIT_BYTES;

/** A piece of a stream at its absolute offset. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What became of a piece: bytes that continue the stream (perhaps none), or `overflow` when it is too far ahead. */
export type Appended = readonly Piece[] | 'overflow';

/** One stream. `next` is the offset up to which nothing is missing. */
export interface Assembly {
  readonly next: number;
  add(piece: Piece): Appended;
  /** Everything up to `to` is given up. Gives the part that was really missing, and what continues the stream behind it. */
  skip(to: number): { missing: { from: number; to: number } | undefined; appended: readonly Piece[] };
}

const NOTHING: readonly Piece[] = [];

/** A stream of which everything before `next` is stored. */
export function createAssembly(start: number): Assembly {
  let next = start;
  let early: Piece[] = [];
  let earlyBytes = 0;

  // The part of a piece that is new and continues the stream; undefined when there is none.
  function take(piece: Piece): Piece | undefined {
    const known = next - piece.offset;
    if (known < 0 || known >= piece.bytes.length) return undefined;
    const fresh = known === 0 ? piece : { offset: next, bytes: piece.bytes.subarray(known) };
    next += fresh.bytes.length;
    return fresh;
  }

  function takeEarly(): Piece[] {
    const taken: Piece[] = [];
    early.sort((a, b) => a.offset - b.offset);
    const left: Piece[] = [];
    for (const piece of early) {
      if (piece.offset > next) {
        left.push(piece);
        continue;
      }
      earlyBytes -= piece.bytes.length;
      const fresh = take(piece);
      if (fresh) taken.push(fresh);
    }
    early = left;
    return taken;
  }

  return {
    get next() {
      return next;
    },
    add(piece) {
      if (piece.offset > next) {
        if (earlyBytes + piece.bytes.length > EARLY_BYTES) return 'overflow';
        // A copy: the piece is a view into a socket buffer that would be held with it.
        early.push({ offset: piece.offset, bytes: Uint8Array.from(piece.bytes) });
        earlyBytes += piece.bytes.length;
        return NOTHING;
      }
      const fresh = take(piece);
      if (!fresh) return NOTHING;
      return early.length === 0 ? [fresh] : [fresh, ...takeEarly()];
    },
    skip(to) {
      if (to <= next) return { missing: undefined, appended: NOTHING };
      const missing = { from: next, to };
      next = to;
      return { missing, appended: takeEarly() };
    },
  };
}
