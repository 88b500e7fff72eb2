// What `viworks tasks` offers and says.
import { expect, test } from 'vitest';
import { http } from '../../agents/protocol/index.ts';
import { TASK_STATES } from './command.ts';
import { renderTasks } from './render.ts';

test('the states that can be asked for are those of the protocol', () => {
  expect(TASK_STATES).toEqual(http.TASK_STATES);
});

test('an empty list says whether there is nothing at all, or nothing of the kind', () => {
  expect(renderTasks([], 0)).toContain('viworks run GATEWAY');
  expect(renderTasks([], 0, ' of gw1 in state running')).toBe('no tasks of gw1 in state running\n');
});
