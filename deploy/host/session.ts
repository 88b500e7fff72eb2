// The helper's side of a conversation: requests one after the other. When the deployer goes away before it has committed,
// the helper goes back by itself: a deploy that nobody watches any more is not a success.
import { readFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { type Clock, describe, errnoOf, ViworksError } from '../../agents/runtime/index.ts';
import { deployErrors } from '../errors.ts';
import { LAYOUT } from '../plan/layout.ts';
import { goBack } from './activate.ts';
import { encodeMessage, FrameReader, type HostMessage, type HostRequest } from './frames.ts';
import { GateError } from './gates.ts';
import { readState } from './memory.ts';
import { OPERATIONS } from './operations.ts';
import { sha256 } from './tools.ts';

/** What a conversation needs. */
export interface SessionOptions {
  readonly word: string;
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: Clock;
}

// While a release is activated and not committed, a silent deployer is a lost one after this long, unless it says otherwise.
const SILENCE_MS = 60_000;

/** Serves requests until the deployer closes its side. Gives the exit code. */
export async function serveSession(options: SessionOptions): Promise<number> {
  const { word, input, output, clock } = options;
  // The deployer may be gone: what cannot be told is not a reason to stop half-way.
  output.on('error', () => undefined);
  const say = (message: HostMessage): void => void output.write(encodeMessage(word, message));
  const reader = new FrameReader(input);
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const helper = await readFile(LAYOUT.helper).then(sha256, () => '');
  say({ type: 'hello', helper, uid: process.getuid?.() ?? -1 });
  let mine = false;
  let silenceMs = SILENCE_MS;
  for (;;) {
    const line = await nextLine(reader, mine ? { clock, silenceMs } : undefined);
    if (line === undefined) break;
    const request = JSON.parse(line) as HostRequest;
    if (request.op === 'replace-yourself') {
      // Same process, same channel: only the program changes. Nothing was read beyond the line.
      process.execve?.(LAYOUT.helper, [LAYOUT.helper, 'session', word], {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      });
    }
    if (request.op === 'switch') {
      mine = true;
      silenceMs = (request.args as { windowMs?: number }).windowMs ?? SILENCE_MS;
    }
    await answer(request, { reader, say, clock, bootId });
    if (request.op === 'commit' || request.op === 'go-back') mine = false;
  }
  if (!mine || (await readState()).phase !== 'activating') return 0;
  await goBack(
    { reason: 'the deployer went away before it confirmed', blame: false },
    { clock, bootId, note: () => undefined },
  );
  return 1;
}

async function nextLine(
  reader: FrameReader,
  watch: { readonly clock: Clock; readonly silenceMs: number } | undefined,
): Promise<string | undefined> {
  const line = reader.line().catch(() => undefined);
  if (!watch) return line;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = watch.clock.after(watch.silenceMs, () => resolve(undefined));
  try {
    return await Promise.race([line, promise]);
  } finally {
    timer.cancel();
  }
}

async function answer(
  request: HostRequest,
  parts: { reader: FrameReader; say: (message: HostMessage) => void; clock: Clock; bootId: string },
): Promise<void> {
  const { reader, say, clock, bootId } = parts;
  const { id } = request;
  const bytes = reader.bytes(request.bytes);
  try {
    const operation = OPERATIONS[request.op];
    if (!operation) throw new Error(`this helper knows no operation ${request.op}`);
    const note = (step: string, detail: string): void => say({ type: 'note', id, step, detail });
    const value = await operation(request.args as never, { clock, bootId, bytes, note });
    say({ type: 'done', id, value: value ?? null });
  } catch (error) {
    const coded = error instanceof ViworksError ? error : noSpace(error);
    const gate = error instanceof GateError ? 'gate' : 'failed';
    say({
      type: 'failed',
      id,
      code: coded?.code ?? gate,
      message: describe(error),
      detail: definedOnly(coded?.detail ?? {}),
    });
  }
  // What was announced and not read has to be skipped, or it would be taken for requests.
  for await (const _ of bytes);
}

function noSpace(error: unknown): ViworksError | undefined {
  if (errnoOf(error) !== 'ENOSPC') return undefined;
  return deployErrors.create('VW_DEPLOY_SPACE', { directory: LAYOUT.root, free: 'nothing', needed: 'more' });
}

function definedOnly(detail: ViworksError['detail']): Record<string, string | number | boolean | null> {
  const entries = Object.entries(detail).filter(
    (entry): entry is [string, string | number | boolean | null] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
