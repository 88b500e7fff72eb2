// A recording gives back what was recorded, and its replay the same report byte for byte.
import { expect, test } from 'vitest';
import { incident } from '../../test/support/doctor/combined.ts';
import { cases } from '../../test/support/doctor/index.ts';
import { gw, meta, type World } from '../../test/support/doctor/world.ts';
import type { RunEvent } from '../engine/index.ts';
import { judgeRecording } from '../judge.ts';
import { renderJson } from './json.ts';
import { readRecording, writeEvent } from './recording.ts';

function record(world: World): string {
  const start: RunEvent = {
    type: 'run.start',
    schema: 'viworks.doctor.run/1',
    run: meta.run,
    version: meta.version,
    atMs: meta.startedAtMs,
    topology: world.topology,
  };
  const probe: RunEvent = {
    type: 'probe.end',
    probe: 'host.bundle',
    vantage: gw,
    outcome: 'ok',
    detail: '',
    atMs: meta.startedAtMs + 400,
    milliseconds: 300,
    raw: 'a\nb',
  };
  const facts = world.facts().map((fact): RunEvent => ({ type: 'fact', fact }));
  const { milliseconds, probes, complete } = meta;
  const end: RunEvent = {
    type: 'run.end',
    atMs: meta.startedAtMs + milliseconds,
    milliseconds,
    probes,
    complete,
    report: world.report(),
  };
  return [start, probe, ...facts, end].map(writeEvent).join('');
}

function replay(text: string): string {
  const read = readRecording(text);
  if (!read.ok) throw new Error(read.message);
  return renderJson(judgeRecording(read.recording));
}

test.each(cases.map((item) => [item.name, item] as const))('replay is byte-identical: %s', (_name, item) => {
  const world = item.world();
  expect(replay(record(world))).toBe(renderJson(world.report()));
});

test('a recording that was cut off is read up to there and says so', () => {
  const text = record(incident());
  const cut = text.slice(0, text.lastIndexOf('"run.end"') - 200);
  const read = readRecording(cut);
  expect(read.ok && read.recording.meta.complete).toBe(false);
  expect(read.ok && read.recording.facts.all().length).toBeGreaterThan(10);
  expect(read.ok && read.recording.meta.milliseconds).toBe(400);
});

test.each([
  ['no start', '{"type":"probe.start"}\n', 1, 'the recording does not begin with run.start'],
  [
    'another format',
    '{"type":"run.start","schema":"viworks.doctor.run/9"}\n',
    1,
    'recorded in format viworks.doctor.run/9, which this version does not read',
  ],
  [
    'not JSON in the middle',
    '{"type":"run.start","schema":"viworks.doctor.run/1"}\nhello\n{"type":"fact"}\n',
    2,
    'not an event of a recording',
  ],
  ['nothing at all', '', 1, 'the recording does not begin with run.start'],
] as const)('refused: %s', (_name, text, line, message) => {
  expect(readRecording(text)).toEqual({ ok: false, line, message });
});
