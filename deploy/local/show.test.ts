// The doctor's report as one line.
import { expect, test } from 'vitest';
import { renderPath } from './show.ts';

test('the path names what was looked at, in order', () => {
  const path = [
    { label: 'gateway', state: 'ok' },
    { label: 'vhost', state: 'skipped' },
    { label: 'ws port', state: 'ok' },
    { label: 'canary', state: 'ok' },
  ];
  expect(renderPath({ verdict: 'healthy', path })).toBe('  path  gateway ok → ws port ok → canary ok      healthy');
});
