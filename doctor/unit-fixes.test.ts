// Edits of a unit's files: what is tried of them, and what a report says after the trial.
import { expect, test } from 'vitest';
import { topology } from '../test/support/doctor/world.ts';
import { type CauseReport, createFactStore, fact, known, type Report } from './engine/index.ts';
import { parseUnitTrial } from './probes/unit-trial.ts';
import { unitProposalsOf, withUnitFixes } from './unit-fixes.ts';

const foreign = { ...topology, kind: 'other' as const };
const host = topology.backend.host.name;
const dropIn = '/etc/systemd/system/viworks-backend-agent.service.d/late.conf';
const reportOf = (...commands: readonly string[]): Report => {
  const cause = { code: 'SYS-27', host, remedy: { text: 'take the line out', commands } };
  return { causes: [cause as unknown as CauseReport], latent: [] } as unknown as Report;
};
const edit = (path: string) => [
  `${host}# sed -i '3s/^/# /' ${path}`,
  `${host}# systemctl daemon-reload`,
  `${host}# systemctl restart viworks-backend-agent.service`,
];
const storeWith = (ok: boolean, output = '') => {
  const evidence = { host, atMs: 0, command: '', lines: [], sha256: '' };
  const reading = known({ ok, output });
  return createFactStore([
    fact({ key: 'unit.trial', vantage: 'be', subject: 'SYS-27', probe: 'unit.trial', reading, evidence }),
  ]);
};
const remedyOf = (report: Report) => report.causes[0]?.remedy;

test('an edit of the printed form is tried with its own arguments; nothing else is', () => {
  expect(unitProposalsOf(reportOf(...edit(dropIn)), topology)).toEqual([
    {
      code: 'SYS-27',
      seat: 'be',
      unit: 'viworks-backend-agent.service',
      edits: [{ sed: ['3s/^/# /'], path: dropIn }],
    },
  ]);
  for (const path of ['/etc/a b.conf', '/etc/$(id).conf', '/etc/a;id', '/etc/`id`', 'relative.conf'])
    expect(unitProposalsOf(reportOf(...edit(path)), topology), path).toEqual([]);
});

test('the report says what became of the trial, and prints no edit that systemd refuses', () => {
  const report = reportOf(...edit(dropIn));
  expect(remedyOf(withUnitFixes(report, storeWith(true), topology))).toMatchObject({
    commands: edit(dropIn),
    tried: { state: 'ok' },
  });
  const refused = remedyOf(withUnitFixes(report, storeWith(false, 'a.service: bad'), topology));
  expect(refused).toMatchObject({ commands: [], tried: { state: 'failed' } });
  expect(refused?.tried?.detail).toContain('a.service: bad');
  expect(remedyOf(withUnitFixes(report, createFactStore([]), topology))?.tried?.state).toBe('not-tried');
});

test('what the deployer wrote, the deployer puts back; elsewhere it is edited', () => {
  const report = reportOf(...edit('/etc/systemd/system/viworks-backend-agent.service'));
  const own = { ...topology, kind: 'viworks' as const, inferred: [] };
  expect(remedyOf(withUnitFixes(report, storeWith(true), own))?.commands).toEqual(['viworks deploy apply --overwrite']);
  expect(remedyOf(withUnitFixes(report, storeWith(true), foreign))?.commands).toHaveLength(3);
});

test('a complaint about another unit that was there before is none of the edit', () => {
  const unit = 'a.service';
  expect(parseUnitTrial('@before 1\nb.service: x\n@after 1\nb.service: x\n', unit).ok).toBe(true);
  expect(parseUnitTrial('@before 1\na.service: x\n@after 0\n', unit).ok).toBe(true);
  expect(parseUnitTrial('@before 1\na.service: x\n@after 1\na.service: x\n', unit)).toEqual({
    ok: false,
    output: 'a.service: x',
  });
  expect(parseUnitTrial('@before 0\n@after 1\nb.service: new\n', unit).ok).toBe(false);
  expect(() => parseUnitTrial('@before 0\n', unit)).toThrow();
});
