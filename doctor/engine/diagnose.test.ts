// The diagnosis itself, on small made-up rules: grading, look-alikes, folding, masking across several hops, order, crashing checks.
import { expect, test } from 'vitest';
import { emptyWorld, gw, meta, topology, type World } from '../../test/support/doctor/world.ts';
import {
  type CauseRule,
  type Check,
  diagnose,
  type HopId,
  judge,
  type Report,
  type Sign,
  sign,
  type Tri,
  type Verdict,
} from './index.ts';

/** One switch a letter: known yes, known no, or not known, kept as addresses of the backend host under that subject. */
/** Without an nginx who answers is no question. */
const bareWorld = (): World =>
  emptyWorld().write('nginx.route', 'be', 'agents', { status: 'not-applicable', why: 'no nginx here' });

function worldOf(switches: Readonly<Record<string, Tri>>, from: World = bareWorld()): World {
  for (const [name, value] of Object.entries(switches)) {
    if (value === 'unknown')
      from.write('host.addresses', 'be', name, { status: 'unknown', reason: 'no-permission', detail: '' });
    else from.put('host.addresses', 'be', name, value === 'yes' ? ['on'] : []);
  }
  return from;
}

const is = (name: string): Sign =>
  sign([`${name} holds`, `${name} fails`], (view) =>
    judge(view, ['host.addresses', 'be', name], (list) => list.length > 0),
  );

type CauseParts = Partial<Omit<CauseRule, 'title'>> & { readonly code: string };
const cause = (parts: CauseParts): CauseRule => ({
  name: parts.code,
  layer: 'backend',
  hop: 'route',
  host: 'be',
  per: 'site',
  scope: 'active',
  title: () => `${parts.code} happened`,
  necessary: [is('a')],
  signature: [],
  supports: [],
  forbids: [],
  lookalikes: [],
  predicts: ['x.one.fails'],
  followsFrom: [],
  leadsAway: false,
  remedy: () => ({ text: 'mend it', commands: [] }),
  help: 'help',
  ...parts,
});

const check = (id: string, state: Verdict['state'], parts: Partial<Check> = {}): Check => ({
  id,
  title: id,
  hop: 'route',
  per: 'site',
  host: 'be',
  needs: [],
  dependsOn: [],
  outage: true,
  evaluate: () => ({ state, detail: '' }),
  ...parts,
});

const failing = check('x.one.fails', 'fail');

function run(
  switches: Readonly<Record<string, Tri>>,
  causes: readonly CauseRule[],
  checks: readonly Check[] = [failing],
): Report {
  const world = worldOf(switches);
  return diagnose({ store: world.store(), topology }, { causes, checks }, meta);
}
const named = (report: Report) => report.causes.map((item) => `${item.code} ${item.confidence}`);

test.each([
  ['all holds', { a: 'yes', b: 'yes' }, ['XX-01 proven']],
  ['the signature has a gap', { a: 'yes', b: 'unknown' }, ['XX-01 likely']],
  ['the signature is known not to hold', { a: 'yes', b: 'no' }, []],
  ['a necessary sign is missing', { a: 'unknown', b: 'yes' }, []],
  ['a necessary sign refutes', { a: 'no', b: 'yes' }, []],
  ['a forbidden sign eliminates', { a: 'yes', b: 'yes', f: 'yes' }, []],
  ['a forbidden sign that is not known does not', { a: 'yes', b: 'yes', f: 'unknown' }, ['XX-01 proven']],
] as const)('grading: %s', (_name, switches, expected) => {
  expect(
    named(run({ f: 'no', ...switches }, [cause({ code: 'XX-01', signature: [is('b')], forbids: [is('f')] })])),
  ).toEqual(expected);
});

const rivals = [
  cause({ code: 'XX-01', lookalikes: [{ code: 'XX-02', separator: is('s') }] }),
  cause({ code: 'XX-02', necessary: [is('r')], lookalikes: [{ code: 'XX-01', separator: is('t') }] }),
];

test.each([
  ['the separator decides', { a: 'yes', r: 'unknown', s: 'yes', t: 'unknown' }, ['XX-01 proven'], 3],
  ['the rival is refuted by its own facts', { a: 'yes', r: 'no', s: 'unknown', t: 'unknown' }, ['XX-01 proven'], 3],
  ['neither: unsure, and nothing is named', { a: 'yes', r: 'yes', s: 'unknown', t: 'unknown' }, [], 5],
  ['the separator speaks against it', { a: 'yes', r: 'no', s: 'no', t: 'no' }, [], 5],
] as const)('look-alikes: %s', (_name, switches, expected, exitCode) => {
  const report = run(switches, rivals);
  expect(named(report)).toEqual(expected);
  expect(report.exitCode).toBe(exitCode);
  const [first] = report.causes;
  if (first) expect(first.ruledOut.map((item) => item.code)).toEqual(['XX-02']);
  if (_name.startsWith('neither')) {
    expect(report.unsure).toEqual([
      { codes: ['XX-01', 'XX-02'], need: ['host.addresses(s) @ be', 'host.addresses(t) @ be'] },
    ]);
  }
});

test('a cause that explains no finding is not reported, however well it fits', () => {
  expect(named(run({ a: 'yes' }, [cause({ code: 'XX-01' })], [check('x.one.fails', 'pass')]))).toEqual([]);
});

test('a cause that follows from another is a link of its chain, also over two steps', () => {
  const report = run({ a: 'yes' }, [
    cause({ code: 'XX-03', followsFrom: ['XX-02'] }),
    cause({ code: 'XX-02', followsFrom: ['XX-01'] }),
    cause({ code: 'XX-01' }),
  ]);
  expect(named(report)).toEqual(['XX-01 proven']);
  expect(report.causes[0]?.chain.map((link) => link.code)).toEqual(['XX-03', 'XX-02']);
});

test('masking is transitive: A fails, B depends on A, C depends on B alone; all are explained by what explains A', () => {
  const checks = [
    failing,
    check('x.two.fails', 'fail', { dependsOn: ['x.one.fails'] }),
    check('x.three.fails', 'fail', { dependsOn: ['x.two.fails'] }),
  ];
  const report = run({ a: 'yes' }, [cause({ code: 'XX-01' })], checks);
  expect(report.causes[0]?.explains.map((item) => item.check)).toEqual(['x.one.fails', 'x.two.fails', 'x.three.fails']);
  expect(report.unexplained).toEqual([]);
  expect(run({ a: 'no' }, [cause({ code: 'XX-01' })], checks).unexplained.map((item) => item.check)).toEqual(
    checks.map((item) => item.id),
  );
});

test('a finding that nothing explains is said to be so, beside the causes', () => {
  const report = run({ a: 'yes' }, [cause({ code: 'XX-01' })], [failing, check('x.other.fails', 'fail')]);
  expect([named(report), report.unexplained.map((item) => item.check), report.exitCode]).toEqual([
    ['XX-01 proven'],
    ['x.other.fails'],
    3,
  ]);
});

test('a merely likely cause is dropped when a proven one explains the same; two proven ones both stay', () => {
  const likely = cause({ code: 'XX-01', signature: [is('b')] });
  expect(named(run({ a: 'yes', b: 'unknown' }, [likely, cause({ code: 'XX-02' })]))).toEqual(['XX-02 proven']);
  expect(named(run({ a: 'yes', b: 'yes' }, [likely, cause({ code: 'XX-02' })]))).toEqual([
    'XX-01 proven',
    'XX-02 proven',
  ]);
});

test('causes come from the backend outwards, whatever the order of the rules', () => {
  const at = (code: string, hop: HopId) => cause({ code, hop });
  const rules = [
    at('XX-05', 'gateway'),
    at('XX-04', 'dns'),
    at('XX-03', 'route'),
    at('XX-02', 'ws-port'),
    at('XX-06', 'canary'),
    at('XX-01', 'host'),
  ];
  const expected = ['XX-01', 'XX-02', 'XX-03', 'XX-04', 'XX-05', 'XX-06'].map((code) => `${code} proven`);
  expect(named(run({ a: 'yes' }, rules))).toEqual(expected);
  expect(named(run({ a: 'yes' }, [...rules].reverse()))).toEqual(expected);
});

test('latent causes and lost sight have their own lists and do not make it broken', () => {
  const report = run(
    { a: 'yes' },
    [cause({ code: 'XX-01', scope: 'latent' }), cause({ code: 'XX-02', scope: 'sight' })],
    [check('x.one.fails', 'pass')],
  );
  expect([
    report.causes,
    report.latent.map((item) => item.code),
    report.sight.map((item) => item.code),
    report.exitCode,
  ]).toEqual([[], ['XX-01'], ['XX-02'], 0]);
});

test('a check that crashes is a verdict of its own and stops nobody', () => {
  const broken = check('x.broken.check', 'pass', {
    evaluate: () => {
      throw new Error('oh');
    },
  });
  const report = run({ a: 'yes' }, [cause({ code: 'XX-01' })], [broken, failing]);
  expect(report.verdicts.map((item) => [item.check, item.state])).toEqual([
    ['x.broken.check', 'error'],
    ['x.one.fails', 'fail'],
  ]);
  expect(named(report)).toEqual(['XX-01 proven']);
});

test.each([
  ['pass', 'healthy', 0],
  ['info', 'healthy', 0],
  ['warn', 'healthy', 0],
  ['skipped', 'healthy', 0],
  ['unknown', 'inconclusive', 5],
  ['fail', 'unexplained', 5],
] as const)('a required check that is %s makes it %s', (state, verdict, exitCode) => {
  const report = run({}, [], [check('x.required.check', state, { required: true })]);
  expect([report.verdict, report.exitCode]).toEqual([verdict, exitCode]);
});

test('a cause of one gateway names that gateway and does not explain another one', () => {
  const [first] = topology.gateways;
  if (!first) throw new Error('no gateway');
  const two = { ...topology, gateways: [first, { ...first, id: 'gw-2' }] };
  const world = emptyWorld(two).put('host.addresses', gw, 'a', ['on']).put('host.addresses', 'gw:gw-2', 'a', []);
  const own = sign(['a holds there', 'a fails there'], (view) =>
    judge(view, ['host.addresses', 'gw', 'a'], (list) => list.length > 0),
  );
  const rule = cause({ code: 'XX-01', per: 'gateway', host: 'gw', necessary: [own] });
  const everywhere = check('x.one.fails', 'fail', { per: 'gateway' });
  const report = diagnose({ store: world.store(), topology: two }, { causes: [rule], checks: [everywhere] }, meta);
  expect(report.causes.map((item) => item.gateways)).toEqual([['gw-berlin-1']]);
  expect(report.unexplained.map((item) => item.gateway)).toEqual(['gw-2']);
});

test('evidence names the fact that decided, once for each claim, with at most five lines', () => {
  const [first] = run({ a: 'yes', b: 'yes' }, [
    cause({ code: 'XX-01', signature: [is('b')], supports: [is('a')] }),
  ]).causes;
  expect(first?.evidence.map((step) => [step.claim, step.fact.subject])).toEqual([
    ['a holds', 'a'],
    ['b holds', 'b'],
  ]);
  expect(first?.why).toEqual(['a holds', 'b holds']);
});

test('an installation without gateways, nginx and systemd is looked at for what it has', () => {
  const bare = {
    ...topology,
    kind: 'other' as const,
    gateways: [],
    nginx: { supervision: 'none' as const, unit: null, container: null },
  };
  const report = diagnose({ store: emptyWorld(bare).store(), topology: bare }, { causes: [], checks: [] }, meta);
  const applicable = report.path.filter((hop) => hop.state !== 'skipped').map((hop) => hop.id);
  expect(applicable).toEqual(['ws-port', 'upgrade']);
});
