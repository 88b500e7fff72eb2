// What a cause needs and does not find is the reason why it is ruled out: a sentence of its own, never an empty one or a repeated claim.
import { expect, test } from 'vitest';
import { cases } from '../../test/support/doctor/index.ts';
import { createView } from '../engine/index.ts';
import { causes } from './index.ts';

test('a sign that fails says in words what there is instead', () => {
  const seen = new Map<string, string>();
  for (const item of cases) {
    const { topology } = item.world();
    const store = item.world().store();
    for (const gateway of topology.gateways) {
      for (const rule of causes) {
        for (const sign of rule.necessary) {
          const view = createView(store, topology, gateway);
          if (sign.holds(view) === 'no') seen.set(sign.denial(view), `${rule.code}, ${item.name}`);
        }
      }
    }
  }
  for (const [text, where] of seen) {
    expect(text.trim().length, where).toBeGreaterThan(8);
    expect(text, where).not.toMatch(/undefined|null|\[object|\(\)|not so that/);
  }
  expect(seen.size).toBeGreaterThan(50);
});
