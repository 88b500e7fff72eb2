// Whatever a run loses, it proves nothing that the whole run does not, is not complete, and is not healthy: over every recorded run cut after
// each of its facts, and over every invented world with facts and hosts taken away.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cut, judgeCut } from '../../test/support/doctor/cut.ts';
import { healthy, healthyDocker, healthyLocal, healthyOther } from '../../test/support/doctor/healthy.ts';
import { cases } from '../../test/support/doctor/index.ts';
import { type Fact, type Report, unknown } from '../engine/index.ts';
import { judgeRecording } from '../judge.ts';
import { readRecording } from '../output/index.ts';

const directory = join(import.meta.dirname, 'cases');
const recordings = readdirSync(directory).map((name) => {
  const read = readRecording(readFileSync(join(directory, name), 'utf8'));
  if (!read.ok) throw new Error(`${name}: ${read.message}`);
  return [name, read.recording] as const;
});
const proven = ({ causes, latent }: Report) =>
  [...causes, ...latent].filter((cause) => cause.confidence === 'proven').map((cause) => cause.code);

describe.each(recordings)('%s', (_, recording) => {
  const whole = judgeRecording(recording);
  const wanted = new Set(proven(whole));
  const count = recording.events.filter((event) => event.type === 'fact').length;
  const hosts = ['be', ...recording.topology.gateways.map((gateway) => `gw:${gateway.id}`)];
  const cuts: readonly Cut[] = [
    { how: 'stopped', host: '' },
    ...hosts.flatMap((host) => (['lost', 'timeout'] as const).map((how) => ({ how, host }))),
  ];

  test.each(cuts)('$how $host, after each fact', (cut) => {
    for (let n = 0; n <= count; n += 1) {
      const { report, took } = judgeCut(recording, n, cut);
      expect(
        proven(report).filter((code) => !wanted.has(code)),
        `after ${n} facts`,
      ).toEqual([]);
      if (took)
        expect([report.complete, report.verdict === 'healthy', report.exitCode === 0]).toEqual([false, false, false]);
      else expect(report).toEqual(whole);
    }
  });
});

const worlds = [
  ...cases,
  ...[healthy, healthyDocker, healthyLocal, healthyOther].map((world) => ({
    name: 'healthy',
    world,
    causes: [],
    whenBlind: [],
  })),
];
const hosts = ['be', 'gw:gw-berlin-1'];
const isOn = (fact: Fact, host: string) => fact.vantage.replace(/\/ns:.*/, '') === host;

test('any facts or a whole host taken away: nothing new is proven, and never healthy', () => {
  const which = fc.record({
    world: fc.nat(worlds.length - 1),
    hidden: fc.array(fc.nat(200), { minLength: 1, maxLength: 12 }),
    host: fc.constantFrom('', ...hosts),
    reason: fc.constantFrom('lost' as const, 'cut' as const),
  });
  fc.assert(
    fc.property(which, ({ world: index, hidden, host, reason }) => {
      const item = worlds[index];
      if (!item) return;
      const world = item.world();
      const facts = world.facts();
      const gone = facts.filter((fact, at) => hidden.some((n) => n % facts.length === at) || isOn(fact, host));
      for (const { key, vantage, subject } of gone) world.write(key, vantage, subject, unknown(reason, 'taken away'));
      const report = world.report();
      const allowed = new Set([
        ...item.causes,
        ...('latent' in item ? (item.latent ?? []) : []),
        ...(item.whenBlind ?? []),
      ]);
      expect(
        proven(report).filter((code) => !allowed.has(code)),
        item.name,
      ).toEqual([]);
      expect([report.verdict === 'healthy', report.complete], item.name).toEqual([false, false]);
    }),
    { numRuns: 600 },
  );
  // Pure work, and seconds of it: a machine that is busy with other suites takes longer.
}, 60_000);

test.each([healthy, healthyDocker])(
  'without an answer of the registry or the canary, or a look at a host, never healthy',
  (make) => {
    for (const reason of ['lost', 'cut', 'timeout', 'unreachable', 'not-run', 'unparsed', 'peer-unproven'] as const) {
      for (const fact of make()
        .facts()
        .filter(({ key }) => ['registry.entry', 'canary', 'host.access'].includes(key))) {
        const report = make().write(fact.key, fact.vantage, fact.subject, unknown(reason, '')).report();
        expect(report.verdict, `${fact.key} ${reason}`).not.toBe('healthy');
      }
    }
  },
);
