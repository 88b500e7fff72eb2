// What a deploy tells while it works: one event stream, written as short lines for people or as NDJSON for programs.
import type { Writable } from 'node:stream';
import type { Clock } from '../../agents/runtime/index.ts';

/** One thing that happened. */
export interface DeployEvent {
  readonly host?: string | undefined;
  readonly phase: 'connect' | 'plan' | 'prepare' | 'activate' | 'soak' | 'commit' | 'rollback' | 'remove';
  readonly step: string;
  readonly status: 'started' | 'done' | 'failed' | 'note';
  readonly ms?: number | undefined;
  readonly code?: string | undefined;
  readonly detail?: string | undefined;
}

/** Where events go. */
export interface Progress {
  event(event: DeployEvent): void;
  /** The hosts are done with a phase: what was collected for them is written. */
  flush(): void;
  /** A whole text, such as the plan; people only. */
  text(lines: readonly string[]): void;
  /** The last word. */
  result(result: { readonly summary: string; readonly exitCode: number; readonly [key: string]: unknown }): void;
}

const TOLD: ReadonlySet<string> = new Set(['stays', 'kept', 'left']);

/** Lines for people: one for each host and phase, steps joined, on stderr; the result on stdout. */
export function createPlainProgress(streams: { readonly stdout: Writable; readonly stderr: Writable }): Progress {
  const collected = new Map<string, string[]>();
  const width = 14;
  return {
    event({ host, step, status, ms, detail }) {
      // A host's own notes are for programs; people are told what is out of the ordinary.
      if (status === 'started' || (status === 'note' && !TOLD.has(step))) return;
      const took = ms !== undefined && ms >= 50 ? ` ${(ms / 1000).toFixed(1)} s` : '';
      const text = status === 'failed' ? `${step} FAILED${took}` : `${step}${took}${detail ? ` (${detail})` : ''}`;
      const key = host ?? '';
      collected.set(key, [...(collected.get(key) ?? []), text]);
    },
    flush() {
      for (const [host, steps] of collected)
        streams.stderr.write(`  ${host.padEnd(width - 2)}  ${steps.join(' · ')}\n`);
      collected.clear();
    },
    text: (lines) => void streams.stderr.write(`${lines.join('\n')}\n`),
    result: ({ summary }) => void streams.stdout.write(`${summary}\n`),
  };
}

/** NDJSON on stdout; the last line is the result. */
export function createNdjsonProgress(stdout: Writable, clock: Clock): Progress {
  let seq = 0;
  const write = (body: object): void => {
    stdout.write(`${JSON.stringify({ v: 1, ts: new Date(clock.now()).toISOString(), seq: ++seq, ...body })}\n`);
  };
  return {
    event: (event) => write({ type: 'event', ...event }),
    flush: () => undefined,
    text: () => undefined,
    result: (result) => write({ type: 'result', ...result }),
  };
}
