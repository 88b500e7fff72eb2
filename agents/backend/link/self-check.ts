// The backend dials its own WebSocket server over a real socket: a port that listens proves nothing about a loop that accepts.
import { WebSocket } from 'ws';
import { decodeFrame, limits, SUBPROTOCOL } from '../../protocol/index.ts';
import { type Clock, describe, fromUnknown, type Logger, withDeadline } from '../../runtime/index.ts';
import { backendErrors } from '../errors.ts';
import type { Health } from '../health.ts';
import { MESSAGES } from '../messages.ts';
import { SELF_CHECK_HEADER } from './listener.ts';

/** Where and how to dial. */
export interface SelfCheck {
  /** host:port */
  readonly address: string;
  readonly path: string;
  readonly secret: string;
  readonly clock: Clock;
}

const DUE_MS = 2_000;
const EVERY_MS = 10_000;

/** Dials once and waits for CHALLENGE; throws VW_BACKEND_SELF_CHECK. */
export async function checkListener(check: SelfCheck, signal: AbortSignal): Promise<void> {
  const { address, clock } = check;
  const failure = (reason: string): Error => backendErrors.create('VW_BACKEND_SELF_CHECK', { address, reason });
  await withDeadline((deadline) => dial(check, deadline), {
    ms: DUE_MS,
    clock,
    signal,
    onTimeout: () => failure(`no CHALLENGE within ${DUE_MS} ms`),
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw fromUnknown(error).code === 'VW_BACKEND_SELF_CHECK' ? error : failure(describe(error));
  });
}

/** Repeats the check; the part `agents-listener` follows it. */
export async function runSelfCheckLoop(
  check: SelfCheck,
  deps: { health: Health; logger: Logger; draining: AbortSignal },
  signal: AbortSignal,
): Promise<void> {
  const { health, logger, draining } = deps;
  while (!signal.aborted) {
    await check.clock.sleep(EVERY_MS, signal);
    if (draining.aborted) continue; // Its listener is closed on purpose.
    try {
      await checkListener(check, signal);
      if (health.state('agents-listener') === 'down') logger.info(MESSAGES.selfCheckPassed);
      health.set('agents-listener', 'up');
    } catch (error) {
      signal.throwIfAborted();
      if (draining.aborted) continue;
      const failure = fromUnknown(error);
      if (health.state('agents-listener') !== 'down') logger.failure(MESSAGES.selfCheckFailed, failure);
      health.set('agents-listener', 'down', failure.message);
    }
  }
}

async function dial(check: SelfCheck, signal: AbortSignal): Promise<void> {
  const socket = new WebSocket(`ws://${check.address}${check.path}`, SUBPROTOCOL, {
    perMessageDeflate: false,
    maxPayload: limits.MAX_HANDSHAKE_FRAME_BYTES,
    headers: { [SELF_CHECK_HEADER]: check.secret },
  });
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the link was closed before CHALLENGE')));
      socket.on('message', (data) => {
        const decoded = decodeFrame(String(data));
        if (decoded.ok && decoded.frame.type === 'session.challenge') resolve();
        else reject(new Error('the first frame is not CHALLENGE'));
      });
    });
  } finally {
    socket.on('error', () => {}); // Closing before the upgrade is done is reported as an error, too.
    socket.terminate();
  }
}
