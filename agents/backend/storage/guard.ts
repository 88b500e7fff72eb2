// What happens around a store that cannot be written: everybody is told once, nothing new is taken, and it heals by itself.
import type { Clock, Logger, ViworksError } from '../../runtime/index.ts';
import type { Health } from '../health.ts';
import { MESSAGES } from '../messages.ts';
import type { Metrics } from '../metrics.ts';
import type { Store } from './store.ts';

/** Whether the store takes writes. */
export interface StoreGuard {
  readonly available: boolean;
  /** The store's `onFailure`. */
  failed(error: ViworksError): void;
  /** Tries again once a second while it is down. */
  run(signal: AbortSignal): Promise<void>;
}

/** What the guard does to the rest. */
export interface StoreGuardDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: Health;
  readonly metrics: Metrics;
  store(): Store;
  /** Called once when it went down: sessions could promise nothing any more. */
  onDown(): void;
  /** Called once when it is back: what is in memory may be ahead of what is stored. */
  onUp(): Promise<void>;
}

const RETRY_MS = 1_000;

/** Creates a guard of a store that is available. */
export function createStoreGuard(deps: StoreGuardDeps): StoreGuard {
  let available = true;
  return {
    get available() {
      return available;
    },
    failed(error) {
      deps.metrics.storeFailures.inc();
      if (!available) return;
      available = false;
      deps.health.set('store', 'down', error.message);
      deps.logger.failure(MESSAGES.storeDown, error);
      deps.onDown();
    },
    async run(signal) {
      while (!signal.aborted) {
        await deps.clock.sleep(RETRY_MS, signal);
        if (available || !(await deps.store().probe())) continue;
        await deps.onUp();
        available = true;
        deps.health.set('store', 'up');
        deps.logger.info(MESSAGES.storeUp);
      }
    },
  };
}
