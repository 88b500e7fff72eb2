// What comes over the wire is believed only in these shapes.
import { expect, test } from 'vitest';
import { isDigest, isReleaseId, isSafePath } from './manifest.ts';

test.each([
  ['etc/backend.toml', true],
  ['dist/chunk-AB_1.js', true],
  ['units/a@b.service', true],
  ['../etc/passwd', false],
  ['a/../b', false],
  ['a/..', false],
  ['/etc/passwd', false],
  ['a//b', false],
  ['a/', false],
  ['./a', false],
  ['a/./b', false],
  ['', false],
  ['a b', false],
  ['a\nb', false],
  ['a\0b', false],
  ['a'.repeat(600), false],
])('the path %j is safe: %s', (path, safe) => {
  expect(isSafePath(path)).toBe(safe);
});

test('digests and ids', () => {
  expect([isDigest('a'.repeat(64)), isDigest('A'.repeat(64)), isDigest('a'.repeat(63))]).toEqual([true, false, false]);
  expect([
    isReleaseId('20261120T171502Z-0123456789ab'),
    isReleaseId('../x'),
    isReleaseId('20261120T171502Z-0123'),
  ]).toEqual([true, false, false]);
});
