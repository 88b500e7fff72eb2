// The life of a task as a table: which event leads from which state to which. Pure; the engine asks it before every change.
import type { http } from '../../protocol/index.ts';

/** What can happen to a task. */
export type TaskEvent =
  | 'sent'
  | 'accepted'
  | 'started'
  | 'exit_received'
  | 'completed'
  | 'never_ran'
  | 'requeued'
  | 'gateway_lost';

type State = http.TaskState;

/** Event → state it may come in → next state. What is not listed does not change the task. */
export const TRANSITIONS: Readonly<Record<TaskEvent, Partial<Readonly<Record<State, State>>>>> = {
  sent: { queued: 'sent' },
  accepted: { sent: 'accepted', unknown: 'accepted' },
  // A gateway may report `started` for a task whose `accepted` was lost with the link.
  started: { sent: 'running', accepted: 'running', unknown: 'running' },
  exit_received: { sent: 'finishing', accepted: 'finishing', running: 'finishing', unknown: 'finishing' },
  completed: {
    sent: 'finished',
    accepted: 'finished',
    running: 'finished',
    finishing: 'finished',
    unknown: 'finished',
  },
  never_ran: { queued: 'finished', sent: 'finished', accepted: 'finished', unknown: 'finished' },
  requeued: { sent: 'queued', accepted: 'queued', unknown: 'queued' },
  gateway_lost: { sent: 'unknown', accepted: 'unknown', running: 'unknown', finishing: 'unknown' },
};

/** The state after an event, or undefined when the event means nothing in this state. */
export function nextState(state: State, event: TaskEvent): State | undefined {
  return TRANSITIONS[event][state];
}
