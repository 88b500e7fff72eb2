// The command engine: what was asked becomes tasks, tasks go to gateways, wishes to cancel are kept until they are true.
import type { http } from '../../protocol/index.ts';
import { limits } from '../../protocol/index.ts';
import { backendErrors } from '../errors.ts';
import { MESSAGES } from '../messages.ts';
import type { GatewayLink } from '../registry/link.ts';
import type { CommandRecord, StoredTask, TaskRecord } from '../storage/records.ts';
import { createCore, type EngineCore, type EngineDeps } from './core.ts';
import { createId } from './ids.ts';
import { createLiveTask, currentRecord, type LiveTask } from './live-task.ts';
import { createWork, type Work } from './work.ts';

/** A command to create. Arguments and gateways were checked already. */
export interface NewCommand {
  readonly request: Omit<CommandRecord, 'commandId' | 'createdAt'>;
  readonly gateways: readonly string[];
  readonly ttlMs: number;
}

/** A created command, or the one that the same idempotency key made before. */
export interface CreatedCommand {
  readonly command: CommandRecord;
  readonly tasks: readonly TaskRecord[];
  readonly created: boolean;
  /** Resolves when it outlives a power cut: only then may it be confirmed to the caller. */
  readonly durable: Promise<void>;
}

/** What a cancel came to. */
export type CancelResult = 'requested' | 'already_finished' | 'cancelled_before_start';

/** The engine as the API and the sessions see it. */
export interface Engine extends Work {
  create(command: NewCommand): Promise<CreatedCommand>;
  cancel(
    taskId: string,
    options: { graceMs?: number | undefined; by: string },
  ): Promise<{ result: CancelResult; task: StoredTask }>;
  /** A task as it is now; throws VW_BACKEND_NOT_FOUND. */
  task(taskId: string): Promise<StoredTask>;
  /** The live task, while it is not finished. */
  live(taskId: string): LiveTask | undefined;
  /** A stored record with what is known live laid over it. */
  current(task: TaskRecord): TaskRecord;
  count(state?: http.TaskState, gatewayId?: string): number;
  /** Loads every open task from the store, anew after a failed write. */
  load(): Promise<void>;
  /** Stops every timer. */
  stop(): void;
}

/** Creates the engine; `load` it before anything else. */
export function createEngine(deps: EngineDeps): Engine {
  const core = createCore(deps);
  const work = createWork(core);

  async function task(taskId: string): Promise<StoredTask> {
    const known = core.live.get(taskId);
    if (known) return { task: currentRecord(known), command: known.command };
    const stored = await core.store.task(taskId);
    if (!stored) throw backendErrors.create('VW_BACKEND_NOT_FOUND', { what: 'task', id: taskId, list: 'tasks' });
    return stored;
  }

  return {
    ...work,
    task,
    live: (taskId) => core.live.get(taskId),
    current(record) {
      const known = core.live.get(record.taskId);
      return known ? currentRecord(known) : record;
    },
    create: (command) => create(core, work, command),
    async cancel(taskId, { graceMs, by }) {
      const known = core.live.get(taskId);
      if (!known || known.record.state === 'finished') return { result: 'already_finished', task: await task(taskId) };
      core.logger.info(MESSAGES.cancelRequested, { task: taskId, gateway: known.record.gatewayId, by });
      const result = cancel(core, known, graceMs);
      return { result, task: { task: currentRecord(known), command: known.command } };
    },
    count(state, gatewayId) {
      let count = 0;
      for (const { record } of core.live.values()) {
        if (
          (state === undefined || record.state === state) &&
          (gatewayId === undefined || record.gatewayId === gatewayId)
        )
          count++;
      }
      return count;
    },
    async load() {
      const stored = await core.store.openTasks();
      const before = new Map(core.live);
      core.live.clear();
      for (const old of before.values()) stopTimers(old);
      for (const open of stored) {
        const fresh = createLiveTask(open, before.get(open.task.taskId)?.feed);
        core.live.set(open.task.taskId, fresh);
        if (open.task.state === 'queued') work.watchExpiry(fresh);
      }
      work.loaded();
    },
    stop() {
      for (const known of core.live.values()) stopTimers(known);
      work.stop();
    },
  };
}

async function create(core: EngineCore, work: Work, wanted: NewCommand): Promise<CreatedCommand> {
  const createdAt = core.clock.now();
  const command: CommandRecord = { ...wanted.request, commandId: createId(createdAt), createdAt };
  const links = new Map<string, GatewayLink | undefined>(wanted.gateways.map((id) => [id, core.linkOf(id)]));
  const tasks = wanted.gateways.map(
    (gatewayId): TaskRecord => ({
      taskId: createId(createdAt),
      commandId: command.commandId,
      gatewayId,
      // With a session at hand it is sent right after the commit; writing that down now saves a second write.
      state: links.get(gatewayId) ? 'sent' : 'queued',
      fence: 1,
      createdAt,
      expiresAt: createdAt + wanted.ttlMs,
      outStored: 0,
      errStored: 0,
    }),
  );
  const { existing, batch } = await core.store.createCommand(command, tasks);
  if (existing) return known(core, existing, { command, durable: batch.durable });
  core.logger.info(MESSAGES.commandCreated, {
    command: command.commandId,
    verb: command.verb,
    gateways: wanted.gateways.length,
    by: command.createdBy,
  });
  for (const record of tasks) {
    const live = createLiveTask({ task: record, command });
    core.live.set(record.taskId, live);
    const link = core.linkOf(record.gatewayId);
    if (link) work.dispatch(live, link);
    else {
      // Its session ended during the commit: nothing was sent, so it waits like any other.
      core.apply(live, 'requeued');
      work.watchExpiry(live);
    }
  }
  return { command, tasks, created: true, durable: batch.durable };
}

async function known(
  core: EngineCore,
  existing: CommandRecord,
  asked: { command: CommandRecord; durable: Promise<void> },
): Promise<CreatedCommand> {
  if (existing.bodyHash !== asked.command.bodyHash)
    throw backendErrors.create('VW_BACKEND_IDEMPOTENCY_CONFLICT', {
      key: asked.command.idempotencyKey,
      commandId: existing.commandId,
    });
  const stored = await core.store.command(existing.commandId);
  return { command: existing, tasks: stored?.tasks ?? [], created: false, durable: asked.durable };
}

function cancel(core: EngineCore, task: LiveTask, graceMs: number | undefined): CancelResult {
  const { record } = task;
  const grace = Math.min(graceMs ?? record.cancelGraceMs ?? task.command.graceMs, limits.MAX_DURATION_MS);
  if (record.state === 'queued') {
    core.patch(task, { cancelRequestedAt: core.clock.now() }, 'soon');
    core.finish(task, 'never_ran', { outcome: 'cancelled_before_start' });
    return 'cancelled_before_start';
  }
  const cancelRequestedAt = record.cancelRequestedAt ?? core.clock.now();
  core.patch(task, { cancelRequestedAt, cancelGraceMs: grace }, 'now');
  // Sent at once: the wish is in the store with the end of this turn, and HELLO repeats it if this is lost.
  core.linkOf(record.gatewayId)?.send({ type: 'task.cancel', taskId: record.taskId, graceMs: grace });
  return 'requested';
}

function stopTimers(task: LiveTask): void {
  task.ackTimer?.cancel();
  task.expiry?.cancel();
}
