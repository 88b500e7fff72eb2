// Health and metrics of a gateway out of the state of its parts. Pure: everything comes in as a snapshot.
import type { http, Sample } from '../../protocol/index.ts';
import type { LinkStatus } from '../link/client.ts';
import type { TaskCounts } from '../tasks/executor.ts';
import type { PartState } from '../tasks/launcher-watch.ts';
import type { Metric } from './metrics.ts';

/** The state of everything at one moment. */
export interface GatewaySnapshot {
  readonly now: number;
  readonly startedAt: number;
  readonly version: string;
  readonly revision: string;
  readonly releaseId: string;
  readonly link: LinkStatus;
  readonly launcher: PartState;
  readonly spool: PartState;
  readonly journal: {
    readonly healthy: boolean;
    readonly since: number;
    readonly trouble: string;
    readonly bytes: number;
    readonly commitMs: number;
  };
  readonly tasks: TaskCounts;
  readonly sample: Sample | undefined;
  readonly resources: http.HealthBody['resources'];
}

/** 200 means: this gateway can run a command that the backend sends. */
export function healthOf(snapshot: GatewaySnapshot): http.HealthBody {
  const { link, launcher, spool, journal } = snapshot;
  const part = (up: boolean, since: number, message: string): http.HealthBody['parts'][string] => ({
    state: up ? 'up' : 'down',
    since,
    ...(message === '' ? {} : { message }),
  });
  return {
    status: link.up && launcher.up && spool.up && journal.healthy ? 'healthy' : 'unhealthy',
    timestamp: new Date(snapshot.now).toISOString(),
    version: snapshot.version,
    revision: snapshot.revision,
    releaseId: snapshot.releaseId,
    uptimeSeconds: Math.floor((snapshot.now - snapshot.startedAt) / 1000),
    parts: {
      link: part(link.up, link.since, link.message),
      launcher: part(launcher.up, launcher.since, launcher.message),
      spool: part(spool.up, spool.since, spool.message),
      journal: part(journal.healthy, journal.since, journal.trouble),
    },
    runningTasks: snapshot.tasks.running,
    ...(link.lastHeardAt === undefined ? {} : { lastHeartbeat: link.lastHeardAt }),
    resources: snapshot.resources,
  };
}

/** The figures of /metrics. */
export function metricsOf(snapshot: GatewaySnapshot): Metric[] {
  const { link, launcher, spool, journal, tasks, sample, resources } = snapshot;
  const gauge = (name: string, help: string, value: number): Metric => ({
    name,
    help,
    type: 'gauge',
    values: [{ value }],
  });
  const counter = (name: string, help: string, value: number): Metric => ({
    name,
    help,
    type: 'counter',
    values: [{ value }],
  });
  const up = { link: link.up, launcher: launcher.up, spool: spool.up, journal: journal.healthy };
  return [
    {
      name: 'viworks_part_up',
      help: '1 while a part works',
      type: 'gauge',
      values: Object.entries(up).map(([name, value]) => ({ labels: { part: name }, value: value ? 1 : 0 })),
    },
    {
      name: 'viworks_build_info',
      help: 'version and git revision',
      type: 'gauge',
      values: [{ labels: { version: snapshot.version, revision: snapshot.revision }, value: 1 }],
    },
    counter('viworks_session_losses_total', 'sessions that were lost', link.losses),
    gauge('viworks_tasks_running', 'tasks that run', tasks.running),
    gauge('viworks_tasks_queued', 'tasks that wait for a slot', tasks.queued),
    {
      name: 'viworks_tasks_finished_total',
      help: 'tasks that ended, by verb and outcome',
      type: 'counter',
      values: [...tasks.finished].map(([key, value]) => {
        const [verb = '', outcome = ''] = key.split(' ');
        return { labels: { verb, outcome }, value };
      }),
    },
    {
      name: 'viworks_tasks_refused_total',
      help: 'tasks that were refused, by code',
      type: 'counter',
      values: [...tasks.refused].map(([code, value]) => ({ labels: { code }, value })),
    },
    counter('viworks_output_sent_bytes_total', 'output sent, repetitions included', tasks.sentBytes),
    counter('viworks_output_gaps_total', 'gaps in output', tasks.gaps),
    gauge('viworks_spool_bytes', 'output of tasks that are not settled', tasks.spoolBytes),
    gauge('viworks_journal_bytes', 'size of the active journal segment', journal.bytes),
    gauge('viworks_journal_commit_seconds', 'duration of the last commit to disk', journal.commitMs / 1000),
    gauge('viworks_process_resident_bytes', 'memory of the agent', resources.rssBytes),
    gauge('viworks_event_loop_lag_seconds', 'p99 of the event loop’s delay', resources.loopLagMs / 1000),
    gauge('viworks_process_open_files', 'open file descriptors', resources.openFiles ?? 0),
    gauge('viworks_host_cpu_fraction', 'CPU in use', sample?.cpu ?? 0),
    gauge('viworks_host_load1', 'one-minute load', sample?.load1 ?? 0),
    gauge('viworks_host_memory_used_fraction', 'memory in use', sample?.memoryUsed ?? 0),
    gauge('viworks_host_disk_used_fraction', 'disk of the spool in use', sample?.diskUsed ?? 0),
  ];
}
