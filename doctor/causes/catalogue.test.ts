// Every cause is named by its own facts, alone and with its look-alikes ruled out; the healthy facts name nothing.
import { expect, test } from 'vitest';
import { blindness } from '../../test/support/doctor/blindness.ts';
import { uncharted } from '../../test/support/doctor/combined.ts';
import { healthy, healthyDocker, healthyLocal, healthyOther } from '../../test/support/doctor/healthy.ts';
import { cases } from '../../test/support/doctor/index.ts';
import { causes } from './index.ts';

const codesOf = (list: readonly { readonly code: string }[]) => list.map((cause) => cause.code);

test.each([
  ['systemd', healthy],
  ['docker', healthyDocker],
  ['foreign', healthyOther],
  ['local', healthyLocal],
] as const)('the healthy %s installation is healthy', (_name, make) => {
  const report = make().report();
  expect(codesOf(report.causes)).toEqual([]);
  expect(codesOf(report.latent)).toEqual([]);
  expect(report.verdicts.filter((verdict) => verdict.state === 'fail')).toEqual([]);
  expect(report.unexplained).toEqual([]);
  expect([report.verdict, report.exitCode]).toEqual(['healthy', 0]);
  expect(report.firstBad).toBeNull();
});

test.each(cases.map((item) => [item.name, item] as const))('%s', (_name, item) => {
  const report = item.world().report();
  expect(codesOf(report.causes)).toEqual(item.causes);
  expect(codesOf(report.latent)).toEqual(item.latent ?? []);
  expect(codesOf(report.sight)).toEqual(item.sight ?? []);
  expect(report.exitCode).toBe(item.exitCode ?? (item.causes.length > 0 ? 3 : 0));
  for (const cause of report.causes) {
    expect(cause.evidence.length, `${cause.code} has evidence`).toBeGreaterThan(0);
    expect(cause.explains.length, `${cause.code} explains a finding`).toBeGreaterThan(0);
    const hasLookalikes = causes.some((rule) => rule.code === cause.code && rule.lookalikes.length > 0);
    if (hasLookalikes) expect(cause.ruledOut.length, `${cause.code} rules something out`).toBeGreaterThan(0);
    expect(cause.title).not.toMatch(/undefined|null|\[object/);
    for (const why of cause.why) expect(why).not.toMatch(/undefined|\[object/);
  }
  if (item.proven) expect(report.causes.map((cause) => cause.confidence)).toEqual(report.causes.map(() => 'proven'));
});

test('every cause of the catalogue has a case of its own', () => {
  const covered = new Set(cases.flatMap((item) => [...item.causes, ...(item.latent ?? []), ...(item.sight ?? [])]));
  expect([...new Set(codesOf(causes))].filter((code) => !covered.has(code))).toEqual([]);
});

test.each(cases.map((item) => [item.name, item] as const))(
  'without any one fact, never a wrong cause: %s',
  (_name, item) => {
    const wanted = new Set([...item.causes, ...(item.whenBlind ?? [])]);
    for (const fact of item.world().facts()) {
      const world = item.world();
      world.write(fact.key, fact.vantage, fact.subject, { status: 'unknown', reason: 'no-permission', detail: '' });
      const wrong = codesOf(world.report().causes).filter((code) => !wanted.has(code));
      expect(wrong, `without ${fact.key} ${fact.vantage} ${fact.subject}`).toEqual([]);
    }
  },
);

test.each(Object.keys(blindness).map((name) => [name] as const))('never a wrong cause when %s', (name) => {
  for (const item of cases) {
    const wanted = new Set([...item.causes, ...(item.whenBlind ?? [])]);
    const world = item.world();
    for (const fact of world.facts()) {
      const seen = blindness[name]?.(fact);
      if (seen) world.write(fact.key, fact.vantage, fact.subject, seen as never);
    }
    const wrong = codesOf(world.report().causes).filter((code) => !wanted.has(code));
    expect(wrong, item.name).toEqual([]);
  }
});

test.each(uncharted.map((item) => [item.name, item] as const))('no row for it, hence no cause: %s', (_name, item) => {
  const report = item.world().report();
  expect(codesOf(report.causes)).toEqual([]);
  expect([report.verdict, report.exitCode]).toEqual(['unexplained', 5]);
  expect(report.unexplained.length).toBeGreaterThan(0);
  expect([report.lastGood ?? '', report.firstBad ?? '']).toEqual([item.lastGood, item.firstBad]);
});

test('healthy facts, any one withheld, never become broken', () => {
  for (const make of [healthy, healthyDocker, healthyOther, healthyLocal]) {
    for (const fact of make().facts()) {
      const world = make();
      world.write(fact.key, fact.vantage, fact.subject, { status: 'unknown', reason: 'no-permission', detail: '' });
      const report = world.report();
      expect(codesOf(report.causes), `without ${fact.key} ${fact.vantage} ${fact.subject}`).toEqual([]);
      expect([0, 5]).toContain(report.exitCode);
    }
  }
});

test('codes and scopes are unique, helps and titles are there', () => {
  const names = causes.map((rule) => `${rule.code} ${rule.scope} ${rule.host}`);
  expect(new Set(names).size).toBe(names.length);
  for (const rule of causes) {
    expect(rule.code).toMatch(/^[A-Z]{2,3}-\d\d$/);
    expect(rule.help.length, rule.code).toBeGreaterThan(60);
    expect(rule.necessary.length, rule.code).toBeGreaterThan(0);
  }
});
