// The list of checks as a whole: ids, the graph of what depends on what, and that every verdict says something.
import { expect, test } from 'vitest';
import { healthy, healthyDocker, healthyLocal, healthyOther } from '../../test/support/doctor/healthy.ts';
import { cases } from '../../test/support/doctor/index.ts';
import {
  answered,
  emptyWorld,
  gatewayId,
  goodServer,
  gw,
  nginxSite,
  topology,
  upgrade,
  type World,
} from '../../test/support/doctor/world.ts';
import { causes } from '../causes/index.ts';
import { hops } from '../engine/index.ts';
import { renderPlain, renderShort } from '../output/index.ts';
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

/** A second gateway on a host of its own that cannot be reached, and nothing known of it but what the test says. */
function withHiddenGateway(): World {
  const [first] = topology.gateways;
  if (!first) throw new Error('no gateway');
  const second = { ...first, id: 'gw-2', host: { name: 'gw2', address: '192.0.2.21', transport: 'ssh' as const } };
  const world = healthy({ ...topology, gateways: [first, second] });
  const access = world.store().get('host.access', 'op', gw);
  if (access.status !== 'known') throw new Error('the first gateway is seen');
  return world.put('host.access', 'op', 'gw:gw-2', { ...access.value, outcome: 'timeout', message: 'no answer' });
}

test('a host of the inventory that was not examined is no part of "healthy"', () => {
  const report = withHiddenGateway().report();
  expect([report.verdict, report.exitCode]).toEqual(['inconclusive', 5]);
  expect(report.verdicts.find((item) => item.check === 'host.all.visible')).toMatchObject({
    state: 'unknown',
    detail: 'not examined: gw2',
  });
  for (const text of [renderPlain(report), renderShort(report)]) expect(text).toContain('gw2');
});

test.each(['be', gw])('%s was not examined: not healthy, though a command came back', (subject) => {
  const blind = healthy();
  const access = blind.store().get('host.access', 'op', subject);
  if (access.status !== 'known') throw new Error('the host is seen');
  for (const outcome of ['refused', 'cut', 'no-shell'] as const) {
    blind.put('host.access', 'op', subject, { ...access.value, outcome });
    expect(blind.report()).toMatchObject({ verdict: 'inconclusive', exitCode: 5, causes: [] });
  }
});

test.each(['registry.entry', 'canary'] as const)('without an answer to %s it is not healthy', (key) => {
  const asked = healthy().write(key, 'op', gatewayId, {
    status: 'unknown',
    reason: 'unreachable',
    detail: 'no answer',
  });
  expect(asked.report()).toMatchObject({ verdict: 'inconclusive', exitCode: 5 });
  const none = healthy().write(key, 'op', gatewayId, { status: 'unknown', reason: 'no-token', detail: '' });
  expect(none.report()).toMatchObject({ verdict: 'healthy', exitCode: 0 });
  const denied = healthy().write(key, 'op', gatewayId, { status: 'unknown', reason: 'token-refused', detail: '' });
  expect(denied.report()).toMatchObject({ verdict: 'inconclusive', exitCode: 5 });
});

test.each([
  ['agents-listener', 'warn'],
  ['store', 'fail'],
] as const)('a page that calls %s down while the agents port answers us: %s', (part, state) => {
  const body = JSON.stringify({ status: 'unhealthy', parts: { [part]: { state: 'down' }, engine: { state: 'up' } } });
  const page = { url: '', outcome: 'response', status: 503, headers: {}, body, milliseconds: 2 } as const;
  const report = healthy().put('http.response', 'be', 'api-health', page).report();
  expect(report.verdicts.find((item) => item.check === 'backend.health.good')).toMatchObject({ state });
});

test.each([
  ['gateways are let in', 101, 'pass'],
  ['gateways are refused as well, whoever else is let in', 403, 'fail'],
] as const)('the backend host itself is refused by its address; %s', (_name, status, state) => {
  const site = goodServer.replace('location /ws/ {', 'location /ws/ { allow 192.0.2.20; deny all;');
  const world = healthy().put('nginx.files', 'be', '', nginxSite(site));
  world.put('ws.upgrade', 'be', 'public', upgrade(answered(403)));
  if (status === 403) world.put('ws.upgrade', gw, 'public', upgrade(answered(403)));
  const verdict = world.report().verdicts.find((item) => item.check === 'nginx.agents.upgrades');
  expect(verdict).toMatchObject({ state });
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
