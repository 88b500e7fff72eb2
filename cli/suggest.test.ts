// Typing mistakes find their command; words that mean nothing find none.
import { expect, test } from 'vitest';
import { COMMANDS } from './commands.ts';
import { nearest } from './suggest.ts';

const names = COMMANDS.map((command) => command.name);

test.each([
  ['docter', 'doctor'],
  ['odctor', 'doctor'],
  ['gatway', 'gateway'],
  ['gatewyas', 'gateways'],
  ['depoly', 'deploy'],
  ['rnu', 'run'],
  ['u', 'up'],
  ['task', 'tasks'],
  ['xyzzy', undefined],
  ['kubernetes', undefined],
])('%s → %s', (word, expected) => {
  expect(nearest(word, names)).toBe(expected);
});
