// The end of a task: only when every byte that its gateway counted is stored, and is the byte that the gateway hashed.
import { createHash } from 'node:crypto';
import type { FrameOf, StreamName, TaskResult } from '../../protocol/index.ts';
import { MESSAGES } from '../messages.ts';
import { type EngineCore, ignore } from './core.ts';
import type { LiveTask } from './live-task.ts';

const STREAMS: readonly StreamName[] = ['out', 'err'];

/** Takes a result. The task ends now, or when its last output has come. */
export function takeExit(core: EngineCore, task: LiveTask, exit: FrameOf<'task.exit'>): void {
  // The same result again, after a reconnect or a restart.
  if (task.record.state === 'finishing') completeWhenWhole(core, task);
  else if (isWhole(task, exit.result)) {
    // What is complete goes into the store in one write, as finished.
    task.record = { ...task.record, result: exit.result };
    completeWhenWhole(core, task);
  } else core.apply(task, 'exit_received', { patch: { result: exit.result, lostFrom: undefined }, urgency: 'now' });
}

/** Ends the task if its result is known and nothing is missing. */
export function completeWhenWhole(core: EngineCore, task: LiveTask): void {
  const { result } = task.record;
  if (!result || task.completing || !isWhole(task, result)) return;
  task.completing = true;
  const hashes = STREAMS.map((name) => task.streams[name].hash?.copy().digest('hex'));
  const known = STREAMS.every((name, index) => hashes[index] !== undefined || !isVerifiable(task, name));
  if (known) end(core, task, { result, hashes });
  else void rehash(core, task).then((stored) => end(core, task, { result, hashes: stored }), ignore);
}

/** Ends a task whose gateway no longer knows it: with its result if that came, else as indeterminate. */
export function completeLost(core: EngineCore, task: LiveTask, message: string): void {
  if (task.completing) return;
  task.completing = true;
  void rehash(core, task).then((stored) => endLost(core, task, { stored, message }), ignore);
}

function endLost(
  core: EngineCore,
  task: LiveTask,
  known: { stored: readonly (string | undefined)[]; message: string },
): void {
  const { stored, message } = known;
  const total = (name: StreamName): { bytes: number; sha256: string } => ({
    bytes: task.streams[name].assembly.next,
    sha256: stored[STREAMS.indexOf(name)] ?? '',
  });
  const { result, startedAt } = task.record;
  core.finish(
    task,
    'completed',
    result
      ? { ...result, message: joined(result.message, message) }
      : {
          outcome: 'indeterminate',
          out: total('out'),
          err: total('err'),
          durationMs: startedAt === undefined ? 0 : Math.max(0, core.clock.now() - startedAt),
          leftovers: 0,
          killMode: 'none',
          escalated: false,
          oomKilled: false,
          message,
        },
  );
}

function isWhole(task: LiveTask, result: TaskResult): boolean {
  return task.spoolLost || STREAMS.every((name) => task.streams[name].assembly.next >= result[name].bytes);
}

function isVerifiable(task: LiveTask, name: StreamName): boolean {
  return !task.spoolLost && task.streams[name].gapBytes === 0;
}

function end(
  core: EngineCore,
  task: LiveTask,
  known: { result: TaskResult; hashes: readonly (string | undefined)[] },
): void {
  const { result } = known;
  const mismatched = STREAMS.filter(
    (name, index) =>
      isVerifiable(task, name) &&
      (task.streams[name].assembly.next !== result[name].bytes || known.hashes[index] !== result[name].sha256),
  );
  const problems = STREAMS.flatMap((name) => {
    const { assembly, gapBytes } = task.streams[name];
    if (task.spoolLost) return [`${name}: the gateway lost its spool, the rest is missing`];
    if (gapBytes > 0) return [`${name}: ${gapBytes} bytes are missing`];
    return mismatched.includes(name)
      ? [`${name}: the ${assembly.next} bytes stored are not the ${result[name].bytes} that the gateway hashed`]
      : [];
  });
  if (mismatched.length > 0) {
    core.metrics.outputMismatch.inc();
    core.logger.error(MESSAGES.outputMismatch, { task: task.record.taskId, gateway: task.record.gatewayId, problems });
  }
  core.metrics.tasksFinished.inc({ verb: task.command.verb, result: result.outcome });
  if (task.record.cancelRequestedAt !== undefined)
    core.metrics.cancelToEmpty.observe((core.clock.now() - task.record.cancelRequestedAt) / 1000);
  core.finish(
    task,
    'completed',
    problems.length === 0 ? result : { ...result, message: joined(result.message, problems.join('; ')) },
  );
}

/** Hashes what is stored, in pieces, letting other work in between: for streams whose beginning this process did not see. */
async function rehash(core: EngineCore, task: LiveTask): Promise<(string | undefined)[]> {
  await core.store.flush();
  const digests: (string | undefined)[] = [];
  for (const name of STREAMS) {
    const hash = createHash('sha256');
    const { next } = task.streams[name].assembly;
    let at = 0;
    let missing = 0;
    while (at < next) {
      const piece = await core.store.output(task.record.taskId, name, at);
      if (!piece) break;
      if (piece.kind === 'gap') {
        at = piece.gap.to;
        missing += piece.gap.to - piece.gap.from;
        continue;
      }
      hash.update(piece.bytes);
      at += piece.bytes.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    task.streams[name].gapBytes = missing;
    digests.push(hash.digest('hex'));
  }
  return digests;
}

function joined(first: string | undefined, second: string): string {
  return (first === undefined ? second : `${first}; ${second}`).slice(0, 1024);
}
