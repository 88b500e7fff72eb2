// Records → bodies of the API. Pure.
import type { http } from '../../protocol/index.ts';
import type { CommandRecord, TaskRecord } from '../storage/records.ts';

/** A task as the API shows it. */
export function toTaskBody(task: TaskRecord, command: CommandRecord): http.TaskBody {
  return {
    taskId: task.taskId,
    commandId: task.commandId,
    gatewayId: task.gatewayId,
    verb: command.verb,
    args: { ...command.args },
    state: task.state,
    fence: task.fence,
    createdAt: task.createdAt,
    expiresAt: task.expiresAt,
    out: { stored: task.outStored },
    err: { stored: task.errStored },
    createdBy: command.createdBy,
    ...(task.startedAt !== undefined && { startedAt: task.startedAt }),
    ...(task.finishedAt !== undefined && { finishedAt: task.finishedAt }),
    ...(task.cancelRequestedAt !== undefined && { cancelRequestedAt: task.cancelRequestedAt }),
    ...(task.end && { end: task.end }),
  };
}

/** A command with its tasks. */
export function toCommandBody(command: CommandRecord, tasks: readonly TaskRecord[]): http.CommandBody {
  return {
    commandId: command.commandId,
    verb: command.verb,
    createdAt: command.createdAt,
    tasks: tasks.map((task) => toTaskBody(task, command)),
  };
}
