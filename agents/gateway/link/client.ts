// Keeps one session with the backend for as long as the agent lives: dial, talk, come back after a random delay, never give up.
import { randomBytes } from 'node:crypto';
import { closeByCode, type Frame, type FrameOf, helloPayload, limits } from '../../protocol/index.ts';
import {
  backoffMs,
  type Clock,
  describe,
  fromUnknown,
  isAbort,
  type Logger,
  ViworksError,
} from '../../runtime/index.ts';
import { MESSAGES } from '../messages.ts';
import { type Conversation, converse, type LinkEnd } from './conversation.ts';
import { type DialFailure, type Dialled, dial } from './dial.ts';
import type { NextOutput, Outbox } from './outbox.ts';
import type { WorkFrame } from './session.ts';

// A short session does not start the back-off anew, but a backend that does open sessions is not waited for longer than 4 s: one that
// is overrun refuses instead of opening, and then the delay grows to its cap.
const FLAPPING_ATTEMPT = 3;

/** State of the link as health shows it. */
export interface LinkStatus {
  readonly up: boolean;
  readonly since: number;
  readonly message: string;
  readonly lastHeardAt: number | undefined;
  readonly losses: number;
  readonly sessionEpoch: number;
}

/** What a link client needs. */
export interface LinkDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly url: string;
  readonly ca: string | undefined;
  readonly random: () => number;
  /** Done before the first dial: enrolment. Throws only what cannot be healed here. */
  prepare(signal: AbortSignal): Promise<void>;
  /** Judges a close code of the backend; throws to end the program. */
  refused(code: number): void;
  sign(text: string): string;
  /** HELLO without nonces and signature. */
  helloBody(): Omit<FrameOf<'session.hello'>, 'type' | 'protocol' | 'nonce' | 'spkiSeen' | 'signature'>;
  opened(welcome: FrameOf<'session.welcome'>): void;
  closed(): void;
  work(frame: WorkFrame): void;
  readonly next: NextOutput;
  status(text: string): void;
}

/** The link. */
export interface LinkClient {
  run(signal: AbortSignal): Promise<void>;
  send(frame: Frame): void;
  pump(): void;
  /** Ends the present link because the backend broke the protocol. */
  violation(message: string): void;
  /** Ends the present link for good, politely. */
  goodbye(): void;
  status(): LinkStatus;
}

/** Creates the client; `run` is its loop. */
export function createLinkClient(deps: LinkDeps): LinkClient {
  const { clock, logger } = deps;
  let conversation: Conversation | undefined;
  let outbox: Outbox | undefined;
  let status: LinkStatus = {
    up: false,
    since: clock.now(),
    message: 'not connected yet',
    lastHeardAt: undefined,
    losses: 0,
    sessionEpoch: 0,
  };
  const set = (change: Partial<LinkStatus>): void => {
    const since = change.up !== undefined && change.up !== status.up ? clock.now() : status.since;
    status = { ...status, since, ...change };
    if (change.message !== undefined) deps.status(change.message);
  };

  function hello(dialled: Dialled, challenge: { serverNonce: string; protocol: number }): FrameOf<'session.hello'> {
    const body = deps.helloBody();
    const nonce = randomBytes(32).toString('base64url');
    const { spkiSeen } = dialled;
    const { gatewayId, incarnation } = body;
    const signature = deps.sign(helloPayload({ ...challenge, gatewayId, nonce, spkiSeen, incarnation }));
    return { type: 'session.hello', protocol: challenge.protocol, ...body, nonce, spkiSeen, signature };
  }

  async function once(signal: AbortSignal): Promise<LinkEnd> {
    const dialled = await dial({ url: deps.url, ca: deps.ca }, signal);
    conversation = converse(dialled.socket, {
      clock,
      logger,
      next: deps.next,
      events: {
        hello: (challenge) => hello(dialled, challenge),
        opened(welcome, link) {
          outbox = link;
          logger.info(MESSAGES.sessionOpen, {
            session: welcome.sessionId,
            epoch: welcome.sessionEpoch,
            backend: welcome.version,
          });
          set({ up: true, message: `connected to ${deps.url}`, sessionEpoch: welcome.sessionEpoch });
          deps.opened(welcome);
        },
        work: deps.work,
        heard: (at) => {
          status = { ...status, lastHeardAt: at };
        },
      },
    });
    const abort = (): void => conversation?.close('normal', 'the gateway stops');
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await conversation.ended;
    } finally {
      signal.removeEventListener('abort', abort);
      conversation = undefined;
      outbox = undefined;
      deps.closed();
    }
  }

  // One line per kind of failure: a backend that is away for an hour must not fill the log.
  let lastSaid = '';
  function say(key: string, log: () => void): void {
    if (key === lastSaid) return;
    lastSaid = key;
    log();
  }

  async function run(signal: AbortSignal): Promise<void> {
    await deps.prepare(signal);
    let attempt = 0;
    while (!signal.aborted) {
      let delayMs: number;
      let code: number | string;
      let reason: string;
      try {
        const end = await once(signal);
        if (signal.aborted) break;
        if (end.openMs >= limits.STABLE_AFTER_MS) attempt = 0;
        else if (end.openMs > 0) attempt = Math.min(attempt, FLAPPING_ATTEMPT);
        ({ code, reason } = end);
        const spec = closeByCode(end.code);
        if (spec?.comeBack === 'operator') deps.refused(end.code);
        if (end.openMs > 0) {
          lastSaid = '';
          logger.warn(MESSAGES.sessionLost, { code, reason, durationMs: Math.round(end.openMs) });
          set({ losses: status.losses + 1 });
        }
        if (spec?.comeBack === 'operator') {
          delayMs = limits.TERMINAL_RETRY_MS * (0.9 + 0.2 * deps.random());
          say(`code ${code}`, () =>
            logger.error(MESSAGES.gatewayRefused, {
              code,
              name: spec.name,
              reason,
              hint: spec.meaning,
              delayMs,
            }),
          );
        } else if (end.spreadMs !== undefined) {
          delayMs = deps.random() * end.spreadMs;
        } else {
          delayMs = delay(attempt++);
          if (end.openMs === 0) say(`code ${code}`, () => logger.warn(MESSAGES.sessionRefused, { code, reason }));
        }
      } catch (error) {
        if (signal.aborted || isAbort(error)) break;
        if (error instanceof ViworksError && error.exitCode === 64) throw error; // a configuration that cannot work
        const failure = error instanceof Error ? (error.cause as DialFailure | undefined) : undefined;
        code = failure?.kind ?? fromUnknown(error).code;
        reason = failure?.message ?? describe(error);
        delayMs = delay(attempt++);
        say(`dial ${code}`, () => logger.warn(MESSAGES.backendUnreachable, { url: deps.url, code, reason }));
      }
      set({ up: false, message: `${deps.url}: ${reason} (${code})` });
      logger.info(MESSAGES.reconnecting, { attempt, delayMs: Math.round(delayMs), code });
      await clock.sleep(delayMs, signal);
    }
    signal.throwIfAborted();
  }

  function delay(attempt: number): number {
    return backoffMs(attempt, {
      baseMs: limits.RECONNECT_BASE_MS,
      capMs: limits.RECONNECT_CAP_MS,
      random: deps.random,
    });
  }

  return {
    run,
    send: (frame) => outbox?.send(frame),
    pump: () => outbox?.pump(),
    violation: (message) => conversation?.close('protocol_error', message),
    goodbye: () => conversation?.close('normal', 'the gateway stops'),
    status: () => status,
  };
}
