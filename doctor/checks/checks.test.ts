// The list of checks as a whole: ids, the graph of what depends on what, and that every verdict says something.
import { expect, test } from 'vitest';
import { healthy, healthyDocker, healthyLocal, healthyOther } from '../../test/support/doctor/healthy.ts';
import { cases } from '../../test/support/doctor/index.ts';
import { emptyWorld } from '../../test/support/doctor/world.ts';
import { causes } from '../causes/index.ts';
import { hops } from '../engine/index.ts';
import { checks } from './index.ts';

const ids = checks.map((check) => check.id);

test('ids are layer.subject.property, and unique', () => {
  for (const id of ids) expect(id).toMatch(/^(host|backend|nginx|network|gateway|agents)\.[a-z]+\.[a-z-]+$/);
  expect(new Set(ids).size).toBe(ids.length);
});

test('what a check depends on comes before it, so the graph has no circle', () => {
  for (const check of checks) {
    for (const id of check.dependsOn) expect(ids, `${check.id} depends on ${id}`).toContain(id);
  }
  const depth = (id: string, seen: readonly string[]): number => {
    expect(seen, `circle at ${id}`).not.toContain(id);
    const before = checks.find((check) => check.id === id)?.dependsOn ?? [];
    return 1 + Math.max(0, ...before.map((item) => depth(item, [...seen, id])));
  };
  for (const id of ids) expect(depth(id, [])).toBeLessThan(12);
});

test('every check sits on a hop and names the facts that it needs', () => {
  const known = hops.map((hop) => hop.id);
  for (const check of checks) {
    expect(known).toContain(check.hop);
    expect(check.needs.length, check.id).toBeGreaterThan(0);
  }
});

test('causes predict checks that exist, and look like codes that have a rule or a title', () => {
  const codes = causes.map((cause) => cause.code);
  for (const cause of causes) {
    for (const id of cause.predicts) expect(ids, `${cause.code} predicts ${id}`).toContain(id);
    if (cause.scope === 'active') expect(cause.predicts.length, cause.code).toBeGreaterThan(0);
    for (const item of cause.lookalikes)
      expect(codes.includes(item.code) || item.title !== undefined, `${cause.code} ~ ${item.code}`).toBe(true);
    for (const code of cause.followsFrom) expect(codes, `${cause.code} follows from ${code}`).toContain(code);
  }
});

test('without any fact nothing passes and nothing fails', () => {
  const report = emptyWorld().report();
  expect(
    report.verdicts.filter((item) => item.state === 'fail' || item.state === 'error' || item.state === 'pass'),
  ).toEqual([]);
  expect([report.verdict, report.exitCode, report.causes]).toEqual(['inconclusive', 5, []]);
});

test.each([
  ['systemd', healthy],
  ['docker', healthyDocker],
  ['foreign', healthyOther],
  ['local', healthyLocal],
] as const)('on a healthy %s installation every check passes or is skipped with a reason', (_name, make) => {
  for (const item of make().report().verdicts) {
    expect(['pass', 'skipped'], `${item.check}: ${item.state} ${item.detail}`).toContain(item.state);
    if (item.state === 'skipped') expect(item.detail).not.toBe('');
  }
});

test('every outage check fails in some case, and says how', () => {
  const failed = new Map<string, string>();
  for (const item of cases) {
    for (const verdict of item.world().report().verdicts)
      if (verdict.state === 'fail') failed.set(verdict.check, verdict.detail);
  }
  const outage = checks.filter((check) => check.outage).map((check) => check.id);
  expect(outage.filter((id) => !failed.has(id))).toEqual([]);
  for (const [id, detail] of failed) expect(detail, id).toMatch(/\S/);
});
