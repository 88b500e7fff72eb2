// The three rules hold whatever a row says: of an unseen program, behind the first break, and of a stranger's answer nothing is proven.
import { expect, test } from 'vitest';
import { publicGets } from '../../test/support/doctor/case.ts';
import { healthy } from '../../test/support/doctor/healthy.ts';
import { cases } from '../../test/support/doctor/index.ts';
import { answeredByOthers } from '../../test/support/doctor/strangers.ts';
import * as w from '../../test/support/doctor/world.ts';
import { causes as catalogue } from '../causes/index.ts';
import { hops, type Report } from './index.ts';

const about = new Map(catalogue.flatMap(({ code, about: program }) => (program ? [[code, program] as const] : [])));
const orderOf = (id: string) => hops.findIndex((hop) => hop.id === id);

/** Proven causes that sit behind the first break of their gateway, show no break of their own and explain nothing of the first. */
function behind(report: Report): readonly string[] {
  return report.causes.flatMap((cause) => {
    const seen = cause.gateways.map((gateway) => {
      const path = report.path.filter((hop) => hop.gateway === gateway);
      const first = path.find((hop) => hop.state === 'fail');
      const own = path.find((hop) => hop.id === cause.hop);
      if (!first || own?.state !== 'blocked' || orderOf(first.id) > orderOf(own.id)) return false;
      const there = report.verdicts.filter((item) => item.hop === first.id).map((item) => item.check);
      return !cause.explains.some((item) => there.includes(item.check));
    });
    return cause.confidence === 'proven' && seen.length > 0 && seen.every(Boolean) ? [cause.code] : [];
  });
}

test.each(cases.map((item) => [item.name, item] as const))('proven only where it was seen to break: %s', (_, item) => {
  expect(behind(item.world().report())).toEqual([]);
});

test('where nobody can see who holds the ports, nothing is proven of what answers there', () => {
  for (const item of cases) {
    const world = item.world();
    for (const fact of world.facts()) {
      if (fact.key !== 'tcp.listeners' || fact.reading.status !== 'known' || fact.vantage.includes('/ns:')) continue;
      const rows = fact.reading.value.map((row) => ({
        ...row,
        pid: null,
        process: null,
        unit: null,
        ownership: 'unknown' as const,
      }));
      world.put('tcp.listeners', fact.vantage, '', rows);
    }
    const wrong = world.report().causes.filter(({ code, confidence }) => confidence === 'proven' && about.has(code));
    const held = world.store().get('tcp.listeners', 'be');
    const isOpen = (port: number) => held.status === 'known' && held.value.some((row) => row.port === port);
    const spoken = wrong.filter(({ code }) =>
      about.get(code) === 'nginx' ? isOpen(443) : isOpen(8080) || isOpen(8081),
    );
    if (world.topology.backend.supervision !== 'docker')
      expect(
        spoken.map((cause) => cause.code),
        item.name,
      ).toEqual([]);
  }
});

test.each(answeredByOthers)('%s: no cause from its certificate on', (_, make) => {
  const report = make().report();
  expect(report.causes.filter((cause) => cause.hop !== 'vhost').map((cause) => cause.code)).toEqual([]);
  expect(report.path.find((hop) => hop.state === 'fail')?.id).toMatch(/^(tls|vhost)$/);
  expect(report.exitCode).not.toBe(0);
});

const page = '<html><body><hr><center>nginx/1.22.1</center></body></html>';
const first = (report: Report) => {
  const hop = report.path.find((item) => item.state === 'fail');
  return `${hop?.id} ${hop?.detail}`;
};

test.each([
  ['its own page', { ...w.answered(401), body: page }, 'route 401'],
  ['502 while the port behind it upgrades', w.answered(502), 'route 502'],
  ['words of the backend', { ...w.answered(500), body: '{"code":"x"}' }, 'upgrade 500'],
])('who made the status decides the hop: %s', (_, answer, hop) => {
  expect(first(publicGets(healthy(), answer).report())).toBe(hop);
});

test('of several readings of one hop the failing one is shown', () => {
  const world = healthy().put('ws.upgrade', w.gw, 'public', w.upgrade(w.answered(503)));
  expect(first(world.report())).toBe('upgrade 503');
  world.put('ws.upgrade', w.gw, 'public', w.upgrade({ ...w.answered(503), body: page }));
  expect(first(world.report())).toBe('route 503');
});
