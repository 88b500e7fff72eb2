// What a host remembers: state.json (the truth, replaced in one rename) and the journal (append-only, a record before each act).
import { createHash } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, errnoOf, replaceFile } from '../../agents/runtime/index.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { HostState, Manifest } from '../plan/manifest.ts';
import { linkTarget } from './tools.ts';

const STATE_FILE = join(LAYOUT.deployState, 'state.json');
const JOURNAL_FILE = join(LAYOUT.deployState, 'journal.ndjson');

/** A host that was never deployed to. */
export const EMPTY_STATE: HostState = {
  schema: 1,
  phase: 'empty',
  current: null,
  previous: null,
  way: null,
  bootId: '',
  epoch: 0,
  started: {},
  foreign: [],
  made: { accounts: [], groups: [], packages: [], directories: [] },
};

/** Reads state.json. An absent file is an untouched host; a broken one is held, never guessed. */
export async function readState(): Promise<HostState> {
  let text: string;
  try {
    text = await readFile(STATE_FILE, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return EMPTY_STATE;
    throw error;
  }
  try {
    const state = JSON.parse(text) as HostState;
    if (state.schema === 1 && typeof state.phase === 'string') return state;
  } catch {
    // Told below, as a hold.
  }
  return { ...EMPTY_STATE, phase: 'hold' };
}

/** Replaces state.json durably. */
export async function writeState(state: HostState): Promise<void> {
  await mkdir(LAYOUT.deployState, { recursive: true, mode: 0o755 });
  await replaceFile(STATE_FILE, `${JSON.stringify(state, null, 1)}\n`, { mode: 0o600 });
}

/** Appends one record to the journal and syncs it; each record carries the hash of the one before. */
export async function record(clock: Clock, entry: Readonly<Record<string, unknown>>): Promise<void> {
  await mkdir(dirname(JOURNAL_FILE), { recursive: true });
  const previous = await lastLine();
  const seq = previous === undefined ? 1 : Number((JSON.parse(previous) as { seq?: number }).seq ?? 0) + 1;
  const prev = previous === undefined ? '' : createHash('sha256').update(previous).digest('hex').slice(0, 32);
  const handle = await open(JOURNAL_FILE, 'a', 0o600);
  try {
    await handle.write(`${JSON.stringify({ seq, at: new Date(clock.now()).toISOString(), ...entry, prev })}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The last records, oldest first. */
export async function journalTail(count: number): Promise<string[]> {
  const text = await readFile(JOURNAL_FILE, 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).slice(-count);
}

// A record that was cut by a power loss is skipped: the next one chains to the last whole one.
async function lastLine(): Promise<string | undefined> {
  const lines = await journalTail(2);
  return lines.reverse().find((line) => {
    try {
      JSON.parse(line);
      return true;
    } catch {
      return false;
    }
  });
}

/** The id that `current` points to. */
export async function currentRelease(): Promise<string | null> {
  const target = await linkTarget(LAYOUT.current);
  return target?.split('/').at(-1) ?? null;
}

/** The manifest of a staged release. */
export async function readManifest(id: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(LAYOUT.releases, id, 'manifest.json'), 'utf8')) as Manifest;
}
