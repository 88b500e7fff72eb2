// Runs one bundle on one host: the script in, sections out as they arrive. What came before a deadline or a broken link is kept.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../agents/runtime/index.ts';
import { createFrameReader, type SectionOutput } from './frames.ts';
import type { HostLink } from './link.ts';
import { redactText } from './redact.ts';
import { bundleScript, type Section, shellCommand } from './script.ts';

export interface RoundOptions {
  readonly link: HostLink;
  readonly sections: readonly Section[];
  readonly prelude?: readonly string[];
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
  readonly sections: ReadonlyMap<string, SectionOutput>;
  readonly sentMs: number;
  /** When the first section was heard, by our clock: what the host's clock is compared with. */
  readonly firstHeardMs: number;
  /** Every section ran. */
  readonly complete: boolean;
  /** What was said outside of the frames; explains an empty round. */
  readonly noise: string;
}

/** Never throws for what the host does: an unfinished round says so. */
export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { link, clock, signal } = options;
  const nonce = randomBytes(12).toString('hex');
  const reader = createFrameReader(nonce);
  const sections = new Map<string, SectionOutput>();
  const sentMs = clock.now();
  let firstHeardMs = 0;
  let failure = '';
  try {
    const shell = await link.shell(shellCommand({ sudo: options.sudo }));
    await new Promise<void>((resolve) => {
      const timer = clock.after(options.deadlineMs, () => finish('the round took too long'));
      const onAbort = (): void => finish('stopped');
      const finish = (why: string): void => {
        failure ||= why;
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        shell.kill();
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) finish('stopped');
      shell.stdout.on('data', (chunk: Buffer) => {
        firstHeardMs ||= clock.now();
        for (const raw of reader.push(chunk)) {
          // Before anything is kept or even parsed: what is recorded and what is reported come from the same text.
          const section = { ...raw, text: redactText(raw.text) };
          sections.set(section.id, section);
          options.onSection?.(section);
        }
        if (reader.done) finish('');
      });
      shell.ended.then(
        () => finish('the shell ended early'),
        (error: unknown) => finish(String(error)),
      );
      shell.stdin.end(bundleScript(options.sections, nonce, options.prelude));
    });
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  const noise = [reader.noise.trim(), failure].filter(Boolean).join('; ');
  return { nonce, sections, sentMs, firstHeardMs: firstHeardMs || sentMs, complete: reader.done, noise };
}
