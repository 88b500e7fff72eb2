// What the backend is told about a task, by its phase. Pure.
import type { Frame, FrameOf } from '../../protocol/index.ts';
import type { LiveTask } from './task.ts';

/** The frames that bring a backend up to date about one task. */
export function reportsOf(task: LiveTask): Frame[] {
  const { taskId, fence } = task;
  switch (task.phase) {
    case 'receiving':
      return []; // said when it is on disk
    case 'queued':
    case 'starting':
      return [{ type: 'task.accepted', taskId, fence }];
    case 'running':
      return [{ type: 'task.accepted', taskId, fence }, startedFrame(task)];
    case 'exited': {
      if (!task.result) return [];
      const exit: Frame = { type: 'task.exit', taskId, fence, result: task.result };
      const ran = task.startedAt > 0;
      return ran ? [{ type: 'task.accepted', taskId, fence }, startedFrame(task), exit] : [exit];
    }
    case 'refused':
      return task.refusal ? [{ type: 'task.refused', taskId, fence, ...task.refusal }] : [];
  }
}

/** Binds the task's number on this link. */
export function startedFrame(task: LiveTask): FrameOf<'task.started'> {
  const { taskId, streamEpoch, startedAt } = task;
  return { type: 'task.started', taskId, taskRef: task.flow.taskRef, streamEpoch, startedAt };
}

/** The task's line in HELLO. */
export function helloLine(task: LiveTask): FrameOf<'session.hello'>['tasks'][number] {
  const position = (stream: { readonly produced: number }): { produced: number; acked: number; oldest: number } => ({
    produced: stream.produced,
    acked: 0, // nothing is ever taken out of the spool before the task is settled, so every byte can be sent again
    oldest: 0,
  });
  const running = task.phase === 'starting' || task.phase === 'running';
  return {
    taskId: task.taskId,
    fence: task.fence,
    state: task.phase === 'exited' ? 'exited' : running ? 'running' : 'accepted',
    streamEpoch: task.streamEpoch,
    out: position(task.flow.out),
    err: position(task.flow.err),
  };
}
