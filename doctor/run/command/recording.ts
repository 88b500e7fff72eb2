// Recordings on disk: where they are kept, written for their owner alone, read back. Their format is the event stream's.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemText, terminalText, visibleText, whyUnread } from '../../../agents/runtime/index.ts';
import type { RunEvent } from '../../engine/index.ts';
import { doctorErrors } from '../../errors.ts';
import { type Recording, readRecording, writeEvent } from '../../output/index.ts';

/** Collects a run as lines. */
export interface Recorder {
  listen(event: RunEvent): void;
  text(): string;
}

export function createRecorder(): Recorder {
  const lines: string[] = [];
  return { listen: (event) => void lines.push(writeEvent(event)), text: () => lines.join('') };
}

/** The usual place: one file a run, named by its time. */
export function recordingPath(env: Readonly<Record<string, string | undefined>>, atMs: number): string {
  const state = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
  const time = new Date(atMs).toISOString().replace(/[:.]/g, '-').replace('Z', '');
  return join(state, 'viworks', 'doctor', `${time}.ndjson`);
}

export async function writeRecording(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    // The same document, and nothing to whoever prints the file.
    await writeFile(file, terminalText(text, false), { mode: 0o600 });
  } catch (error) {
    throw doctorErrors.create('VW_DOCTOR_RECORDING_UNWRITABLE', { file, reason: systemText(error) }, error);
  }
}

export async function loadRecording(file: string): Promise<Recording> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, whyUnread(error));
  });
  const result = readRecording(text.split('\n').map(withoutSteering).join('\n'));
  if (!result.ok) throw unreadable(file, `line ${result.line}: ${result.message}`);
  return result.recording;
}

// Whoever wrote the file: a recording is text of others, too. What is no JSON is complained of by whoever reads it.
function withoutSteering(line: string): string {
  if (visibleText(line) === line && !/\\u[0-9a-f]{4}/i.test(line)) return line;
  try {
    return JSON.stringify(
      JSON.parse(line, (_key, item: unknown) => (typeof item === 'string' ? visibleText(item) : item)),
    );
  } catch {
    return line;
  }
}

function unreadable(file: string, reason: string): Error {
  return doctorErrors.create('VW_DOCTOR_RECORDING_UNREADABLE', { file, reason });
}
