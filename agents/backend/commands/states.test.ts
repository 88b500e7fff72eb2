import { expect, test } from 'vitest';
import { http } from '../../protocol/index.ts';
import { nextState, type TaskEvent, TRANSITIONS } from './states.ts';

const EVENTS = Object.keys(TRANSITIONS) as TaskEvent[];

test.each<[TaskEvent, string, string | undefined]>([
  ['sent', 'queued', 'sent'],
  ['sent', 'running', undefined],
  ['accepted', 'sent', 'accepted'],
  ['accepted', 'unknown', 'accepted'],
  ['accepted', 'running', undefined],
  ['started', 'sent', 'running'],
  ['started', 'finishing', undefined],
  ['exit_received', 'running', 'finishing'],
  ['completed', 'finishing', 'finished'],
  ['completed', 'queued', undefined],
  ['never_ran', 'queued', 'finished'],
  ['never_ran', 'running', undefined],
  ['requeued', 'accepted', 'queued'],
  ['requeued', 'running', undefined],
  ['gateway_lost', 'queued', undefined],
  ['gateway_lost', 'running', 'unknown'],
])('%s in %s leads to %s', (event, state, expected) => {
  expect(nextState(state as http.TaskState, event)).toBe(expected);
});

test('nothing leads out of finished', () => {
  for (const event of EVENTS) expect(nextState('finished', event)).toBeUndefined();
});

test('from every other state, finished can be reached', () => {
  for (const start of http.TASK_STATES) {
    const reached = new Set<http.TaskState>([start]);
    for (const state of reached) {
      for (const event of EVENTS) {
        const next = nextState(state, event);
        if (next) reached.add(next);
      }
    }
    expect(reached.has('finished'), start).toBe(true);
  }
});
