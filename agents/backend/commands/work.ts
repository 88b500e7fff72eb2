// The engine's side of a session: what a gateway is told at HELLO, what its frames mean for tasks, what its absence means.
import type { Frame, FrameOf, OutputChunk } from '../../protocol/index.ts';
import { limits } from '../../protocol/index.ts';
import type { Timer } from '../../runtime/index.ts';
import { MESSAGES } from '../messages.ts';
import type { GatewayLink } from '../registry/link.ts';
import { createBacklog } from './backlog.ts';
import { completeLost, takeExit } from './completion.ts';
import { type EngineCore, ignore } from './core.ts';
import { takeGap, takeOutput } from './intake.ts';
import { currentRecord, type LiveTask } from './live-task.ts';

type HelloTask = FrameOf<'session.hello'>['tasks'][number];
type WelcomeTask = FrameOf<'session.welcome'>['tasks'][number];

/** Frames of a gateway that are about tasks. */
export type TaskFrame = Extract<Frame, { type: `task.${string}` }>;

/** How often a task that its gateway provably never started is sent again. */
const MAX_FENCE = 5;

/** The part of the engine that sessions talk to. What is returned as text is a breach of the protocol. */
export interface Work {
  /** Answers for the tasks that a gateway still holds. */
  resume(gatewayId: string, tasks: readonly HelloTask[]): Promise<WelcomeTask[]>;
  /** The session is open and WELCOME is sent; `listed` are the tasks of its HELLO. */
  attached(link: GatewayLink, listed: ReadonlySet<string>): void;
  detached(link: GatewayLink): void;
  frame(link: GatewayLink, frame: TaskFrame): string | undefined;
  output(link: GatewayLink, chunk: OutputChunk): string | undefined;
  dispatch(task: LiveTask, link: GatewayLink): void;
  watchExpiry(task: LiveTask): void;
  loaded(): void;
  stop(): void;
}

/** Creates it. */
export function createWork(core: EngineCore): Work {
  const bindings = new Map<GatewayLink, Map<number, LiveTask>>();
  const absent = new Map<string, Timer>();
  const backlog = createBacklog();
  core.onEnded = (task) => {
    const { gatewayId, taskId } = task.record;
    const link = core.linkOf(gatewayId);
    // A session may last for months: it must not hold every task that it ever ran.
    if (link) unbind(link, task);
    const next = core.live.get(backlog.release(gatewayId, taskId) ?? '');
    if (next && link) dispatch(next, link);
  };

  // Each session numbers anew: the number that a task had in an earlier one may be another's now.
  function unbind(link: GatewayLink, task: LiveTask): void {
    const bound = bindings.get(link);
    if (task.taskRef !== undefined && bound?.get(task.taskRef) === task) bound.delete(task.taskRef);
  }

  function own(link: GatewayLink, taskId: string): LiveTask | undefined {
    const task = core.live.get(taskId);
    return task?.record.gatewayId === link.gatewayId ? task : undefined;
  }

  function dispatch(task: LiveTask, link: GatewayLink): void {
    const { record, command } = task;
    const ttlMs = record.expiresAt - core.clock.now();
    if (ttlMs <= 0) {
      expire(core, task);
      return;
    }
    if (!backlog.admit(record.gatewayId, record.taskId)) {
      core.apply(task, 'requeued');
      watchExpiry(task);
      return;
    }
    task.expiry?.cancel();
    core.apply(task, 'sent');
    task.sentAt = core.clock.monotonicMs();
    link.send({
      type: 'task.run',
      taskId: record.taskId,
      fence: record.fence,
      verb: command.verb,
      args: { ...command.args },
      env: { ...command.env },
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
      ...(command.stdin === undefined ? {} : { stdin: command.stdin }),
      timeoutMs: command.timeoutMs,
      graceMs: command.graceMs,
      ttlMs,
    });
  }

  function watchExpiry(task: LiveTask): void {
    task.expiry?.cancel();
    const left = Math.max(0, task.record.expiresAt - core.clock.now());
    task.expiry = core.clock.after(left, () => {
      if (task.record.state === 'queued') expire(core, task);
    });
  }

  function lose(gatewayId: string): void {
    absent.delete(gatewayId);
    if (core.linkOf(gatewayId)) return;
    for (const task of core.live.values()) {
      if (task.record.gatewayId !== gatewayId) continue;
      const lostFrom = task.record.state;
      if (core.apply(task, 'gateway_lost', { patch: { lostFrom } }))
        core.logger.warn(MESSAGES.taskLost, { task: task.record.taskId, gateway: gatewayId });
    }
  }

  function watchAbsence(gatewayId: string): void {
    absent.get(gatewayId)?.cancel();
    absent.set(
      gatewayId,
      core.clock.after(limits.LOST_AFTER_MS, () => lose(gatewayId)),
    );
  }

  return {
    dispatch,
    watchExpiry,
    async resume(gatewayId, tasks) {
      const answers: WelcomeTask[] = [];
      // The gateway gives its spool back up to these offsets: what was received but is not on disk yet may not be among them.
      if (tasks.length > 0) await core.store.flush();
      for (const held of tasks) {
        const task = core.live.get(held.taskId);
        if (task?.record.gatewayId === gatewayId) answers.push(answer(core, task, held));
        else answers.push({ taskId: held.taskId, action: await verdict(core, gatewayId, held.taskId), out: 0, err: 0 });
      }
      return answers;
    },
    attached(link, listed) {
      bindings.set(link, new Map());
      absent.get(link.gatewayId)?.cancel();
      absent.delete(link.gatewayId);
      backlog.reset(link.gatewayId, listed);
      for (const task of [...core.live.values()]) {
        if (task.record.gatewayId !== link.gatewayId || task.record.state === 'finished') continue;
        if (!listed.has(task.record.taskId)) notListed(core, task, () => dispatch(task, link));
      }
    },
    detached(link) {
      bindings.delete(link);
      if (core.linkOf(link.gatewayId)) return;
      for (const { record } of core.live.values()) {
        if (record.gatewayId !== link.gatewayId || record.state === 'queued') continue;
        watchAbsence(link.gatewayId);
        return;
      }
    },
    output(link, chunk) {
      const task = bindings.get(link)?.get(chunk.taskRef);
      // Output of a task that was settled or given up meanwhile: the gateway stops by itself once it reads our frames.
      return task ? takeOutput(core, task, chunk) : undefined;
    },
    frame(link, frame) {
      const task = own(link, frame.taskId);
      if (!task) {
        if (frame.type === 'task.exit') void strangeExit(core, link, frame).catch(ignore);
        return undefined;
      }
      switch (frame.type) {
        case 'task.accepted':
          if (frame.fence === task.record.fence) core.apply(task, 'accepted', { patch: { lostFrom: undefined } });
          return undefined;
        case 'task.started':
          started(core, task, frame);
          task.taskRef = frame.taskRef;
          bindings.get(link)?.set(frame.taskRef, task);
          return undefined;
        case 'task.gap':
          return takeGap(core, task, frame);
        case 'task.exit':
          if (frame.fence !== task.record.fence) return undefined; // Of an older dispatch decision: void.
          takeExit(core, task, frame);
          return undefined;
        case 'task.refused':
          if (frame.fence === task.record.fence) refused(core, task, { frame, again: () => dispatch(task, link) });
          return undefined;
        case 'task.cancelling':
          if (frame.phase === 'unknown_task') notListed(core, task, () => dispatch(task, link));
          return undefined;
        default:
          return `a backend does not take ${frame.type}`;
      }
    },
    loaded() {
      bindings.clear();
      const gateways = new Set<string>();
      for (const { record } of core.live.values()) if (record.state !== 'queued') gateways.add(record.gatewayId);
      for (const gatewayId of gateways) if (!core.linkOf(gatewayId)) watchAbsence(gatewayId);
    },
    stop() {
      for (const timer of absent.values()) timer.cancel();
      absent.clear();
    },
  };
}

function answer(core: EngineCore, task: LiveTask, held: HelloTask): WelcomeTask {
  const { record } = task;
  if (record.state === 'finished')
    return { taskId: record.taskId, action: 'settled', out: record.outStored, err: record.errStored };
  if (record.streamEpoch !== undefined && held.state !== 'accepted' && held.streamEpoch !== record.streamEpoch)
    task.spoolLost = true;
  const wasUnknown = record.state === 'unknown';
  core.apply(task, held.state === 'accepted' ? 'accepted' : 'started', { patch: { lostFrom: undefined } });
  if (wasUnknown) core.logger.info(MESSAGES.taskReturned, { task: record.taskId, gateway: record.gatewayId });
  const { outStored, errStored } = currentRecord(task);
  task.streams.out.durable = Math.max(task.streams.out.durable, outStored);
  task.streams.err.durable = Math.max(task.streams.err.durable, errStored);
  const offsets = task.spoolLost
    ? { out: held.out.produced, err: held.err.produced }
    : { out: outStored, err: errStored };
  if (record.cancelRequestedAt === undefined || held.state === 'exited')
    return { taskId: record.taskId, action: 'resume', ...offsets };
  return {
    taskId: record.taskId,
    action: 'cancel',
    ...offsets,
    graceMs: record.cancelGraceMs ?? task.command.graceMs,
  };
}

async function verdict(core: EngineCore, gatewayId: string, taskId: string): Promise<'settled' | 'unknown'> {
  const stored = await core.store.task(taskId);
  return stored?.task.gatewayId === gatewayId && stored.task.state === 'finished' ? 'settled' : 'unknown';
}

// The gateway says that it does not have this task. What that means depends on whether it ever said that it had it.
function notListed(core: EngineCore, task: LiveTask, dispatch: () => void): void {
  const { record } = task;
  const state = record.state === 'unknown' ? (record.lostFrom ?? 'unknown') : record.state;
  if (state !== 'queued' && state !== 'sent') {
    completeLost(core, task, 'the gateway no longer knows this task');
    return;
  }
  if (record.cancelRequestedAt !== undefined) {
    core.finish(task, 'never_ran', { outcome: 'cancelled_before_start' });
    return;
  }
  if (record.state === 'unknown') core.apply(task, 'requeued', { patch: { lostFrom: undefined } });
  dispatch();
}

function started(core: EngineCore, task: LiveTask, frame: FrameOf<'task.started'>): void {
  const { record } = task;
  if (record.startedAt === undefined && task.sentAt !== undefined)
    core.metrics.dispatchToStart.observe((core.clock.monotonicMs() - task.sentAt) / 1000);
  core.apply(task, 'started', {
    patch: {
      streamEpoch: record.streamEpoch ?? frame.streamEpoch,
      startedAt: record.startedAt ?? core.clock.now(),
      lostFrom: undefined,
    },
  });
}

function refused(
  core: EngineCore,
  task: LiveTask,
  answered: { frame: FrameOf<'task.refused'>; again: () => void },
): void {
  const { frame, again } = answered;
  const { record } = task;
  core.metrics.tasksFinished.inc({ verb: task.command.verb, result: `refused_${frame.code}` });
  if (record.cancelRequestedAt !== undefined) {
    core.finish(task, 'never_ran', { outcome: 'cancelled_before_start' });
  } else if (frame.code === 'not_started' && record.fence < MAX_FENCE) {
    // Provably never started, so a new dispatch is a first one; the fence makes any answer to the old one void.
    core.apply(task, 'requeued', { patch: { fence: record.fence + 1, lostFrom: undefined }, urgency: 'now' });
    again();
  } else if (frame.code === 'expired') {
    core.finish(task, 'never_ran', { outcome: 'expired', message: frame.message });
  } else {
    core.finish(task, 'never_ran', {
      outcome: 'refused',
      refusal: frame.code,
      message: frame.message,
      ...(frame.obstacle ? { obstacle: frame.obstacle } : {}),
    });
  }
}

function expire(core: EngineCore, task: LiveTask): void {
  core.metrics.tasksFinished.inc({ verb: task.command.verb, result: 'expired' });
  const message = 'the gateway was not there before the command expired';
  core.finish(task, 'never_ran', { outcome: 'expired', message });
}

async function strangeExit(core: EngineCore, link: GatewayLink, frame: FrameOf<'task.exit'>): Promise<void> {
  const stored = await core.store.task(frame.taskId);
  if (stored?.task.gatewayId === link.gatewayId && stored.task.state === 'finished') {
    core.metrics.resultsDuplicate.inc();
    await core.store.flush();
    link.send({ type: 'task.settled', taskId: frame.taskId });
    return;
  }
  core.metrics.resultsRefused.inc();
  core.logger.warn(MESSAGES.strangeResult, { task: frame.taskId, gateway: link.gatewayId });
}
