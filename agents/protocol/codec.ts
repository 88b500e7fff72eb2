// Bytes ↔ frames. Bad input is ordinary: decoding gives a tagged failure and never throws.
import { FRAME_TYPES, type Frame, type FrameType, frame } from './envelope.ts';
import { MAX_OUTPUT_BYTES } from './limits.ts';
import type { StreamName } from './parts.ts';

/** Why a text frame could not be read. `unknown_type` from a newer peer is counted and skipped; the rest closes the link. */
export type DecodeFailure =
  | { readonly kind: 'not_json' }
  | { readonly kind: 'unknown_type'; readonly type: string }
  | { readonly kind: 'malformed'; readonly type: FrameType; readonly path: string; readonly message: string };

/** A frame, or why there is none. */
export type Decoded =
  | { readonly ok: true; readonly frame: Frame }
  | { readonly ok: false; readonly error: DecodeFailure };

const known: ReadonlySet<string> = new Set(FRAME_TYPES);

/** Text of a frame for the wire. */
export function encodeFrame(value: Frame): string {
  return JSON.stringify(value);
}

/** Reads one text frame. */
export function decodeFrame(input: string): Decoded {
  let raw: unknown;
  try {
    raw = JSON.parse(input);
  } catch {
    return { ok: false, error: { kind: 'not_json' } };
  }
  const type = typeof raw === 'object' && raw !== null && 'type' in raw ? raw.type : undefined;
  if (typeof type !== 'string' || !known.has(type)) {
    return { ok: false, error: { kind: 'unknown_type', type: typeof type === 'string' ? type.slice(0, 64) : '' } };
  }
  const parsed = frame.safeParse(raw);
  if (parsed.success) return { ok: true, frame: parsed.data };
  const issue = parsed.error.issues[0];
  const path = issue?.path.map(String).join('.') ?? '';
  return {
    ok: false,
    error: { kind: 'malformed', type: type as FrameType, path, message: issue?.message ?? 'not valid' },
  };
}

/** One chunk of output. `offset` is absolute in the task's stream; `sequence` counts the binary frames of this link. */
export interface OutputChunk {
  readonly taskRef: number;
  readonly stream: StreamName;
  readonly offset: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** Length of the header: type u8, stream u8, flags u16, taskRef u32, offset u64, sequence u32, length u32; big endian. */
export const OUTPUT_HEADER_BYTES = 24;

const OUTPUT_TYPE = 1;
const STREAMS: readonly StreamName[] = ['out', 'err'];

/** Writes a header into `target` at `at`, so that a sender can keep header and bytes in one buffer without a copy. */
export function writeOutputHeader(
  target: Uint8Array,
  chunk: Omit<OutputChunk, 'bytes'> & { length: number },
  at = 0,
): void {
  const view = new DataView(target.buffer, target.byteOffset + at, OUTPUT_HEADER_BYTES);
  view.setUint8(0, OUTPUT_TYPE);
  view.setUint8(1, chunk.stream === 'out' ? 0 : 1);
  view.setUint16(2, 0);
  view.setUint32(4, chunk.taskRef);
  view.setBigUint64(8, BigInt(chunk.offset));
  view.setUint32(16, chunk.sequence);
  view.setUint32(20, chunk.length);
}

/** A whole binary frame. */
export function encodeOutput(chunk: OutputChunk): Uint8Array {
  const buffer = new Uint8Array(OUTPUT_HEADER_BYTES + chunk.bytes.length);
  writeOutputHeader(buffer, { ...chunk, length: chunk.bytes.length });
  buffer.set(chunk.bytes, OUTPUT_HEADER_BYTES);
  return buffer;
}

/** Reads a binary frame; `bytes` is a view, not a copy. Undefined when it is not a well-formed output frame. */
export function decodeOutput(input: Uint8Array): OutputChunk | undefined {
  if (input.length < OUTPUT_HEADER_BYTES) return undefined;
  const view = new DataView(input.buffer, input.byteOffset, OUTPUT_HEADER_BYTES);
  const stream = STREAMS[view.getUint8(1)];
  const length = view.getUint32(20);
  const offset = view.getBigUint64(8);
  if (view.getUint8(0) !== OUTPUT_TYPE || stream === undefined || length > MAX_OUTPUT_BYTES) return undefined;
  if (input.length !== OUTPUT_HEADER_BYTES + length || offset > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return {
    taskRef: view.getUint32(4),
    stream,
    offset: Number(offset),
    sequence: view.getUint32(16),
    bytes: input.subarray(OUTPUT_HEADER_BYTES),
  };
}
