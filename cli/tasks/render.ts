// Tasks for people: the table, one of them in detail, and an ending in a few words. Pure.

import type { http } from '../../agents/protocol/index.ts';
import { quoteWord } from '../../agents/runtime/index.ts';
import { renderSpan } from '../duration.ts';
import { renderTable } from '../table.ts';

/** The table of tasks. */
export function renderTasks(tasks: readonly http.TaskBody[], now: number, filtered = ''): string {
  if (tasks.length === 0)
    return filtered === '' ? 'no tasks yet; start one with: viworks run GATEWAY -- CMD\n' : `no tasks${filtered}\n`;
  const rows = tasks.map((task) => [
    task.taskId,
    task.gatewayId,
    endingOf(task),
    `${renderSpan(Math.max(0, now - task.createdAt))} ago`,
    span(task, now),
    short(commandOf(task), 60),
  ]);
  return renderTable(['TASK', 'GATEWAY', 'STATE', 'STARTED', 'TOOK', 'COMMAND'], rows);
}

/** One task, a fact a line. */
export function renderTask(task: http.TaskBody, now: number): string {
  const end = task.end;
  const facts: (readonly [string, string])[] = [
    ['task', task.taskId],
    ['gateway', task.gatewayId],
    ['command', commandOf(task)],
    ['state', endingOf(task)],
    ['by', task.createdBy],
    ['created', new Date(task.createdAt).toISOString()],
    ['took', span(task, now)],
    ['stdout', `${task.out.stored} bytes`],
    ['stderr', `${task.err.stored} bytes`],
  ];
  if (task.cancelRequestedAt !== undefined)
    facts.push(['cancel', `asked for ${new Date(task.cancelRequestedAt).toISOString()}`]);
  if (end && 'message' in end && end.message) facts.push(['because', end.message]);
  if (end && 'killMode' in end && end.killMode !== 'none') {
    facts.push(['ended by', `${end.killMode}${end.escalated ? ', force was needed' : ''}; ${end.leftovers} left over`]);
  }
  return renderTable(['', ''], facts).trimStart();
}

/** State, or the way it ended: `running`, `exit 7`, `SIGKILL (out of memory)`, `cancelled`. */
export function endingOf(task: http.TaskBody): string {
  const end = task.end;
  if (task.state !== 'finished' || !end) return task.state;
  switch (end.outcome) {
    case 'exited':
      return `exit ${end.code ?? '?'}`;
    case 'signalled':
      return `${end.signal ?? 'signal'}${end.oomKilled ? ' (out of memory)' : ''}`;
    case 'refused':
      return `refused (${end.refusal})`;
    default:
      return end.outcome.replaceAll('_', ' ');
  }
}

function commandOf(task: http.TaskBody): string {
  if (task.verb === 'exec' && Array.isArray(task.args.argv))
    return task.args.argv.map((word) => quoteWord(String(word))).join(' ');
  if (task.verb === 'shell' && typeof task.args.script === 'string') return task.args.script;
  const args = Object.entries(task.args).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [task.verb, ...args].join(' ');
}

function short(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

function span(task: http.TaskBody, now: number): string {
  if (task.startedAt === undefined) return '-';
  return renderSpan(Math.max(0, (task.finishedAt ?? now) - task.startedAt));
}
