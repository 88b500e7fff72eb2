// A run as NDJSON: every event but what can be derived again. Replaying the facts through the same engine gives the same report.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, errnoOf } from '../../agents/runtime/index.ts';
import type { Fact, RunEvent, RunMeta, Topology } from '../engine/index.ts';
import { doctorErrors } from '../errors.ts';
import { derivedProbe } from '../nginx/index.ts';

const SCHEMA = 'viworks.doctor.recording/1';

/** What a replay needs. */
export interface Recorded {
  readonly topology: Topology;
  readonly facts: readonly Fact[];
  readonly meta: RunMeta;
  /** All events, for a replay that shows the run as it went. */
  readonly events: readonly RunEvent[];
}

/** Collects events as lines. */
export function createRecorder(): {
  listen(event: RunEvent): void;
  text(end: { topology: Topology; meta: RunMeta }): string;
} {
  const lines: string[] = [];
  return {
    listen(event) {
      if (event.type === 'verdict' || event.type === 'cause' || event.type === 'run.end') return;
      if (event.type === 'fact' && event.fact.probe === derivedProbe) return;
      lines.push(JSON.stringify(event));
    },
    text: ({ topology, meta }) => {
      const head = JSON.stringify({ type: 'recording', schema: SCHEMA });
      const tail = JSON.stringify({ type: 'recording.end', topology, meta });
      return `${[head, ...lines, tail].join('\n')}\n`;
    },
  };
}

/** The usual place: one file a run, named by its time. */
export function recordingPath(env: Readonly<Record<string, string | undefined>>, atMs: number): string {
  const state = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
  const time = new Date(atMs).toISOString().replaceAll(':', '-').replace('.', '-').replace('Z', '');
  return join(state, 'viworks', 'doctor', `${time}.ndjson`);
}

export async function writeRecording(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, text, { mode: 0o600 });
  } catch (error) {
    throw doctorErrors.create(
      'VW_DOCTOR_RECORDING_UNWRITABLE',
      { file, reason: errnoOf(error) ?? describe(error) },
      error,
    );
  }
}

export async function readRecording(file: string): Promise<Recorded> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, errnoOf(error) ?? describe(error));
  });
  const rows = text
    .split('\n')
    .filter(Boolean)
    .map((line, index) => parseLine(file, line, index + 1));
  if (rows[0]?.schema !== SCHEMA) throw unreadable(file, `its first line does not say ${SCHEMA}`);
  const end = rows.find((row) => row.type === 'recording.end');
  if (!end) throw unreadable(file, 'its end is missing: the run was killed while it was written');
  const events = rows.slice(1).filter((row) => row.type !== 'recording.end') as unknown as RunEvent[];
  const facts = events.flatMap((event) => (event.type === 'fact' ? [event.fact] : []));
  return { topology: end.topology as Topology, meta: end.meta as RunMeta, facts, events };
}

interface Row {
  readonly type?: unknown;
  readonly schema?: unknown;
  readonly topology?: unknown;
  readonly meta?: unknown;
}

function parseLine(file: string, line: string, number: number): Row {
  try {
    return JSON.parse(line) as Row;
  } catch {
    throw unreadable(file, `line ${number} is not JSON`);
  }
}

function unreadable(file: string, reason: string): Error {
  return doctorErrors.create('VW_DOCTOR_RECORDING_UNREADABLE', { file, reason });
}
