// When colour may be written.
import { expect, test } from 'vitest';
import { colourAllowed } from './terminal.ts';

test.each([
  [{}, true, true],
  [{}, false, false],
  [{ TERM: 'dumb' }, true, false],
  [{ NO_COLOR: '1' }, true, false],
  [{ NO_COLOR: '' }, true, true],
  [{ FORCE_COLOR: '1' }, false, true],
  [{ FORCE_COLOR: '0' }, true, false],
  [{ NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
])('%j on a terminal: %s → %s', (env, isTty, allowed) => {
  expect(colourAllowed(env, isTty)).toBe(allowed);
});
