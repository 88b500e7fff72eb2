// One honest answer to "is it well?": named parts with a state and since when, the same on both ports.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { http } from '../protocol/index.ts';
import { BUILD, type Clock } from '../runtime/index.ts';

type PartState = 'up' | 'starting' | 'down';

/** Parts that must be up for the backend to be healthy. `serving` goes down when it drains. */
export const PARTS = ['serving', 'api-listener', 'agents-listener', 'store', 'engine'] as const;
export type PartName = (typeof PARTS)[number];

/** The parts and the figures beside them. */
export interface Health {
  set(part: PartName, state: PartState, message?: string): void;
  state(part: PartName): PartState;
  parts(): Readonly<Record<string, http.HealthBody['parts'][string]>>;
  report(): { readonly status: 200 | 503; readonly body: http.HealthBody };
  loopLagMs(): number;
  stop(): void;
}

/** Where the figures come from. */
export interface HealthDeps {
  readonly clock: Clock;
  readonly releaseId: string;
  figures(): { readonly runningTasks: number; readonly sessions: number; readonly lastHeartbeat: number | undefined };
}

/** How often lag is sampled: each sample wakes the process. */
const LAG_RESOLUTION_MS = 100;

/** Creates the board; every part is `starting`. */
export function createHealth(deps: HealthDeps): Health {
  const { clock } = deps;
  const startedAt = clock.monotonicMs();
  const parts = new Map<PartName, http.HealthBody['parts'][string]>(
    PARTS.map((part) => [part, { state: 'starting', since: clock.now() }]),
  );
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  // The histogram holds whole intervals between two wake-ups; what exceeds the interval is lag.
  const loopLagMs = (): number => Math.max(0, Math.round(lag.percentile(99) / 1e4 - LAG_RESOLUTION_MS * 100) / 100);

  return {
    set(part, state, message) {
      const before = parts.get(part);
      const since = before?.state === state ? before.since : clock.now();
      parts.set(part, { state, since, ...(message === undefined ? {} : { message }) });
    },
    state: (part) => parts.get(part)?.state ?? 'starting',
    parts: () => Object.fromEntries(parts),
    loopLagMs,
    stop: () => lag.disable(),
    report() {
      const healthy = [...parts.values()].every(({ state }) => state === 'up');
      const { runningTasks, sessions, lastHeartbeat } = deps.figures();
      return {
        status: healthy ? 200 : 503,
        body: {
          status: healthy ? 'healthy' : 'unhealthy',
          timestamp: new Date(clock.now()).toISOString(),
          version: BUILD.version,
          revision: BUILD.revision,
          releaseId: deps.releaseId,
          uptimeSeconds: Math.floor((clock.monotonicMs() - startedAt) / 1000),
          parts: Object.fromEntries(parts),
          runningTasks,
          sessions,
          ...(lastHeartbeat === undefined ? {} : { lastHeartbeat }),
          resources: { rssBytes: process.memoryUsage.rss(), loopLagMs: loopLagMs() },
        },
      };
    },
  };
}
