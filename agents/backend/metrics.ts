// What the backend counts. One registry per process, made by the composition root; the names are promised to dashboards.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Buckets from 100 µs to 100 s: what commands and the disk take. */
const SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100];

/** Each sample wakes the process: at prom-client's 10 ms a backend at rest would never sleep. */
const LAG_PRECISION_MS = 1_000;

/** The counters of a backend. */
export type Metrics = ReturnType<typeof createMetrics>;

/** Creates all of them. */
export function createMetrics(options: { readonly processMetrics: boolean }) {
  const registry = new Registry();
  if (options.processMetrics)
    collectDefaultMetrics({ register: registry, prefix: 'viworks_', eventLoopMonitoringPrecision: LAG_PRECISION_MS });
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []): Counter<T> =>
    new Counter({ name: `viworks_${name}`, help, labelNames, registers: [registry] });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []): Gauge<T> =>
    new Gauge({ name: `viworks_${name}`, help, labelNames, registers: [registry] });
  const histogram = <T extends string>(name: string, help: string, labelNames: readonly T[] = []): Histogram<T> =>
    new Histogram({ name: `viworks_${name}`, help, labelNames, buckets: SECONDS, registers: [registry] });
  let refresh = (): void => {};
  return {
    contentType: registry.contentType,
    /** The text that Prometheus reads. */
    async scrape(): Promise<string> {
      refresh();
      return registry.metrics();
    },
    /** `update` sets the gauges before each scrape. */
    onScrape(update: () => void): void {
      refresh = update;
    },
    agentSessions: gauge('agent_sessions', 'sessions by state', ['state']),
    sessionLosses: counter('session_losses_total', 'sessions that ended, by close code', ['code']),
    sessionTakeovers: counter('session_takeovers_total', 'sessions replaced by a newer one of the same gateway'),
    identityConflicts: counter('identity_conflicts_total', 'two machines used one gateway id'),
    helloRejected: counter('hello_rejected_total', 'HELLOs refused, by close code', ['code']),
    unknownFrames: counter('unknown_frames_total', 'frames of unknown type from newer peers, skipped'),
    protocolErrors: counter('protocol_errors_total', 'links closed for breaking the protocol'),
    tasks: gauge('tasks', 'tasks that are not finished, by state', ['state']),
    tasksFinished: counter('tasks_finished_total', 'finished tasks', ['verb', 'result']),
    taskDuration: histogram('task_duration_seconds', 'from started to finished'),
    dispatchToStart: histogram('dispatch_to_start_seconds', 'from the run frame to started'),
    firstByte: histogram('first_byte_seconds', 'from the run frame to the first byte of output'),
    cancelToEmpty: histogram('cancel_to_empty_seconds', 'from a cancel to the end of the task'),
    outputBytes: counter('output_bytes_total', 'output taken in', ['stream']),
    gapBytes: counter('gap_bytes_total', 'output lost on gateways', ['reason']),
    outputMismatch: counter('output_mismatch_total', 'results whose hash did not match what is stored'),
    resultsDuplicate: counter('results_duplicate_total', 'results that came again'),
    resultsRefused: counter('results_refused_total', 'results of tasks that are not the sender’s'),
    storeCommit: histogram('store_commit_seconds', 'transactions of the store'),
    storeSync: histogram('store_sync_seconds', 'fsyncs of the store'),
    storeFailures: counter('store_failures_total', 'writes that failed'),
    storeBytes: gauge('store_bytes', 'bytes of everything that is stored'),
    tasksPurged: counter(
      'tasks_purged_total',
      'finished tasks that were removed because of their age or for want of room',
    ),
    loopLag: gauge('event_loop_lag_seconds', 'event loop delay, p99 since the last scrape'),
    partUp: gauge('part_up', '1 when the part is up', ['part']),
    upgradesRefused: counter('upgrades_refused_total', 'upgrades refused before the handshake', ['reason']),
  };
}
