// Tells when a task's spool folder changes: new output, or the record of its end. The kernel tells (inotify); a slow look now and
// then by the caller covers what a full event queue lost.
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { type Evidence, parseRecord } from './launcher-protocol.ts';

/** A watched folder. */
export interface SpoolWatch {
  close(): void;
}

/** Watches a task's folder. `onOutput` comes at each change, `onEnd` when the record of the end has appeared. */
export function watchSpool(
  folder: string,
  on: { readonly output: () => void; readonly end: () => void; readonly failed: (error: unknown) => void },
): SpoolWatch {
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(folder, { persistent: false }, (_event, name) => {
      if (name === 'rc') on.end();
      else on.output();
    });
    watcher.on('error', on.failed);
  } catch (error) {
    on.failed(error); // the slow look still finds everything
  }
  return { close: () => watcher?.close() };
}

/** The record of the end, when there is one. */
export function readRecord(folder: string): Evidence | undefined {
  try {
    return parseRecord(readFileSync(join(folder, 'rc'), 'utf8'));
  } catch {
    return undefined;
  }
}
