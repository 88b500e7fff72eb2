// Gateways that are in no inventory: who they are, and a hint that can be followed.
import { expect, test } from 'vitest';
import { describeStrays, findStrays } from './strays.ts';

type Inventory = Parameters<typeof describeStrays>[1];
const inventory = (...hosts: readonly string[]): Inventory =>
  ({
    backend: { host: 'be1' },
    gateways: [{ id: 'gw-1', host: 'gw1' }],
    hosts: Object.fromEntries(['be1', 'gw1', ...hosts].map((name) => [name, {}])),
  }) as unknown as Inventory;

test('those of the inventory are none, and nothing is said without any', () => {
  expect(findStrays(['gw-1', 'mine', 'mine'], inventory())).toEqual(['mine']);
  expect(describeStrays([], inventory())).toEqual([]);
});

test('several are one quiet remark', () => {
  const [first, second, ...more] = describeStrays(['mine', 'old'], inventory());
  expect(first).toBe('· connected but not in this inventory: mine, old (fine when enrolled by hand)');
  expect([second?.startsWith('  '), more]).toEqual([true, []]);
});

test.each([
  [[], /put its \[hosts\.NAME\] into the inventory, then: viworks deploy remove --host NAME$/],
  [['gw2'], /: viworks deploy remove --host gw2; when it is elsewhere, put its \[hosts/],
  [['gw2', 'gw3'], /: viworks deploy remove --host HOST \(gw2, gw3\); when/],
])('with the idle hosts %j, the hint names what is there', (hosts, hint) => {
  expect(describeStrays(['old'], inventory(...hosts))[1]).toMatch(hint);
});
