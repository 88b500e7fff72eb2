// How long finished tasks are kept. A backend runs for months: what nobody asks for any more must not fill its disk.
import { type Clock, type Logger, ViworksError } from '../../runtime/index.ts';
import { MESSAGES } from '../messages.ts';
import type { Metrics } from '../metrics.ts';
import type { Store } from '../storage/store.ts';
import { firstId } from './ids.ts';

/** What is kept. Zero: without limit. */
export interface Retention {
  readonly days: number;
  readonly maxBytes: number;
}

/** What the loop needs. */
export interface RetentionDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly retention: Retention;
  /** False while the store cannot be written: the guard watches it. */
  available(): boolean;
}

/** A stream of 100 MB/s fills a gigabyte in this time, which is what a disk should have to spare. */
const LOOK_MS = 10_000;
/** Between two pieces everybody else has the loop. */
const BREATH_MS = 20;
const DAY_MS = 86_400_000;

/** Purges until its signal is aborted. */
export async function runRetentionLoop(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (deps.available()) await sweep(deps, signal);
    await deps.clock.sleep(LOOK_MS, signal);
  }
}

// Removes what is over the limits now.
async function sweep(deps: RetentionDeps, signal: AbortSignal): Promise<void> {
  const { store, clock, logger, metrics } = deps;
  const { days, maxBytes } = deps.retention;
  const finishedBefore = days === 0 ? 0 : clock.now() - days * DAY_MS;
  const limits = {
    finishedBefore,
    idBefore: firstId(finishedBefore),
    maxBytes: maxBytes === 0 ? Number.POSITIVE_INFINITY : maxBytes,
  };
  let tasks = 0;
  try {
    for (let more = true; more; ) {
      const purged = await store.purge(limits);
      tasks += purged.tasks;
      more = purged.more;
      if (more) await clock.sleep(BREATH_MS, signal);
    }
  } catch (error) {
    // Not written: the store's guard has been told, and the next look tries again.
    if (!(error instanceof ViworksError) || error.code !== 'VW_BACKEND_STORAGE_UNAVAILABLE') throw error;
  }
  if (tasks > 0) {
    metrics.tasksPurged.inc(tasks);
    logger.info(MESSAGES.tasksPurged, { tasks, days, storeBytes: store.usedBytes() });
  }
}
