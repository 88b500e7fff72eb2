// Which task's output goes next: round robin over the tasks of a link, within each task's credit, small pieces gathered for 10 ms.
import { limits, OUTPUT_HEADER_BYTES, type StreamName, writeOutputHeader } from '../../protocol/index.ts';
import type { Clock } from '../../runtime/index.ts';
import type { SpoolStream } from './spool.ts';

/** How long small output is gathered when some was sent a moment ago; output after a pause goes at once. */
const GATHER_MS = 10;

/** One task's output as the link sees it. */
export interface Flow {
  readonly out: SpoolStream;
  readonly err: SpoolStream;
  /** Number in binary frames of this link; 0 while it has none. */
  taskRef: number;
  /** The sum of both streams' offsets may not pass it. */
  credit: number;
  /** Whether there may be something to read. */
  dirty: boolean;
  /** The task has ended: gathering would only delay. */
  ended: boolean;
  lastSentAt: number;
}

/** A flow in which nothing was sent yet. */
export function createFlow(out: SpoolStream, err: SpoolStream): Flow {
  return { out, err, taskRef: 0, credit: 0, dirty: true, ended: false, lastSentAt: -GATHER_MS };
}

/** The outgoing output of one gateway. */
export interface Outflow {
  add(flow: Flow): void;
  remove(flow: Flow): void;
  /** The next binary frame, or undefined. */
  next(): Uint8Array | undefined;
  /** A new link: frames are counted anew and no flow has a number. */
  reset(): void;
  /** Bytes sent so far, for metrics. */
  readonly sentBytes: number;
}

/** What an outflow calls. */
export interface OutflowEvents {
  /** Gathered output has become due. */
  wake(): void;
  /** Bytes of a stream are lost for good; said before the bytes behind them are sent. */
  gap(flow: Flow, stream: StreamName, range: { readonly from: number; readonly to: number }): void;
}

/** Creates the outflow. */
export function createOutflow(clock: Clock, events: OutflowEvents): Outflow {
  const flows: Flow[] = [];
  let turn = 0;
  let sequence = 0;
  let sentBytes = 0;
  let armed = false;

  const later = (ms: number): void => {
    if (armed) return;
    armed = true;
    clock.after(ms, () => {
      armed = false;
      events.wake();
    });
  };

  function read(flow: Flow): Uint8Array | undefined {
    if (!flow.dirty || flow.taskRef === 0) return undefined;
    for (const stream of ['out', 'err'] as const) {
      const gap = flow[stream].takeGap();
      if (gap) events.gap(flow, stream, gap);
    }
    const room = flow.credit - flow.out.next - flow.err.next;
    if (room <= 0) return undefined; // stays dirty: the next ack brings credit
    const now = clock.monotonicMs();
    const available = flow.out.produced - flow.out.next + (flow.err.produced - flow.err.next);
    if (available <= 0) {
      flow.dirty = false;
      return undefined;
    }
    const wait = flow.lastSentAt + GATHER_MS - now;
    if (!flow.ended && wait > 0 && available < limits.MAX_OUTPUT_BYTES) {
      later(wait);
      return undefined;
    }
    for (const stream of ['out', 'err'] as const) {
      const frame = chunk(flow, stream, Math.min(limits.MAX_OUTPUT_BYTES, room));
      if (!frame) continue;
      // The rest of a burst belongs to it and goes at once; only then does gathering begin.
      if (flow.out.next >= flow.out.produced && flow.err.next >= flow.err.produced) flow.lastSentAt = now;
      return frame;
    }
    return undefined;
  }

  function chunk(flow: Flow, stream: StreamName, most: number): Uint8Array | undefined {
    const source = flow[stream];
    const wanted = Math.min(most, source.produced - source.next);
    if (wanted <= 0) return undefined;
    const frame = Buffer.allocUnsafe(OUTPUT_HEADER_BYTES + wanted);
    const length = source.read(frame, OUTPUT_HEADER_BYTES, wanted);
    if (length === 0) return undefined;
    const offset = source.next - length;
    writeOutputHeader(frame, { taskRef: flow.taskRef, stream, offset, sequence: sequence++, length });
    sentBytes += length;
    return frame.subarray(0, OUTPUT_HEADER_BYTES + length);
  }

  return {
    add: (flow) => void flows.push(flow),
    remove(flow) {
      const at = flows.indexOf(flow);
      if (at >= 0) flows.splice(at, 1);
    },
    next() {
      for (let tried = 0; tried < flows.length; tried++) {
        turn = (turn + 1) % flows.length;
        const flow = flows[turn];
        const frame = flow && read(flow);
        if (frame) return frame;
      }
      return undefined;
    },
    reset() {
      sequence = 0;
      for (const flow of flows) flow.taskRef = 0;
    },
    get sentBytes() {
      return sentBytes;
    },
  };
}
