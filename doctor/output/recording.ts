// A run as NDJSON: one event a line, facts with their evidence included. Reads it back into what the diagnosis needs. No file is touched here.
import {
  createFactStore,
  type Fact,
  type FactStore,
  type RunEvent,
  type RunMeta,
  type Topology,
} from '../engine/index.ts';

export function writeEvent(event: RunEvent): string {
  return `${JSON.stringify(event)}\n`;
}

export interface Recording {
  readonly topology: Topology;
  readonly meta: RunMeta;
  readonly facts: FactStore;
  readonly events: readonly RunEvent[];
}

export type ReadResult =
  | { readonly ok: true; readonly recording: Recording }
  | { readonly ok: false; readonly line: number; readonly message: string };

/** A recording that ends in the middle of a line (the disk was full, the machine died) is read up to there. */
export function readRecording(text: string): ReadResult {
  const events: RunEvent[] = [];
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const event = parseEvent(line);
    if (event) events.push(event);
    else if (index < lines.length - 1) return { ok: false, line: index + 1, message: 'not an event of a recording' };
  }
  // Told anew when the hosts told more about the installation than was known at the start.
  const start = events.findLast((event) => event.type === 'run.start');
  if (start?.type !== 'run.start')
    return { ok: false, line: 1, message: 'the recording does not begin with run.start' };
  if (start.schema !== 'viworks.doctor.run/1') {
    return {
      ok: false,
      line: 1,
      message: `recorded in format ${String(start.schema)}, which this version does not read`,
    };
  }
  const facts: Fact[] = events.flatMap((event) => (event.type === 'fact' ? [event.fact] : []));
  return {
    ok: true,
    recording: { topology: start.topology, meta: metaOf(start, events), facts: createFactStore(facts), events },
  };
}

function metaOf(start: Extract<RunEvent, { type: 'run.start' }>, events: readonly RunEvent[]): RunMeta {
  const end = events.findLast((event) => event.type === 'run.end');
  const base = { run: start.run, version: start.version, startedAtMs: start.atMs };
  if (end?.type === 'run.end')
    return {
      ...base,
      milliseconds: end.milliseconds,
      probes: end.probes,
      complete: end.complete,
      ...(end.interrupted === undefined ? {} : { interrupted: end.interrupted }),
    };
  const probes = events.filter((event) => event.type === 'probe.end');
  const last = probes.at(-1);
  const endedAt = last?.type === 'probe.end' ? last.atMs : start.atMs;
  return { ...base, milliseconds: endedAt - start.atMs, probes: probes.length, complete: false };
}

const eventTypes: readonly string[] = [
  'run.start',
  'host.state',
  'probe.start',
  'probe.end',
  'fact',
  'verdict',
  'cause',
  'run.end',
];

function parseEvent(line: string): RunEvent | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('type' in value)) return null;
    if (typeof value.type !== 'string' || !eventTypes.includes(value.type)) return null;
    if (value.type === 'fact' && !('fact' in value)) return null;
    // The rest of the shape is trusted: the file was written by writeEvent, and its schema is checked on run.start.
    return value as RunEvent;
  } catch {
    return null;
  }
}
