// Who watches a task live. Publishing never waits: a viewer that cannot take a piece falls back to reading the store.
import type { http, StreamName } from '../../protocol/index.ts';
import type { TaskRecord } from '../storage/records.ts';
import type { Piece } from './assembly.ts';

/** Somebody who watches one task. */
export interface Watcher {
  /** Bytes as they come in; not necessarily committed yet. */
  output(stream: StreamName, piece: Piece): void;
  /** Something new can be read from the store: committed output, or a gap. */
  stored(): void;
  state(state: http.TaskState): void;
  /** The task is finished and committed. */
  finished(task: TaskRecord): void;
}

/** The watchers of one task. */
export interface Feed extends Watcher {
  readonly size: number;
  /** Gives a function that ends the watching. */
  watch(watcher: Watcher): () => void;
}

/** A feed that nobody watches yet. */
export function createFeed(): Feed {
  const watchers = new Set<Watcher>();
  return {
    get size() {
      return watchers.size;
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    output(stream, piece) {
      for (const watcher of watchers) watcher.output(stream, piece);
    },
    stored() {
      for (const watcher of watchers) watcher.stored();
    },
    state(state) {
      for (const watcher of watchers) watcher.state(state);
    },
    finished(task) {
      for (const watcher of watchers) watcher.finished(task);
    },
  };
}
