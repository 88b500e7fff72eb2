// A cause about a unit names its object: the setting, its value, its file and line; and its commands can be pasted.
import { expect, test } from 'vitest';
import { setupTitles } from '../../test/support/doctor/unit-setup.ts';

test.each(setupTitles.map((item) => [item.name, item] as const))('%s', (_name, item) => {
  const [cause] = item.world().report().causes;
  expect(cause?.title).toMatch(item.title);
  expect(cause?.remedy.commands.length).toBeGreaterThan(0);
  for (const command of cause?.remedy.commands ?? []) expect(command).toMatch(/^(be1|gw1)# [a-z]/);
});
