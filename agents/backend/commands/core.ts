// What the parts of the engine share: the live tasks, and the two ways in which a task changes (a patch, or its end).
import { type http, limits, type TaskResult } from '../../protocol/index.ts';
import type { Clock, Logger } from '../../runtime/index.ts';
import { MESSAGES } from '../messages.ts';
import type { Metrics } from '../metrics.ts';
import type { GatewayLink } from '../registry/link.ts';
import type { TaskPatch, TaskRecord } from '../storage/records.ts';
import type { Batch, Store, Urgency } from '../storage/store.ts';
import { currentRecord, type LiveTask } from './live-task.ts';
import { nextState, type TaskEvent } from './states.ts';

/** What the engine needs from the outside. */
export interface EngineDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The open session of a gateway. */
  linkOf(gatewayId: string): GatewayLink | undefined;
}

/** Shared by the engine's parts. */
export interface EngineCore extends EngineDeps {
  readonly live: Map<string, LiveTask>;
  /** Applies an event with further fields; false when it means nothing in the task's state. */
  apply(task: LiveTask, event: TaskEvent, change?: TaskChange): boolean;
  patch(task: LiveTask, patch: TaskPatch, urgency: Urgency): Batch;
  /** Ends a task for good: stored, told to viewers once committed, told to its gateway once durable. */
  finish(task: LiveTask, event: 'completed' | 'never_ran', end: http.TaskEnd): void;
  sendAck(task: LiveTask): void;
  /** Called when a task has ended and is committed. */
  onEnded(task: LiveTask): void;
}

/** Fields that change with an event. */
export interface TaskChange {
  readonly patch?: TaskPatch;
  readonly urgency?: Urgency;
}

/** Creates the shared part. */
export function createCore(deps: EngineDeps): EngineCore {
  const { store, clock, metrics } = deps;
  const live = new Map<string, LiveTask>();

  function patch(task: LiveTask, fields: TaskPatch, urgency: Urgency): Batch {
    task.record = { ...task.record, ...fields };
    return store.write([{ kind: 'task.patch', taskId: task.record.taskId, patch: fields }], urgency);
  }

  function finish(task: LiveTask, event: 'completed' | 'never_ran', end: http.TaskEnd): void {
    const state = nextState(task.record.state, event);
    if (state === undefined) return;
    task.ackTimer?.cancel();
    task.expiry?.cancel();
    const before = task.record;
    const { outStored, errStored } = currentRecord(task);
    const finishedAt = clock.now();
    const fields: TaskPatch = { state, finishedAt, end, outStored, errStored, result: undefined, lostFrom: undefined };
    const batch = patch(task, fields, 'now');
    batch.committed.then(() => {
      live.delete(before.taskId);
      report(deps, before, task.record);
      task.feed.finished(task.record);
      core.onEnded(task);
    }, ignore);
    if (before.state !== 'queued') {
      const settled = { type: 'task.settled', taskId: before.taskId } as const;
      batch.durable.then(() => deps.linkOf(before.gatewayId)?.send(settled), ignore);
    }
    if (before.startedAt !== undefined) metrics.taskDuration.observe((finishedAt - before.startedAt) / 1000);
  }

  const core: EngineCore = {
    ...deps,
    live,
    patch,
    finish,
    onEnded() {},
    apply(task, event, change = {}) {
      const state = nextState(task.record.state, event);
      if (state === undefined) return false;
      const changed = state !== task.record.state;
      patch(task, { ...change.patch, state }, change.urgency ?? 'soon');
      if (changed) task.feed.state(state);
      return true;
    },
    sendAck(task) {
      const { out, err } = task.streams;
      task.ackTimer?.cancel();
      task.ackTimer = undefined;
      task.ackedBytes = out.durable + err.durable;
      deps.linkOf(task.record.gatewayId)?.ack(task.record.taskId, {
        out: out.durable,
        err: err.durable,
        credit: task.ackedBytes + limits.TASK_CREDIT_BYTES,
      });
    },
  };
  return core;
}

// A rejected batch was reported by the store, and the engine is loaded anew once the store is back.
export function ignore(): void {}

function report(deps: EngineDeps, before: TaskRecord, task: TaskRecord): void {
  const end = task.end;
  const outcome = end?.outcome ?? 'unknown';
  deps.logger.info(MESSAGES.taskFinished, {
    task: task.taskId,
    gateway: task.gatewayId,
    outcome,
    ...('code' in (end ?? {}) ? { exitCode: (end as TaskResult).code } : {}),
    ...(before.startedAt === undefined ? {} : { durationMs: (task.finishedAt ?? 0) - before.startedAt }),
  });
}
