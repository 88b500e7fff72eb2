// The life of one task after its intent is on disk: start, watch, end, result, settlement; and the same after a restart of the agent.
import type { TaskResult } from '../../protocol/index.ts';
import { describe, fromUnknown, isAbort, ViworksError } from '../../runtime/index.ts';
import { apply, foundEntry, type LedgerEntry } from '../journal/ledger.ts';
import { MESSAGES } from '../messages.ts';
import type { ExecutorDeps } from './deps.ts';
import type { Ending, Evidence, StartRequest } from './launcher-protocol.ts';
import { spoolFailure } from './launcher-watch.ts';
import { resultOf, resultWithout, type Totals } from './outcome.ts';
import type { Outflow } from './outflow.ts';
import { judgeTask } from './recovery.ts';
import { journalRefused, launcherAbsent, logged, type Refused, startRefused } from './refusal.ts';
import { startedFrame } from './reports.ts';
import { type LiveTask, releaseTask, rememberedTask } from './task.ts';
import { readRecord, watchSpool } from './watch.ts';

/** What the executor shares with the lives of its tasks. */
interface Surroundings {
  readonly tasks: Map<string, LiveTask>;
  readonly outflow: Outflow;
  background(work: Promise<void>): void;
  /** Gives the task its number on the present link, if there is one. */
  bind(task: LiveTask): void;
  /** A slot has become free. */
  freed(): void;
}

/** What can be done with a task. */
export interface Lifecycle {
  /** Asks the launcher; the journal has STARTING already. */
  launch(task: LiveTask): Promise<void>;
  /** The same for a task that waited: STARTING is written first. */
  launchJournalled(task: LiveTask): Promise<void>;
  end(task: LiveTask, graceMs: number): Promise<void>;
  refuse(task: LiveTask, refusal: Refused): Promise<void>;
  settle(task: LiveTask): Promise<void>;
  forget(taskId: string, signal: AbortSignal): Promise<void>;
  /** Holds a task that outruns its link, or lets it go on. */
  judgeSpool(task: LiveTask): void;
  recover(signal: AbortSignal): Promise<void>;
  review(signal: AbortSignal): Promise<void>;
  readonly finished: ReadonlyMap<string, number>;
}

const RETRY_MS = 250; // a launcher that is being restarted is back within a second
const ABSENT_MS = 1_000; // the same second; after it, whoever waits for the task should hear that it was not started
const ABSENT_RETRY_MS = 50;
const STATUS_EVERY_MS = 5_000; // how soon a killed waiter is noticed; everything else is told by events

/** Creates the lives of an executor's tasks. */
export function createLifecycle(deps: ExecutorDeps, around: Surroundings): Lifecycle {
  const { clock, logger, journal, launcher, link, stopping } = deps;
  const { tasks, outflow, background } = around;
  const finished = new Map<string, number>();
  const unforgotten = new Set<string>();
  let statusAt = clock.monotonicMs();

  // The launcher may be restarting: what was asked for is asked again until there is an answer. Every request is idempotent.
  async function insist<T>(ask: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await ask(signal);
      } catch (error) {
        if (signal.aborted || isAbort(error)) throw error;
        if (attempt === 4) logger.failure(MESSAGES.launcherDown, fromUnknown(error));
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  // Nobody at the socket has started anything: asked again while a restart may explain it, then said.
  async function start(request: StartRequest): Promise<Evidence> {
    const until = clock.monotonicMs() + ABSENT_MS;
    for (;;) {
      try {
        return await launcher.start(request, stopping);
      } catch (error) {
        if (!isAbsent(error) || clock.monotonicMs() >= until) throw error;
        await clock.sleep(ABSENT_RETRY_MS, stopping);
      }
    }
  }

  async function launch(task: LiveTask): Promise<void> {
    const { request } = task;
    task.request = undefined;
    let evidence: Evidence;
    try {
      if (!request) throw new Error('the request is gone');
      evidence = await start(request);
    } catch (error) {
      if (stopping.aborted) return; // the next start of the agent looks at the evidence
      if (isAbsent(error)) return refuse(task, launcherAbsent(error));
      logger.warn(MESSAGES.startUnanswered, { task: task.taskId, reason: describe(error) });
      // It may have started or not; from here on it either has, or never will.
      evidence = await insist((signal) => launcher.seal(task.taskId, signal), stopping);
    }
    await follow(task, evidence, true);
  }

  async function launchJournalled(task: LiveTask): Promise<void> {
    try {
      await journal.append([{ kind: 'starting', taskId: task.taskId, streamEpoch: task.streamEpoch }]);
    } catch (error) {
      return refuse(task, journalRefused(error));
    }
    await launch(task);
  }

  async function follow(task: LiveTask, evidence: Evidence, sameBoot: boolean): Promise<void> {
    const verdict = judgeTask(task.phase === 'starting' ? 'starting' : 'running', evidence, sameBoot);
    switch (verdict.kind) {
      case 'running':
      case 'finished': {
        const elapsed = evidence.state === 'running' ? evidence.elapsedMs : 0;
        adopt(task, clock.now() - elapsed);
        return verdict.kind === 'finished' ? finish(task, verdict.ending) : undefined;
      }
      case 'start_failed':
        return refuse(task, startRefused(verdict, deps.tasksDir));
      case 'not_started':
        return refuse(task, { code: 'not_started', message: verdict.message });
      case 'indeterminate':
        adopt(task, task.startedAt || clock.now());
        return finishWithout(task, 'indeterminate', verdict.message);
      case 'report_again':
      case 'forget':
        return;
    }
  }

  function adopt(task: LiveTask, startedAt: number): void {
    if (task.startedAt === 0) {
      task.startedAt = Math.max(1, Math.round(startedAt));
      const record = { kind: 'running', taskId: task.taskId, startedAt: task.startedAt } as const;
      background(journal.append([record])); // for display only; nothing waits for it
    }
    task.phase = 'running';
    around.bind(task);
    outflow.add(task.flow);
    if (task.flow.taskRef !== 0) link.send(startedFrame(task));
    task.watch = watchSpool(task.folder, {
      output: () => {
        task.flow.dirty = true;
        judgeSpool(task);
        link.pump();
      },
      end: () => lookForEnd(task),
      failed: (error) => logger.debug(MESSAGES.spoolUnwatched, { task: task.taskId, reason: describe(error) }),
    });
    task.flow.dirty = true;
    link.pump();
    lookForEnd(task); // it may have ended before the watch was there
    if (task.cancelGraceMs !== undefined) background(end(task, task.cancelGraceMs));
  }

  function lookForEnd(task: LiveTask): void {
    if (task.phase !== 'running' || task.finishing) return;
    const record = readRecord(task.folder);
    if (record) conclude(task, record);
  }

  // What ends a task that was taken for running.
  function conclude(task: LiveTask, evidence: Evidence): void {
    if (task.phase !== 'running' || task.finishing) return;
    switch (evidence.state) {
      case 'exited':
        background(finish(task, evidence.ending));
        break;
      case 'start_failed':
        background(refuse(task, startRefused(evidence, deps.tasksDir)));
        break;
      case 'not_started':
        background(refuse(task, { code: 'not_started', message: 'its start came to nothing' }));
        break;
      case 'indeterminate':
        background(finishWithout(task, 'indeterminate', evidence.message));
        break;
      case 'unknown':
        background(finishWithout(task, 'indeterminate', 'its spool is gone'));
        break;
      default: // it runs, or is on its way to its end
    }
  }

  async function finish(task: LiveTask, ending: Ending): Promise<void> {
    if (task.finishing) return;
    task.finishing = true;
    if (ending.unwritten !== undefined) {
      const reason = describe(spoolFailure(task.folder, ending.unwritten));
      logger.warn(MESSAGES.resultHeld, { task: task.taskId, reason });
    }
    const totals = await totalsOf(task);
    await report(task, resultOf(ending, totals, task.flow.out.truncations + task.flow.err.truncations));
  }

  async function finishWithout(task: LiveTask, outcome: 'indeterminate' | 'cancelled', message: string): Promise<void> {
    if (task.finishing) return;
    task.finishing = true;
    await report(task, resultWithout(outcome, await totalsOf(task), message));
  }

  async function totalsOf(task: LiveTask): Promise<Totals> {
    task.flow.ended = true;
    task.flow.dirty = true;
    link.pump(); // the last bytes go out, and into the hash on their way, before the result
    return { out: await task.flow.out.finish(stopping), err: await task.flow.err.finish(stopping) };
  }

  async function report(task: LiveTask, result: TaskResult): Promise<void> {
    const { taskId, fence, verb } = task;
    // Told without waiting for the disk: until the backend has stored it, the launcher's record can make the same result again.
    void journal.append([{ kind: 'exited', taskId, result }]).catch(() => undefined);
    task.result = result;
    task.phase = 'exited';
    task.watch?.close();
    const key = `${verb} ${result.outcome}`;
    finished.set(key, (finished.get(key) ?? 0) + 1);
    logger.info(MESSAGES.taskFinished, {
      task: taskId,
      verb,
      outcome: result.outcome,
      exitCode: result.code,
      signal: result.signal,
      durationMs: result.durationMs,
      outBytes: result.out.bytes,
      errBytes: result.err.bytes,
    });
    if (task.orphan) await settle(task);
    else link.send({ type: 'task.exit', taskId, fence, result });
    around.freed();
  }

  async function refuse(task: LiveTask, refusal: Refused): Promise<void> {
    const { taskId, fence } = task;
    task.refusal = { ...refusal, message: refusal.message.slice(0, 1024) };
    task.phase = 'refused';
    logger.info(MESSAGES.taskRefused, { task: taskId, verb: task.verb, ...logged(refusal) });
    await journal.append([{ kind: 'refused', taskId, ...task.refusal }]).catch(() => undefined);
    if (task.orphan) await settle(task);
    else link.send({ type: 'task.refused', taskId, fence, ...task.refusal });
    around.freed();
  }

  async function end(task: LiveTask, graceMs: number): Promise<void> {
    if (task.phase === 'exited' || task.phase === 'refused') return task.orphan ? settle(task) : undefined;
    if (task.phase === 'queued') return finishWithout(task, 'cancelled', 'cancelled before it started');
    task.cancelGraceMs = Math.min(task.cancelGraceMs ?? graceMs, graceMs);
    if (task.phase !== 'running') return; // adopt() comes back to it
    await insist((signal) => launcher.end({ taskId: task.taskId, reason: 'cancelled', graceMs }, signal), stopping);
  }

  async function settle(task: LiveTask): Promise<void> {
    if (!tasks.delete(task.taskId)) return;
    outflow.remove(task.flow);
    releaseTask(task);
    await journal.append([{ kind: 'settled', taskId: task.taskId, at: clock.now() }]).catch(() => undefined);
    await forget(task.taskId, stopping);
  }

  async function forget(taskId: string, signal: AbortSignal): Promise<void> {
    const { state } = await insist((inner) => launcher.forget(taskId, inner), signal);
    // A disk that cannot be written keeps what should go: asked again later, so that nothing is left when it heals.
    if (state === 'refused' && !tasks.has(taskId)) unforgotten.add(taskId);
  }

  function judgeSpool(task: LiveTask): void {
    if (task.phase !== 'running') return;
    const waiting = task.flow.out.produced + task.flow.err.produced - task.acked;
    const hold = task.held ? waiting > deps.spoolCapBytes / 2 : waiting > deps.spoolCapBytes;
    if (hold === task.held) return;
    task.held = hold;
    logger.debug(hold ? MESSAGES.taskHeld : MESSAGES.taskResumed, { task: task.taskId, bytes: waiting });
    background(insist((signal) => launcher.hold(task.taskId, task.held, signal), stopping).then(() => undefined));
  }

  async function recover(signal: AbortSignal): Promise<void> {
    const seen = await insist((inner) => launcher.statusAll(inner), signal);
    const sameBoot = journal.previousBootId === journal.ledger.bootId;
    const now = clock.monotonicMs();
    for (const entry of [...journal.ledger.entries.values()]) {
      if (entry.state === 'settled') {
        if (seen.has(entry.taskId)) await forget(entry.taskId, signal);
        continue;
      }
      await recoverOne(entry, { now, sameBoot, signal });
    }
    for (const [taskId, evidence] of seen) {
      if (journal.ledger.entries.has(taskId)) continue;
      // Its record was lost, with a damaged journal or with the state directory. Nobody may think that it never ran.
      logger.warn(MESSAGES.taskUnrecorded, { task: taskId, state: evidence.state });
      if (evidence.state === 'not_started' || evidence.state === 'start_failed') await forget(taskId, signal);
      else {
        apply(journal.ledger, { ...foundEntry(taskId), kind: 'received' });
        await recoverOne({ ...foundEntry(taskId), state: 'running' }, { now, sameBoot, signal });
      }
    }
  }

  async function recoverOne(
    entry: LedgerEntry,
    how: { readonly now: number; readonly sameBoot: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    const task = rememberedTask(entry, { tasksDir: deps.tasksDir, now: how.now });
    tasks.set(task.taskId, task);
    if (entry.state === 'exited' || entry.state === 'refused') {
      outflow.add(task.flow);
      return;
    }
    const evidence = await insist((inner) => launcher.seal(task.taskId, inner), how.signal);
    const verdict = judgeTask(entry.state, evidence, how.sameBoot);
    logger.info(MESSAGES.taskFound, {
      task: task.taskId,
      was: entry.state,
      state: evidence.state,
      verdict: verdict.kind,
    });
    if (verdict.kind === 'not_started') return refuse(task, { code: 'not_started', message: verdict.message });
    if (entry.state === 'running') task.phase = 'running';
    await follow(task, evidence, how.sameBoot);
    // A task may have been held by the agent before us; whether it still must be is judged anew.
    if (evidence.state === 'running') {
      task.held = true;
      judgeSpool(task);
    }
  }

  async function review(signal: AbortSignal): Promise<void> {
    const now = clock.monotonicMs();
    const running = [...tasks.values()].filter((task) => task.phase === 'running');
    for (const task of running) {
      task.flow.dirty = true;
      judgeSpool(task);
      lookForEnd(task);
    }
    if (running.length + unforgotten.size === 0 || now - statusAt < STATUS_EVERY_MS) return;
    statusAt = now;
    const seen = await launcher.statusAll(signal).catch(() => undefined);
    if (!seen) return;
    for (const task of running) {
      conclude(task, seen.get(task.taskId) ?? { state: 'unknown' });
    }
    for (const taskId of unforgotten) {
      if (!tasks.has(taskId)) {
        const answer = await launcher.forget(taskId, signal).catch(() => undefined);
        if (!answer || answer.state === 'refused') return; // Nothing has changed, for the others neither.
      }
      unforgotten.delete(taskId);
    }
  }

  return {
    launch,
    launchJournalled,
    end,
    refuse,
    settle,
    forget,
    judgeSpool,
    recover,
    review,
    finished,
  };
}

function isAbsent(error: unknown): boolean {
  return error instanceof ViworksError && error.code === 'VW_GATEWAY_LAUNCHER_ABSENT';
}
