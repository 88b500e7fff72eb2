// Whether the launcher answers and its spool would take another task: asked now and then, kept for health, logged when it changes.
import {
  type Clock,
  describe,
  errnoText,
  fromUnknown,
  isAbort,
  type Logger,
  type ViworksError,
} from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';
import { MESSAGES } from '../messages.ts';
import type { Launcher } from './launcher-client.ts';
import type { LauncherAbilities } from './launcher-protocol.ts';

/** A part as health shows it. */
export interface PartState {
  readonly up: boolean;
  readonly since: number;
  readonly message: string;
}

/** What the last answers said. */
export interface LauncherWatch {
  readonly launcher: PartState;
  readonly spool: PartState;
  readonly abilities: LauncherAbilities;
  /** Asks once; rejects when there is no answer. */
  ping(signal: AbortSignal): Promise<void>;
}

/** Starts with a launcher that was not asked yet, and with a spool of which nothing bad is known. */
export function createLauncherWatch(deps: {
  readonly launcher: Launcher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tasksDir: string;
}): LauncherWatch {
  const { clock, logger } = deps;
  const startedAt = clock.now();
  let launcher: PartState = { up: false, since: startedAt, message: 'not asked yet' };
  let spool: PartState = { up: true, since: startedAt, message: '' };
  let abilities: LauncherAbilities = { cgroup: 'none', subreaper: false, bootId: '', tasksDir: '', spool: '' };
  let gone = false; // after it was there
  const next = (before: PartState, message: string): PartState => {
    const up = message === '';
    return { up, message, since: before.up === up ? before.since : clock.now() };
  };
  return {
    get launcher() {
      return launcher;
    },
    get spool() {
      return spool;
    },
    get abilities() {
      return abilities;
    },
    async ping(signal) {
      try {
        abilities = await deps.launcher.ping(signal);
        if (gone) logger.info(MESSAGES.launcherUp);
        gone = false;
        launcher = next(launcher, '');
      } catch (error) {
        if (isAbort(error) || signal.aborted) throw error;
        const failure = fromUnknown(error);
        if (launcher.up) logger.failure(MESSAGES.launcherDown, failure);
        gone ||= launcher.up;
        launcher = next(launcher, describe(failure));
        throw failure;
      }
      const failure = abilities.spool === '' ? undefined : spoolFailure(deps.tasksDir, abilities.spool);
      if (failure && spool.up) logger.failure(MESSAGES.spoolDown, failure);
      if (!failure && !spool.up) logger.info(MESSAGES.spoolUp, { dir: deps.tasksDir });
      spool = next(spool, failure ? describe(failure) : '');
    },
  };
}

/** What the launcher tells with the name of an error number, in full. */
export function spoolFailure(dir: string, errno: string): ViworksError {
  return gatewayErrors.create('VW_GATEWAY_SPOOL', { dir, reason: errnoText(errno) });
}
