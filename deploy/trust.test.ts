// Pinning a key into the text of an inventory: one line changes, everything else stays.
import { expect, test } from 'vitest';
import { pinHostKey } from './trust.ts';

const TEXT = `# mine
[hosts.be1]
address  = "192.0.2.10"   # here
host_key = "SHA256:old"   # pinned

[hosts."gw.1"]
address = "192.0.2.20"

[deploy]
host_key = "not a host"
`;

test('an old pin is replaced in its place', () => {
  expect(pinHostKey(TEXT, 'be1', 'SHA256:new')).toBe(TEXT.replace('SHA256:old', 'SHA256:new'));
});

test('a missing pin becomes the first line of its table', () => {
  expect(pinHostKey(TEXT, 'gw.1', 'SHA256:new')).toBe(
    TEXT.replace('[hosts."gw.1"]\n', '[hosts."gw.1"]\nhost_key = "SHA256:new"\n'),
  );
});

test('a list of pins becomes the one that was confirmed', () => {
  const listed = TEXT.replace('"SHA256:old"', '["SHA256:a", "SHA256:b"]');
  expect(pinHostKey(listed, 'be1', 'SHA256:new')).toContain('host_key = "SHA256:new"   # pinned');
});

test('a table that is not there is an error', () => {
  expect(() => pinHostKey(TEXT, 'be2', 'SHA256:new')).toThrow('[hosts.be2]');
});
