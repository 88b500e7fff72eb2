// How events are written: short lines for people, NDJSON for programs, and no control characters from hosts.
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { systemClock } from '../../agents/runtime/index.ts';
import { createNdjsonProgress, createPlainProgress } from './progress.ts';

const read = (stream: PassThrough): string => String(stream.read() ?? '');

test('people see one line for each host and phase', () => {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const progress = createPlainProgress({ stdout, stderr });
  progress.event({ host: 'be1', phase: 'prepare', step: 'staged', status: 'done', ms: 640 });
  progress.event({ host: 'be1', phase: 'prepare', step: 'validated', status: 'done', ms: 3 });
  progress.event({ host: 'be1', phase: 'activate', step: 'unit', status: 'note', detail: 'running' });
  progress.event({ host: 'gw1', phase: 'prepare', step: 'app sent', status: 'failed', ms: 50 });
  progress.flush();
  progress.flush();
  progress.result({ summary: 'committed on 2 hosts in 21 s', exitCode: 0 });
  expect(read(stderr)).toBe('  be1           staged 0.6 s · validated\n  gw1           app sent FAILED 0.1 s\n');
  expect(read(stdout)).toBe('committed on 2 hosts in 21 s\n');
});

test('programs see every event in order, and the result last', () => {
  const stdout = new PassThrough();
  const progress = createNdjsonProgress(stdout, { ...systemClock, now: () => 0 });
  progress.event({ host: 'be1', phase: 'activate', step: 'unit', status: 'note', detail: 'running' });
  progress.text(['a plan']);
  progress.result({ summary: 's', exitCode: 3 });
  const lines = read(stdout)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toEqual([
    {
      v: 1,
      ts: '1970-01-01T00:00:00.000Z',
      seq: 1,
      type: 'event',
      host: 'be1',
      phase: 'activate',
      step: 'unit',
      status: 'note',
      detail: 'running',
    },
    { v: 1, ts: '1970-01-01T00:00:00.000Z', seq: 2, type: 'result', summary: 's', exitCode: 3 },
  ]);
});
