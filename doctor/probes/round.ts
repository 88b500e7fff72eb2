// Runs one bundle on one host: the script in, sections out as they arrive. What came before a deadline or a broken link is kept.
import { randomBytes } from 'node:crypto';
import { type Clock, describe, type RemoteText, redactText } from '../../agents/runtime/index.ts';
import { createFrameReader, type SectionOutput } from './frames.ts';
import { type HostLink, LostError } from './link.ts';
import type { Gap } from './probe.ts';
import { bundleScript, type Section, shellCommand } from './script.ts';
import { Sections } from './sections.ts';

export interface RoundOptions {
  readonly link: HostLink;
  readonly sections: readonly Section[];
  readonly sudo: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** For the whole bundle, in ms. */
  readonly deadlineMs: number;
  /** Called for each section as soon as it is complete. */
  readonly onSection?: (section: SectionOutput) => void;
}

export interface RoundResult {
  readonly nonce: string;
  readonly sections: Sections;
  readonly sentMs: number;
  /** When the first section was heard, by our clock: what the host's clock is compared with. */
  readonly firstHeardMs: number;
  /** Why the sections that are not there did not come; null when every section ran. */
  readonly gap: Gap | null;
  /** What was said outside of the frames, and on stderr; explains an empty round. */
  readonly noise: RemoteText;
}

/** Never throws for what the host does: an unfinished round says so. */
export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { link, clock, signal } = options;
  const nonce = randomBytes(12).toString('hex');
  const reader = createFrameReader(nonce);
  const heard: SectionOutput[] = [];
  const sentMs = clock.now();
  let firstHeardMs = 0;
  let gap: Gap | undefined;
  let complaint = (): string => '';
  try {
    const shell = await link.shell(shellCommand({ sudo: options.sudo }));
    complaint = shell.complaint;
    await new Promise<void>((resolve) => {
      const timer = clock.after(options.deadlineMs, () =>
        finish({ reason: 'cut', detail: `it did not come within ${options.deadlineMs / 1000} s` }),
      );
      const onAbort = (): void => finish(stopped);
      const finish = (why: Gap): void => {
        gap ??= why;
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        shell.kill();
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) finish(stopped);
      shell.stdout.on('data', (chunk: Buffer) => {
        firstHeardMs ||= clock.now();
        for (const raw of reader.push(chunk)) {
          // Before anything is kept or even parsed: what is recorded and what is reported come from the same text.
          const keep = options.sections.find((item) => item.id === raw.id)?.keep;
          const text = keep ? keep(raw.text, nonce) : raw.text;
          const section = { ...raw, text: redactText(text) };
          heard.push(section);
          options.onSection?.(section);
        }
        if (reader.done) finish(stopped);
        if (reader.flooded) finish(flooded);
      });
      shell.ended.then(
        () => finish({ reason: 'cut', detail: 'the shell on the host ended before it' }),
        (error: unknown) => finish(signal.aborted ? stopped : gapOf(error)),
      );
      shell.stdin.end(bundleScript(options.sections, nonce));
    });
  } catch (error) {
    gap = signal.aborted ? stopped : gapOf(error);
  }
  const noise = redactText([reader.noise.trim(), complaint().trim()].filter(Boolean).join('; '));
  const missing = reader.done ? null : (gap ?? stopped);
  const tails = options.sections.flatMap(({ id, isTail }) => (isTail ? [id] : []));
  const sections = new Sections(heard, tails);
  return { nonce, sections, sentMs, firstHeardMs: firstHeardMs || sentMs, gap: missing, noise };
}

const flooded: Gap = {
  reason: 'cut',
  detail: 'the host sent more than a round has to say, so the connection was closed',
};
const stopped: Gap = { reason: 'cut', detail: 'the run was stopped' };

function gapOf(error: unknown): Gap {
  return { reason: error instanceof LostError ? 'lost' : 'cut', detail: describe(error) };
}
