// Takes runs, cancels, acks and settlements; holds the tasks; decides when each starts. How one task starts and ends is in lifecycle.ts.
import { randomBytes } from 'node:crypto';
import { type FrameOf, limits } from '../../protocol/index.ts';
import { describe, isAbort } from '../../runtime/index.ts';
import type { WorkFrame } from '../link/session.ts';
import { MESSAGES } from '../messages.ts';
import type { ExecutorDeps } from './deps.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { createOutflow, type Outflow } from './outflow.ts';
import { judge } from './policy.ts';
import { journalRefused, logged, type Refused, tooManyHeld } from './refusal.ts';
import { helloLine, reportsOf } from './reports.ts';
import { digestOf, type LiveTask, newTask } from './task.ts';
import { planVerb, type VerbPlan } from './verbs.ts';

/** Counters for health and metrics. */
export interface TaskCounts {
  readonly running: number;
  readonly queued: number;
  readonly spoolBytes: number;
  readonly sentBytes: number;
  readonly gaps: number;
  /** `verb outcome` → how many. */
  readonly finished: ReadonlyMap<string, number>;
  readonly refused: ReadonlyMap<string, number>;
}

/** The tasks of this gateway. */
export interface Executor {
  /** Looks at what is left of the time before this start. Ends before the first link. */
  recover(signal: AbortSignal): Promise<void>;
  helloTasks(): FrameOf<'session.hello'>['tasks'];
  opened(welcome: FrameOf<'session.welcome'>): void;
  closed(): void;
  receive(frame: WorkFrame): void;
  /** The next binary frame for the link. */
  nextOutput(): Uint8Array | undefined;
  /** A slow look at everything, for what no event told. */
  review(signal: AbortSignal): Promise<void>;
  /** Takes nothing new from now on. */
  drain(): void;
  counts(): TaskCounts;
}

/** Creates the executor; it starts nothing before `receive`. */
export function createExecutor(deps: ExecutorDeps): Executor {
  const tasks = new Map<string, LiveTask>();
  const refused = new Map<string, number>();
  const outflow: Outflow = createOutflow(deps.clock, {
    wake: () => deps.link.pump(),
    gap: (flow, stream, range) => {
      const task = [...tasks.values()].find((candidate) => candidate.flow === flow);
      if (!task) return;
      gaps += 1;
      deps.logger.warn(MESSAGES.outputLost, { task: task.taskId, stream, ...range });
      deps.link.send({ type: 'task.gap', taskId: task.taskId, stream, ...range, reason: 'spool_truncated' });
    },
  });
  let draining = false;
  let gaps = 0;
  let lastRef = 0;
  let credit = 0;

  const lifecycle: Lifecycle = createLifecycle(deps, {
    tasks,
    outflow,
    background,
    bind: (task) => {
      if (credit === 0 || task.flow.taskRef !== 0) return;
      task.flow.taskRef = ++lastRef;
      task.flow.credit = Math.max(task.flow.credit, task.flow.out.next + task.flow.err.next + credit);
    },
    freed: startQueued,
  });

  function background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!isAbort(error) && !deps.stopping.aborted)
        deps.logger.error(MESSAGES.stepFailed, { reason: describe(error) });
    });
  }

  const busy = (): number => {
    let count = 0;
    for (const { phase, streamEpoch } of tasks.values()) {
      // One that goes to disk together with its start has its slot already.
      if (phase === 'starting' || phase === 'running' || (phase === 'receiving' && streamEpoch !== 'none')) count++;
    }
    return count;
  };

  function refuse(frame: FrameOf<'task.run'>, refusal: Refused): void {
    const { code, message } = refusal;
    refused.set(code, (refused.get(code) ?? 0) + 1);
    deps.logger.info(MESSAGES.taskRefused, { task: frame.taskId, verb: frame.verb, ...logged(refusal) });
    const { taskId, fence } = frame;
    deps.link.send({ type: 'task.refused', taskId, fence, ...refusal, message: message.slice(0, 1024) });
  }

  // Why a run is not taken, or what to start for it.
  function examine(frame: FrameOf<'task.run'>, known: LiveTask | undefined): Refused | VerbPlan {
    if (!known && deps.journal.ledger.entries.get(frame.taskId)?.state === 'settled') {
      return { code: 'conflict', message: 'this task ran before and is settled' };
    }
    if (!known && tasks.size >= limits.MAX_HELD_TASKS) {
      return tooManyHeld(tasks.size);
    }
    if (draining) return { code: 'draining', message: 'this gateway is being stopped' };
    const planned = planVerb(deps.verbs, frame.verb, frame.args);
    if (!planned.ok) return planned;
    const verdict = judge(deps.policy, { verb: frame.verb, commandLine: planned.plan.commandLine });
    if (verdict.allowed) return planned.plan;
    return { code: 'denied', message: `this gateway’s policy does not allow it: ${verdict.because}` };
  }

  function run(frame: FrameOf<'task.run'>): void {
    const known = tasks.get(frame.taskId);
    if (known && !mayStartAnew(known, frame)) {
      again(known, frame);
      return;
    }
    const plan = examine(frame, known);
    if ('code' in plan) {
      refuse(frame, plan);
      return;
    }
    const task = newTask(frame, {
      tasksDir: deps.tasksDir,
      now: deps.clock.monotonicMs(),
      request: {
        taskId: frame.taskId,
        argv: plan.argv,
        env: frame.env,
        cwd: frame.cwd,
        stdin: frame.stdin === undefined ? undefined : Buffer.from(frame.stdin, 'base64'),
        timeoutMs: frame.timeoutMs,
        graceMs: frame.graceMs,
      },
    });
    const started = busy() < deps.maxConcurrent;
    if (started) task.streamEpoch = randomBytes(8).toString('hex');
    tasks.set(task.taskId, task);
    background(accept(frame, task, { started, replaces: known }));
  }

  async function accept(
    frame: FrameOf<'task.run'>,
    task: LiveTask,
    how: { readonly started: boolean; readonly replaces: LiveTask | undefined },
  ): Promise<void> {
    const { taskId, fence, verb, digest, graceMs, horizonMs, streamEpoch } = task;
    // The mark that an earlier attempt never started goes only now that a newer dispatch asks for it.
    if (how.replaces) await lifecycle.forget(taskId, deps.stopping);
    const received = { kind: 'received', taskId, fence, verb, digest, graceMs, horizonMs } as const;
    try {
      await deps.journal.append(how.started ? [received, { kind: 'starting', taskId, streamEpoch }] : [received]);
    } catch (error) {
      tasks.delete(taskId);
      refuse(frame, journalRefused(error));
      return;
    }
    task.phase = how.started ? 'starting' : 'queued';
    deps.link.send({ type: 'task.accepted', taskId, fence });
    if (how.started) return lifecycle.launch(task);
    startQueued();
  }

  // Provably never ran, and the backend decided to try once more.
  function mayStartAnew(known: LiveTask, frame: FrameOf<'task.run'>): boolean {
    return known.phase === 'refused' && frame.fence > known.fence;
  }

  function again(known: LiveTask, frame: FrameOf<'task.run'>): void {
    const other = known.digest !== '' && known.digest !== digestOf(frame);
    if (other || frame.fence < known.fence) {
      const newer = `a newer dispatch (${known.fence}) of this task was seen`;
      const message = other ? 'this task id was used for another command' : newer;
      refuse(frame, { code: 'conflict', message });
      return;
    }
    if (frame.fence > known.fence) {
      known.fence = frame.fence;
      background(deps.journal.append([{ kind: 'fence', taskId: known.taskId, fence: frame.fence }]));
    }
    for (const report of reportsOf(known)) deps.link.send(report);
  }

  function startQueued(): void {
    for (const task of tasks.values()) {
      if (task.phase !== 'queued') continue;
      if (task.expiresAt < deps.clock.monotonicMs()) {
        background(
          lifecycle.refuse(task, { code: 'expired', message: 'it waited in the gateway’s queue for too long' }),
        );
      } else if (busy() < deps.maxConcurrent) {
        task.phase = 'starting';
        task.streamEpoch = randomBytes(8).toString('hex');
        background(lifecycle.launchJournalled(task));
      }
    }
  }

  function cancel(taskId: string, graceMs: number): void {
    const task = tasks.get(taskId);
    const settled = deps.journal.ledger.entries.get(taskId)?.state === 'settled';
    const phase = !task
      ? settled
        ? 'already_finished'
        : 'unknown_task'
      : task.phase === 'exited' || task.phase === 'refused'
        ? 'already_finished'
        : 'accepted';
    deps.link.send({ type: 'task.cancelling', taskId, phase });
    if (task && phase === 'accepted') background(lifecycle.end(task, graceMs));
  }

  // Nobody waits for this task any more. One that still runs is ended first: the backend took it for over, or never knew it.
  function dismiss(task: LiveTask, graceMs: number): void {
    if (task.phase === 'exited' || task.phase === 'refused') {
      background(lifecycle.settle(task));
      return;
    }
    task.orphan = true;
    deps.logger.warn(MESSAGES.taskUnknown, { task: task.taskId });
    background(lifecycle.end(task, graceMs));
  }

  function acknowledge(frame: FrameOf<'task.ack'>): void {
    const task = tasks.get(frame.taskId);
    if (!task) return; // settled a moment ago
    if (frame.out > task.flow.out.next || frame.err > task.flow.err.next) {
      deps.link.violation(`task.ack for bytes that were never sent (task ${frame.taskId})`);
      return;
    }
    task.acked = Math.max(task.acked, frame.out + frame.err);
    task.flow.credit = Math.max(task.flow.credit, frame.credit);
    task.flow.dirty = true;
    lifecycle.judgeSpool(task);
    deps.link.pump();
  }

  return {
    recover: (signal) => lifecycle.recover(signal),
    helloTasks: () => [...tasks.values()].filter((task) => task.phase !== 'receiving').map(helloLine),
    opened(welcome) {
      credit = welcome.taskCreditBytes;
      lastRef = 0;
      outflow.reset();
      const answers = new Map(welcome.tasks.map((answer) => [answer.taskId, answer]));
      for (const task of [...tasks.values()]) {
        const answer = answers.get(task.taskId);
        if (answer?.action === 'settled') {
          dismiss(task, task.graceMs);
          continue;
        }
        const { flow } = task;
        flow.out.resumeAt(answer?.out ?? 0);
        flow.err.resumeAt(answer?.err ?? 0);
        flow.credit = flow.out.next + flow.err.next + credit;
        flow.dirty = true;
        task.acked = Math.max(task.acked, flow.out.next + flow.err.next);
        if (answer?.action === 'unknown') {
          dismiss(task, answer.graceMs ?? task.graceMs);
          continue;
        }
        if (task.startedAt > 0) task.flow.taskRef = ++lastRef;
        for (const report of reportsOf(task)) deps.link.send(report);
        if (answer?.action === 'cancel') cancel(task.taskId, answer.graceMs ?? task.graceMs);
        lifecycle.judgeSpool(task);
      }
      deps.link.pump();
    },
    closed() {
      credit = 0;
      outflow.reset();
    },
    receive(frame) {
      switch (frame.type) {
        case 'task.run':
          run(frame);
          break;
        case 'task.cancel':
          cancel(frame.taskId, frame.graceMs);
          break;
        case 'task.ack':
          acknowledge(frame);
          break;
        case 'task.settled': {
          const task = tasks.get(frame.taskId);
          if (task) dismiss(task, task.graceMs);
        }
      }
    },
    nextOutput: () => outflow.next(),
    async review(signal) {
      startQueued();
      await lifecycle.review(signal);
      deps.link.pump();
    },
    drain() {
      draining = true;
    },
    counts() {
      let running = 0;
      let queued = 0;
      let spoolBytes = 0;
      for (const task of tasks.values()) {
        if (task.phase === 'running' || task.phase === 'starting') running++;
        if (task.phase === 'queued') queued++;
        spoolBytes += task.flow.out.produced + task.flow.err.produced;
      }
      return { running, queued, spoolBytes, sentBytes: outflow.sentBytes, gaps, finished: lifecycle.finished, refused };
    },
  };
}
