// One `viworks up` a state directory: claims it, and ends what a killed predecessor left behind.
import { mkdir } from 'node:fs/promises';
import type { Clock } from '../../agents/runtime/index.ts';
import { describe } from '../../agents/runtime/index.ts';
import { localErrors } from './errors.ts';
import { endGroup, endProcess, isAlive, type LedgerFile, readLedger, startTimeOf, writeLedger } from './ledger.ts';
import { portIsFree } from './loopback.ts';
import { type Places, PORTS, type PortName } from './places.ts';

/** A predecessor's processes get less time than our own: nobody waits for what they do any more. */
const LEFTOVER_GRACE_MS = 3_000;

/** Makes the directories and the ledger with us as its owner. Gives the names of leftovers that were ended. */
export async function claim(
  places: Places,
  clock: Clock,
): Promise<{ owner: LedgerFile['owner']; leftovers: string[] }> {
  try {
    for (const directory of [places.home, places.logs, places.tasks, ...Object.values(places.states)]) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    }
  } catch (error) {
    throw unusable(places, error);
  }
  const before = await readLedger(places.ledger);
  if (before && isAlive(before.owner)) {
    throw localErrors.create('VW_UP_RUNNING', { pid: before.owner.pid, since: before.owner.since });
  }
  const leftovers: string[] = [];
  for (const entry of before?.children.toReversed() ?? []) {
    if (!isAlive(entry)) {
      endGroup(entry);
      continue;
    }
    await endProcess(entry, { clock, graceMs: LEFTOVER_GRACE_MS });
    leftovers.push(entry.name);
  }
  const owner = {
    name: 'up',
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    since: new Date(clock.now()).toISOString(),
  };
  await writeLedger(places.ledger, { owner, children: [] });
  return { owner, leftovers: leftovers.toReversed() };
}

/** What a trouble with files below the state directory is called. */
export function unusable(places: Places, error: unknown): Error {
  return localErrors.create('VW_UP_STATE', { directory: places.home, reason: describe(error) }, error);
}

/** Throws VW_UP_PORT_TAKEN for the first port that somebody else has. */
export async function checkPorts(places: Places): Promise<void> {
  for (const name of Object.keys(PORTS) as PortName[]) {
    const port = places.ports[name];
    if (await portIsFree(port)) continue;
    const { option, what } = PORTS[name];
    throw localErrors.create('VW_UP_PORT_TAKEN', { port, bind: '127.0.0.1', what, option: `${option} N`, by: '' });
  }
}
