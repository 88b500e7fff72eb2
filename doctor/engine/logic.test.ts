// Three-valued logic, signs, the store and the view: absence is never a no, and every read is noted.
import { expect, test } from 'vitest';
import { cases } from '../../test/support/doctor/index.ts';
import { emptyWorld, gw, topology } from '../../test/support/doctor/world.ts';
import {
  allOf,
  anyOf,
  createFactStore,
  createView,
  every,
  judge,
  known,
  negate,
  not,
  notApplicable,
  sign,
  some,
  type Tri,
  tri,
  unknown,
} from './index.ts';

const three: readonly Tri[] = ['yes', 'no', 'unknown'];

test.each(three.flatMap((a) => three.map((b) => [a, b] as const)))(
  'every and some of %s and %s agree with Kleene and De Morgan',
  (a, b) => {
    expect(every([a, b])).toBe(a === 'no' || b === 'no' ? 'no' : a === 'yes' && b === 'yes' ? 'yes' : 'unknown');
    expect(negate(every([a, b]))).toBe(some([negate(a), negate(b)]));
    expect(every([a, b])).toBe(every([b, a]));
  },
);

test('nothing at all is every and not some', () => {
  expect([every([]), some([]), tri(true), tri(false)]).toEqual(['yes', 'no', 'yes', 'no']);
});

const view = () => {
  const world = emptyWorld();
  world.put('dns.answer', gw, '', {
    name: 'a',
    addresses: ['192.0.2.10'],
    error: null,
    source: 'resolver',
    milliseconds: 1,
  });
  world.write('tcp.listeners', 'be', '', unknown('no-permission', 'ss'));
  world.write('nginx.files', 'be', '', notApplicable('no nginx'));
  return createView(world.store(), topology, topology.gateways[0] ?? null);
};

test.each([
  ['known and true', ['dns.answer', 'gw'] as const, 'yes'],
  ['unknown stays unknown', ['tcp.listeners', 'be'] as const, 'unknown'],
  ['what nobody wrote is unknown', ['host.clock', 'be'] as const, 'unknown'],
  ['what does not apply is a no', ['nginx.files', 'be'] as const, 'no'],
] as const)('judge: %s', (_name, at, expected) => {
  expect(judge(view(), [...at], () => true)).toBe(expected);
});

test('a view notes what was read, with the gateway filled in', () => {
  const seen = view();
  seen.value('dns.answer', 'gw');
  seen.read('nginx.route', 'be', 'gw');
  expect(seen.reads.map(({ key, vantage, subject, status }) => [key, vantage, subject, status])).toEqual([
    ['dns.answer', gw, '', 'known'],
    ['nginx.route', 'be', gw, 'unknown'],
  ]);
});

test('without a gateway everything seen from one does not apply', () => {
  const seen = createView(createFactStore(), { ...topology, gateways: [] }, null);
  expect(seen.read('dns.answer', 'gw').status).toBe('not-applicable');
  expect(seen.value('host.clock', 'gw')).toBeNull();
});

test('signs combine, with claims of their own', () => {
  const yes = sign('a', () => 'yes');
  const open = sign('b', () => 'unknown');
  const seen = view();
  expect(allOf('all', yes, open).holds(seen)).toBe('unknown');
  expect(anyOf('any', yes, open).holds(seen)).toBe('yes');
  expect(not('not a', yes).holds(seen)).toBe('no');
  expect(not('not a', yes).claim(seen)).toBe('not a');
});

test('a later fact supersedes an earlier one; the series keeps both', () => {
  const world = emptyWorld().put('host.addresses', 'be', '', ['192.0.2.1']);
  const store = world.store();
  const [first] = store.all();
  if (first?.key !== 'host.addresses') throw new Error('unexpected fact');
  store.add({ ...first, reading: known(['192.0.2.2']) });
  expect(store.get('host.addresses', 'be')).toEqual(known(['192.0.2.2']));
  expect(store.series('host.addresses', 'be')).toHaveLength(2);
  expect(store.get('host.addresses', gw)).toEqual(unknown('not-run'));
});

test('the order in which facts arrive does not change the report', () => {
  for (const item of cases.slice(0, 12)) {
    const world = item.world();
    const turned = emptyWorld(world.topology);
    for (const fact of [...world.facts()].reverse())
      turned.write(fact.key, fact.vantage, fact.subject, fact.reading as never);
    expect(turned.report().causes.map((cause) => [cause.code, cause.confidence])).toEqual(
      world.report().causes.map((cause) => [cause.code, cause.confidence]),
    );
  }
});
