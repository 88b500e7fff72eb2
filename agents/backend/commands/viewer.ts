// One reader of a task's output. Live pieces are passed on as they come; whoever falls behind reads the store at their own
// pace, so that a slow reader costs the backend one position, not memory.
import type { http, StreamName } from '../../protocol/index.ts';
import type { TaskRecord } from '../storage/records.ts';
import type { Store } from '../storage/store.ts';
import type { Piece } from './assembly.ts';
import type { Engine } from './engine.ts';

/** Where a reader stands in both streams. */
export type Position = Record<StreamName, number>;

/** Where a viewer writes. */
export interface Sink {
  /** True while the peer has not taken what was written: nothing more should be. */
  readonly blocked: boolean;
  output(taskId: string, output: { stream: StreamName; piece: Piece; position: Readonly<Position> }): void;
  gap(taskId: string, gap: { stream: StreamName; from: number; to: number; reason: string }): void;
  state(taskId: string, state: http.TaskState): void;
  /** Resolves once it is not blocked; rejects when the peer is gone. */
  drained(): Promise<void>;
}

/** What to view. */
export interface ViewOptions {
  readonly taskId: string;
  readonly from: Readonly<Position>;
  /** False: only what is stored now. */
  readonly follow: boolean;
  /** Aborted when the reader is gone or the backend drains. */
  readonly signal: AbortSignal;
}

/** Largest piece of one event: larger rows are cut, since a reader must hold an event whole. */
const EVENT_BYTES = 64 * 1024;
const STREAMS: readonly StreamName[] = ['out', 'err'];

/** Passes a task's output on until it has ended (then gives its final record) or, without `follow`, until what is stored was read. */
export async function viewTask(
  deps: { readonly engine: Engine; readonly store: Store },
  sink: Sink,
  options: ViewOptions,
): Promise<TaskRecord | undefined> {
  const { engine, store } = deps;
  const { taskId, signal } = options;
  const position: Position = { ...options.from };
  let ended: TaskRecord | undefined;
  let wake: () => void = () => {};
  let behind = !caughtUp();

  function caughtUp(): boolean {
    const live = engine.live(taskId);
    return live !== undefined && STREAMS.every((name) => position[name] === live.streams[name].assembly.next);
  }

  function pass(stream: StreamName, piece: Piece): void {
    position[stream] = piece.offset + piece.bytes.length;
    sink.output(taskId, { stream, piece, position });
  }

  const live = engine.live(taskId);
  const unwatch = live?.feed.watch({
    output(stream, piece) {
      if (!behind && !sink.blocked && piece.offset === position[stream]) pass(stream, piece);
      else behind = true;
    },
    stored() {
      behind ||= !caughtUp();
      wake();
    },
    state: (state) => sink.state(taskId, state),
    finished(task) {
      ended = task;
      wake();
    },
  });
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    if (live) sink.state(taskId, live.record.state);
    else ended = (await engine.task(taskId)).task;
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (sink.blocked) await sink.drained();
      if (ended && position.out >= ended.outStored && position.err >= ended.errStored) return ended;
      if ((behind || ended || !options.follow) && (await readStored())) continue;
      if (ended) {
        tellPurged(ended);
        return ended;
      }
      if (!options.follow) return undefined;
      if (behind && caughtUp()) behind = false;
      await woken;
    }
    return undefined;
  } finally {
    unwatch?.();
    signal.removeEventListener('abort', onAbort);
  }

  // Retention took the rest while it was being read: said as what it is, not passed off as the end.
  function tellPurged(task: TaskRecord): void {
    for (const [stream, to] of [
      ['out', task.outStored],
      ['err', task.errStored],
    ] as const)
      if (position[stream] < to) sink.gap(taskId, { stream, from: position[stream], to, reason: 'purged' });
  }

  // A whole row, even if the peer blocks in between: what is held for it is one row, and no row is read twice.
  function passRow(stream: StreamName, row: Piece): void {
    for (let at = 0; at < row.bytes.length; at += EVENT_BYTES)
      pass(stream, { offset: row.offset + at, bytes: row.bytes.subarray(at, at + EVENT_BYTES) });
  }

  // Passes on one row per stream; false when the store has nothing more from here on.
  async function readStored(): Promise<boolean> {
    let progressed = false;
    for (const stream of STREAMS) {
      const found = await store.output(taskId, stream, position[stream]);
      if (!found) continue;
      progressed = true;
      if (found.kind === 'gap') {
        position[stream] = found.gap.to;
        sink.gap(taskId, found.gap);
      } else passRow(stream, found);
    }
    return progressed;
  }
}
