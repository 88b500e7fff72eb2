// Recordings on disk: their place, their rights, and that a replay says the very same.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { judgeFacts } from '../../judge.ts';
import { renderJson } from '../../output/index.ts';
import { loadRecording, recordingPath, writeRecording } from './recording.ts';
import { withThreshold } from './threshold.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'viworks-recording-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test('the usual place is below the state directory, a file for each run', () => {
  const at = Date.parse('2026-11-20T03:12:07.045Z');
  expect(recordingPath({ XDG_STATE_HOME: '/s' }, at)).toBe('/s/viworks/doctor/2026-11-20T03-12-07-045.ndjson');
  expect(recordingPath({ HOME: '/h' }, at)).toBe('/h/.local/state/viworks/doctor/2026-11-20T03-12-07-045.ndjson');
});

test('a recording and its directory are for their owner alone', async () => {
  const file = join(dir, 'state', 'run.ndjson');
  await writeRecording(file, '{}\n');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(dir, 'state'))).mode & 0o777).toBe(0o700);
});

const recorded = join(import.meta.dirname, '../cases', 'route-to-api.ndjson');

test('a recorded run is judged the same, as often as it is replayed', async () => {
  const replay = async (): Promise<string> => {
    const { facts, topology, meta } = await loadRecording(recorded);
    return renderJson(judgeFacts(facts, topology, meta));
  };
  const report = await replay();
  expect(await replay()).toBe(report);
  expect(JSON.parse(report)).toMatchObject({
    verdict: 'broken',
    exitCode: 3,
    causes: [{ code: 'NGX-01', confidence: 'proven' }],
  });
});

test.each([
  ['a file that is not there', 'missing.ndjson', undefined],
  ['another kind of file', 'other.ndjson', 'hello\nworld\n'],
  ['a recording of a future format', 'future.ndjson', '{"type":"run.start","schema":"viworks.doctor.run/9"}\n'],
])('refused: %s', async (_, name, text) => {
  const file = join(dir, name);
  if (text !== undefined) await writeFile(file, text);
  await expect(loadRecording(file)).rejects.toMatchObject({ code: 'VW_DOCTOR_RECORDING_UNREADABLE', exitCode: 64 });
});

test('thresholds change the exit code and nothing else', async () => {
  const { facts, topology, meta } = await loadRecording(recorded);
  const report = judgeFacts(facts, topology, meta);
  expect(withThreshold(report, 'never')).toEqual({ ...report, exitCode: 0 });
  expect(withThreshold(report, 'warn')).toEqual(report);
  const healthy = { ...report, exitCode: 0 as const, causes: [], verdicts: [] };
  expect(withThreshold({ ...healthy, latent: report.causes }, 'warn').exitCode).toBe(4);
  expect(withThreshold({ ...healthy, latent: [] }, 'warn').exitCode).toBe(0);
  expect(await readFile(recorded, 'utf8')).toContain('"viworks.doctor.run/1"');
});
