// Outputs against golden files, the schema, and each other: they say the same, in the same words, within their limits.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { incident, uncharted } from '../../test/support/doctor/combined.ts';
import { healthy } from '../../test/support/doctor/healthy.ts';
import { cases } from '../../test/support/doctor/index.ts';
import { complaints } from '../../test/support/doctor/schema-check.ts';
import { causes } from '../causes/index.ts';
import { checks } from '../checks/index.ts';
import type { Report } from '../engine/index.ts';
import { explainCause, renderJson, renderPlain, renderShort } from './index.ts';

const schema: Record<string, unknown> = JSON.parse(
  readFileSync(new URL('./report.schema.json', import.meta.url), 'utf8'),
);
const reportOf = (name: string): Report => {
  const found = cases.find((item) => item.name.startsWith(name));
  if (!found) throw new Error(`no case ${name}`);
  return found.world().report();
};
const goldens: readonly (readonly [name: string, report: () => Report])[] = [
  ['healthy', () => healthy().report()],
  ['incident', () => incident().report()],
  ['ngx-01', () => reportOf('NGX-01')],
  ['latent', () => reportOf('EXP-01')],
  ['no-cause', () => (uncharted[0]?.world() ?? healthy()).report()],
];
const recording = '~/.local/state/viworks/doctor/2026-11-20T03-12-07.ndjson';

test.each(goldens)('plain report: %s', async (name, report) => {
  await expect(renderPlain(report(), { recording })).toMatchFileSnapshot(`golden/${name}.txt`);
});

test.each(goldens)('short report: %s', async (name, report) => {
  const text = renderShort(report());
  expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
  await expect(text).toMatchFileSnapshot(`golden/${name}.short.txt`);
});

test('JSON report', async () => {
  await expect(renderJson(incident().report())).toMatchFileSnapshot('golden/incident.json');
});

test.each(cases.map((item) => [item.name, item] as const))(
  'fits the schema, and all outputs name the same causes: %s',
  (_name, item) => {
    const report = item.world().report();
    const parsed: unknown = JSON.parse(renderJson(report));
    expect(complaints(schema, parsed)).toEqual([]);
    expect(parsed).toEqual(report);
    const plain = renderPlain(report);
    const short = renderShort(report);
    for (const cause of report.causes) {
      expect(plain).toContain(`${cause.code}, ${cause.confidence}`);
      expect(short).toContain(cause.code);
    }
    expect(plain).not.toMatch(/\u001b|undefined|\[object/);
  },
);

test('colour only when asked for', () => {
  expect(renderPlain(incident().report())).not.toContain('\u001b');
  const coloured = renderPlain(incident().report(), { colour: true });
  expect(coloured).toContain('\u001b[31m');
  expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(renderPlain(incident().report()));
});

test('healthy is one line', () => {
  expect(renderPlain(healthy().report()).trimEnd().split('\n')).toHaveLength(1);
});

test('everything, when asked for', () => {
  const text = renderPlain(healthy().report(), { all: true });
  expect(text).toContain('agents.canary.returns');
  expect(text).toContain('W25');
  expect(text).toContain('canary ok');
});

test.each([60, 80, 140])('prose keeps to %i columns; commands and titles may be longer', (width) => {
  const lines = renderPlain(reportOf('BE-02'), { width }).split('\n');
  const prose = lines.filter((line) => /^ {2}(why|not|fix|note|path|open) /.test(line) || /^ {8}\S/.test(line));
  for (const line of prose) expect(line.length).toBeLessThanOrEqual(width + 2);
});

test('a schema complaint names the place', () => {
  const bad = { ...JSON.parse(renderJson(healthy().report())), verdict: 'fine', extra: 1 };
  expect(complaints(schema, bad)).toEqual([
    '$.extra: not in the schema',
    '$.verdict: fine is none of healthy, broken, unexplained, inconclusive',
  ]);
});

test.each(causes.map((rule) => [rule.code, rule] as const))('explain %s works without any fact', (code, rule) => {
  const text = explainCause(rule, { causes, checks });
  expect(text.startsWith(code)).toBe(true);
  expect(text).toContain('fix');
  expect(text).not.toMatch(/undefined|\[object|(?<!dev\/)null\b/);
  // No blank left by a fact that is not there: a text for people, not a form.
  expect(text).not.toMatch(/ \?|: $|, $|not known|state unknown| {2}looks\s*$/m);
  expect(text).toContain(rule.name);
});
