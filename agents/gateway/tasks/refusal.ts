// Why a task is refused, as data and, made of it last, the sentence for people. The data crosses the wire beside the sentence.
import type { FrameOf } from '../../protocol/index.ts';
import { describe, errnoOf, ViworksError } from '../../runtime/index.ts';
import { spoolFailure } from './launcher-watch.ts';

/** A refusal as `task.refused` carries it. */
export type Refused = Pick<FrameOf<'task.refused'>, 'code' | 'message' | 'obstacle'>;

const STORAGE: ReadonlySet<string> = new Set(['ENOSPC', 'EIO', 'EROFS', 'EDQUOT']);

/** The launcher could not begin. A disk that takes nothing is no fault of the command: said as what it is, with its place. */
export function startRefused({ stage, errno }: { stage: string; errno: string }, tasksDir: string): Refused {
  if (stage !== 'spool' || !STORAGE.has(errno))
    return { code: 'start_failed', message: `${stage}: ${errno}`, obstacle: { stage, errno } };
  const message = describe(spoolFailure(tasksDir, errno));
  return { code: 'storage_unavailable', message, obstacle: { stage, errno, place: tasksDir } };
}

/** Nobody listens where the launcher should. */
export function launcherAbsent(error: unknown): Refused {
  return { code: 'start_failed', message: describe(error), obstacle: { stage: 'launcher', ...systemsWord(error) } };
}

/** The intent could not be written down, so nothing was begun. */
export function journalRefused(error: unknown): Refused {
  return {
    code: 'storage_unavailable',
    message: describe(error),
    obstacle: { stage: 'journal', ...systemsWord(error) },
  };
}

/** The gateway holds as many tasks as it may; no disk is at fault. */
export function tooManyHeld(held: number): Refused {
  const message = `this gateway holds ${held} tasks that are not settled`;
  return { code: 'storage_unavailable', message, obstacle: { stage: 'held' } };
}

/** The fields of a refusal in a log line. */
export function logged({ code, message, obstacle }: Refused): Readonly<Record<string, unknown>> {
  return { code, reason: message, ...obstacle };
}

function systemsWord(error: unknown): { errno?: string; place?: string } {
  if (!(error instanceof ViworksError)) return {};
  const errno = errnoOf(error.cause);
  const place = error.detail.dir ?? error.detail.socket;
  return { ...(errno === undefined ? {} : { errno }), ...(typeof place === 'string' ? { place } : {}) };
}
