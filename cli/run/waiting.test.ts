// What is said while nobody has taken the command.
import { expect, test } from 'vitest';
import { describeWait } from './waiting.ts';

const NOW = 1_000_000;
// The backend's clock; what the operator's says must not come into it.
const task = { gatewayId: 'gw1', createdAt: NOW, expiresAt: NOW + 60_000 };

test.each([
  [
    { state: 'disconnected', lastSeenAt: NOW - 200_000 },
    'gw1 is offline, last seen 3 min ago; waiting for it up to 60 s',
  ],
  [{ state: 'disconnected' }, 'gw1 is offline; waiting for it up to 60 s'],
  [{ state: 'disconnected', lastSeenAt: NOW + 300 }, 'gw1 is offline, last seen just now; waiting for it up to 60 s'],
  [{ state: 'never_connected' }, 'gw1 has never connected; waiting for it up to 60 s'],
  [{ state: 'connected' }, 'gw1 is connected, but has not taken the command yet; waiting for it up to 60 s'],
  [undefined, 'gw1 has not taken the command yet; waiting for it up to 60 s'],
] as const)('%j', (known, begin) => {
  expect(describeWait(task, known)).toBe(`${begin} (--ttl changes that)`);
});

test('short waits keep their tenths only where they say something', () => {
  expect(describeWait({ ...task, expiresAt: NOW + 3_000 }, undefined)).toContain('up to 3 s');
  expect(describeWait({ ...task, expiresAt: NOW + 1_500 }, undefined)).toContain('up to 1.5 s');
});
