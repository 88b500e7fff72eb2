// Ctrl-C becomes a cancel of the task. Sent again until the backend has taken it: cancel is a wanted state, not a message.
import { writeSync } from 'node:fs';
import { backoffMs, type Clock, type Terminal, ViworksError } from '../../agents/runtime/index.ts';
import type { ApiClient } from '../api/client.ts';

/** What it needs. `signal`: the first interrupt; `leaving`: the second, after which the process ends. */
export interface CancellationOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly leaving: AbortSignal;
  readonly terminal: Pick<Terminal, 'stderr'>;
}

/** Watches for an interrupt from creation to `close`. */
export interface Cancellation {
  /** Names the task as soon as it is known; an interrupt that came before is then carried out. */
  aim(taskId: string | undefined): void;
  /** Cancels without an interrupt. */
  cancel(): Promise<void>;
  close(): void;
}

const RETRY = { baseMs: 100, capMs: 2_000, random: Math.random } as const;

export function createCancellation(options: CancellationOptions): Cancellation {
  const { signal, leaving } = options;
  const closed = new AbortController();
  let task: string | undefined;
  let running: Promise<void> | undefined;

  const cancel = (): Promise<void> => {
    if (task === undefined) return Promise.resolve();
    running ??= persist(task, options, closed.signal);
    return running;
  };
  const onInterrupt = (): void => {
    if (isPipe(signal.reason)) return;
    const what = task === undefined ? 'the command' : `the task ${task}`;
    options.terminal.stderr.write(`viworks: cancelling ${what} (Ctrl-C again leaves it, and it may then go on)\n`);
    void cancel();
  };
  // The process ends right after this returns, so it is written at once and not through the stream.
  const onLeaving = (): void => {
    const text =
      task === undefined
        ? 'left; the command may still run: viworks tasks'
        : `left; the task may still run: viworks tasks show ${task}`;
    writeSync(2, `viworks: ${text}\n`);
  };
  if (signal.aborted) onInterrupt();
  signal.addEventListener('abort', onInterrupt, { once: true });
  leaving.addEventListener('abort', onLeaving, { once: true });

  return {
    aim(taskId) {
      task = taskId;
      if (signal.aborted) void cancel();
    },
    cancel,
    close() {
      closed.abort();
      signal.removeEventListener('abort', onInterrupt);
      leaving.removeEventListener('abort', onLeaving);
    },
  };
}

// Every failure here is either healed by trying again or shown by the task's own end, so none is thrown.
async function persist(task: string, options: CancellationOptions, closed: AbortSignal): Promise<void> {
  for (let attempt = 0; !closed.aborted; attempt++) {
    try {
      await options.client.json<unknown>({
        method: 'POST',
        path: `/api/v1/tasks/${encodeURIComponent(task)}/cancel`,
        body: {},
        signal: closed,
      });
      return;
    } catch (error) {
      if (closed.aborted) return;
      if (!(error instanceof ViworksError) || error.retry !== 'later') {
        const reason = error instanceof Error ? error.message : String(error);
        options.terminal.stderr.write(`viworks: cannot cancel: ${reason}\n`);
        return;
      }
    }
    await options.clock.sleep(backoffMs(attempt, RETRY), closed).catch(() => {});
  }
}

function isPipe(reason: unknown): boolean {
  return reason instanceof ViworksError && reason.code === 'VW_CLI_BROKEN_PIPE';
}
