import { expect, test } from 'vitest';
import { createBacklog } from './backlog.ts';

test('what goes beyond the limit waits, in order, per gateway', () => {
  const backlog = createBacklog(2);
  expect(['a', 'b', 'c', 'd'].map((task) => backlog.admit('gw1', task))).toEqual([true, true, false, false]);
  expect(backlog.admit('gw2', 'x')).toBe(true);
  expect(backlog.release('gw1', 'a')).toBe('c');
  expect(backlog.admit('gw1', 'c')).toBe(true);
  expect(backlog.release('gw1', 'b')).toBe('d');
});

test('a task that is held may be sent again', () => {
  const backlog = createBacklog(1);
  backlog.admit('gw1', 'a');
  expect(backlog.admit('gw1', 'a')).toBe(true);
});

test('a waiting task that ended is not given out', () => {
  const backlog = createBacklog(1);
  for (const task of ['a', 'b']) backlog.admit('gw1', task);
  expect(backlog.release('gw1', 'b')).toBeUndefined();
  expect(backlog.release('gw1', 'a')).toBeUndefined();
});

test('a new session counts anew', () => {
  const backlog = createBacklog(1);
  backlog.admit('gw1', 'a');
  backlog.reset('gw1', []);
  expect(backlog.admit('gw1', 'b')).toBe(true);
});
