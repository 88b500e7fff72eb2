// One honest answer: healthy only when a command that is sent now could run; and figures in the text that Prometheus reads.
import { expect, test } from 'vitest';
import { http } from '../../protocol/index.ts';
import { type GatewaySnapshot, healthOf, metricsOf } from './health.ts';
import { renderMetrics } from './metrics.ts';

const snapshot: GatewaySnapshot = {
  now: 1_700_000_010_000,
  startedAt: 1_700_000_000_000,
  version: '1.2.3',
  revision: 'abc',
  releaseId: 'r1',
  link: { up: true, since: 1, message: 'connected', lastHeardAt: 5, losses: 2, sessionEpoch: 3 },
  launcher: { up: true, since: 1, message: '' },
  spool: { up: true, since: 1, message: '' },
  journal: { healthy: true, since: 1, trouble: '', bytes: 10, commitMs: 1.5 },
  tasks: {
    running: 1,
    queued: 0,
    spoolBytes: 7,
    sentBytes: 9,
    gaps: 0,
    finished: new Map([['exec exited', 4]]),
    refused: new Map([['denied', 1]]),
  },
  sample: undefined,
  resources: { rssBytes: 1, loopLagMs: 2, openFiles: 3 },
};

test('healthy has the shape of the protocol', () => {
  const body = healthOf(snapshot);
  expect(http.healthBody.parse(body)).toEqual(body);
  expect(body).toMatchObject({ status: 'healthy', uptimeSeconds: 10, runningTasks: 1, lastHeartbeat: 5 });
});

test.each<[string, Partial<GatewaySnapshot>]>([
  ['link', { link: { ...snapshot.link, up: false } }],
  ['launcher', { launcher: { ...snapshot.launcher, up: false, message: 'gone' } }],
  ['spool', { spool: { up: false, since: 1, message: 'cannot write the spool' } }],
  ['journal', { journal: { ...snapshot.journal, healthy: false, trouble: 'cannot write the journal' } }],
])('without its %s it is not healthy, and says which part', (part, changes) => {
  const body = healthOf({ ...snapshot, ...changes });
  expect(body.status).toBe('unhealthy');
  expect(
    Object.entries(body.parts)
      .filter(([, { state }]) => state === 'down')
      .map(([name]) => name),
  ).toEqual([part]);
});

test('every figure has help, a type and a value that can be read', () => {
  const text = renderMetrics(metricsOf(snapshot));
  const names = metricsOf(snapshot).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const line of text.trim().split('\n')) {
    expect(line).toMatch(/^(# (HELP|TYPE) viworks_\w+ .+|viworks_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.e+-]+)$/);
  }
  expect(text).toContain('viworks_tasks_finished_total{verb="exec",outcome="exited"} 4\n');
});

test('label values are escaped', () => {
  const values = [{ labels: { a: 'x"\\\ny' }, value: 1 }];
  expect(renderMetrics([{ name: 'm', help: 'h', type: 'gauge', values }])).toBe(
    '# HELP m h\n# TYPE m gauge\nm{a="x\\"\\\\\\ny"} 1\n',
  );
});
