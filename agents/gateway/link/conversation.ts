// Runs one open link: feeds what arrives and the passing of time to the reducer, and carries out its effects.
import type { RawData, WebSocket } from 'ws';
import { CLOSE, type CloseName, decodeFrame, type Frame, type FrameOf } from '../../protocol/index.ts';
import type { Clock, Logger } from '../../runtime/index.ts';
import { MESSAGES } from '../messages.ts';
import { createOutbox, type NextOutput, type Outbox } from './outbox.ts';
import { initialSession, reduceSession, type SessionEffect, type SessionInput, type WorkFrame } from './session.ts';

/** What a conversation calls while it lasts. */
export interface ConversationEvents {
  /** Builds and signs HELLO. */
  hello(challenge: { readonly serverNonce: string; readonly protocol: number }): FrameOf<'session.hello'>;
  opened(welcome: FrameOf<'session.welcome'>, link: Outbox): void;
  work(frame: WorkFrame): void;
  /** Any frame came in. */
  heard(at: number): void;
}

/** How a link ended. */
export interface LinkEnd {
  /** How long the session was open, in ms; 0 when it never was. */
  readonly openMs: number;
  readonly code: number;
  readonly reason: string;
  /** From GOAWAY: come back after a random part of this. */
  readonly spreadMs: number | undefined;
}

/** An ongoing conversation; `close` ends it politely. */
export interface Conversation {
  readonly ended: Promise<LinkEnd>;
  close(name: CloseName | 'normal', message: string): void;
}

const TICK_MS = 500; // liveness is judged this often; deadlines are seconds
const CLOSE_WAIT_MS = 1_000; // for the peer's close frame, before the socket is torn down

/** Starts the conversation on an open socket. */
export function converse(
  socket: WebSocket,
  options: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly events: ConversationEvents;
    readonly next: NextOutput;
  },
): Conversation {
  const { clock, logger, events } = options;
  const outbox = createOutbox(
    {
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
      send: (data, sent) => socket.send(data, sent),
    },
    options.next,
  );
  const { promise: ended, resolve } = Promise.withResolvers<LinkEnd>();
  let state = initialSession(clock.monotonicMs());
  let spreadMs: number | undefined;
  let said: { code: number; reason: string } | undefined;
  let timer = clock.after(TICK_MS, tick);

  function shut(code: number, reason: string): void {
    said ??= { code, reason };
    outbox.close();
    socket.close(code, Buffer.from(reason).subarray(0, 120).toString('utf8'));
    clock.after(CLOSE_WAIT_MS, () => socket.terminate());
  }

  function perform(effect: SessionEffect): void {
    switch (effect.type) {
      case 'send_hello':
        outbox.send(events.hello({ serverNonce: effect.serverNonce, protocol: effect.protocol }));
        break;
      case 'send':
        outbox.send(effect.frame);
        break;
      case 'opened':
        events.opened(effect.welcome, outbox);
        break;
      case 'work':
        events.work(effect.frame);
        break;
      case 'go_away':
        spreadMs = effect.spreadMs;
        logger.info(MESSAGES.backendLeaving, { reason: effect.reason, spreadMs });
        break;
      case 'refused':
        said = { code: effect.code, reason: `${effect.name}: ${effect.message}` };
        break;
      case 'skipped':
        logger.debug(MESSAGES.unknownFrame, { frameType: effect.frameType });
        break;
      case 'close':
        shut(CLOSE[effect.name].code, effect.message);
    }
  }

  function step(input: SessionInput): void {
    const reduced = reduceSession(state, input);
    state = reduced.state;
    for (const effect of reduced.effects) perform(effect);
  }

  function tick(): void {
    step({ type: 'tick', at: clock.monotonicMs() });
    timer = clock.after(TICK_MS, tick);
  }

  socket.on('message', (data: RawData, isBinary: boolean) => {
    const at = clock.monotonicMs();
    events.heard(clock.now());
    if (isBinary) return step({ type: 'binary', at });
    const decoded = decodeFrame(data.toString());
    step(
      decoded.ok ? { type: 'frame', frame: decoded.frame, at } : { type: 'undecodable', failure: decoded.error, at },
    );
  });
  socket.on('error', (error) => {
    said ??= { code: 1006, reason: error.message };
  });
  socket.on('close', (code, reason) => {
    timer.cancel();
    outbox.close();
    const open = state.openedAt === 0 ? 0 : clock.monotonicMs() - state.openedAt;
    // A coded close of the peer says more than the 1006 that a torn-down socket leaves.
    const text = reason.toString('utf8');
    const own = said?.code ?? code;
    resolve({
      openMs: open,
      code: code >= 4000 ? code : own,
      reason: said?.reason ?? (text === '' ? 'the connection broke' : text),
      spreadMs,
    });
  });

  socket.resume();
  return {
    ended,
    close(name, message) {
      if (name !== 'normal') {
        const refusal: Frame = { type: 'session.refused', code: CLOSE[name].code, name, message };
        outbox.send(refusal);
      }
      shut(name === 'normal' ? 1000 : CLOSE[name].code, message);
    },
  };
}
