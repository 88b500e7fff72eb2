// What sshd says when it opens no forward: a policy of its own, or what connect(2) said on that host.
import { expect, test } from 'vitest';
import { DialError, forwardError } from './link.ts';

test.each([
  [1, 'open failed', 'forbidden'],
  [1, 'administratively prohibited', 'forbidden'],
  [2, 'open failed', 'unreachable'],
  [2, 'Connection refused', 'refused'],
  [2, 'Connection timed out', 'timeout'],
  [2, 'No route to host', 'unreachable'],
  [2, 'Name or service not known', 'unresolved'],
  [undefined, 'Channel open failure: open failed', 'forbidden'],
] as const)('reason %s, "%s": %s', (reason, message, failure) => {
  const error = forwardError(Object.assign(new Error(message), reason === undefined ? {} : { reason }));
  expect(error).toBeInstanceOf(DialError);
  expect(error).toMatchObject({ failure });
});
