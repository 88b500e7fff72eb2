import { expect, test } from 'vitest';
import { createId } from './ids.ts';

test('an id is a UUIDv7 that may name a directory, and sorts by time', () => {
  const ids = [1, 1_795_192_741_300, 2 ** 47].map(createId);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(Array.from({ length: 1000 }, () => createId(1))).size).toBe(1000);
});
