// One link's conversation with the backend as a pure reducer: (state, input) → (state, effects). No socket, no clock, no randomness.
import {
  CLOSE,
  type CloseName,
  type DecodeFailure,
  FROM_BACKEND,
  type Frame,
  type FrameOf,
  limits,
  OLDEST_ACCEPTED_VERSION,
  PROTOCOL_VERSION,
} from '../../protocol/index.ts';

/** Where the conversation is. Times are on the monotonic clock, in ms. */
export interface SessionState {
  readonly phase: 'challenge' | 'welcome' | 'open' | 'closed';
  readonly beganAt: number;
  readonly openedAt: number;
  readonly lastHeardAt: number;
  readonly heartbeatMs: number;
  /** The ping that waits for its answer. */
  readonly ping: { readonly nonce: number; readonly sentAt: number } | undefined;
  readonly lastPingAt: number;
  readonly nextNonce: number;
  readonly misses: number;
  /** Negotiated; 0 before WELCOME. */
  readonly protocol: number;
  /** The highest version that the backend speaks: frames that we do not know are forgiven only to a newer peer. */
  readonly peerProtocol: number;
  readonly skipped: number;
}

/** What can happen to a link. */
export type SessionInput =
  | { readonly type: 'frame'; readonly frame: Frame; readonly at: number }
  | { readonly type: 'undecodable'; readonly failure: DecodeFailure; readonly at: number }
  | { readonly type: 'binary'; readonly at: number }
  | { readonly type: 'tick'; readonly at: number };

/** Frames that are about tasks. */
export type WorkFrame = FrameOf<'task.run' | 'task.ack' | 'task.settled' | 'task.cancel'>;

/** What is to be done about it. */
export type SessionEffect =
  | { readonly type: 'send_hello'; readonly serverNonce: string; readonly protocol: number }
  | { readonly type: 'send'; readonly frame: Frame }
  | { readonly type: 'opened'; readonly welcome: FrameOf<'session.welcome'> }
  | { readonly type: 'work'; readonly frame: WorkFrame }
  | { readonly type: 'go_away'; readonly spreadMs: number; readonly reason: string }
  | { readonly type: 'refused'; readonly code: number; readonly name: string; readonly message: string }
  | { readonly type: 'skipped'; readonly frameType: string }
  | { readonly type: 'close'; readonly name: CloseName; readonly message: string };

interface Step {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

const MISSES_ALLOWED = 1; // the second unanswered ping closes the link

/** The state of a link that has just been opened. */
export function initialSession(at: number): SessionState {
  return {
    phase: 'challenge',
    beganAt: at,
    openedAt: 0,
    lastHeardAt: at,
    heartbeatMs: limits.HEARTBEAT_MS,
    ping: undefined,
    lastPingAt: at,
    nextNonce: 1,
    misses: 0,
    protocol: 0,
    peerProtocol: PROTOCOL_VERSION,
    skipped: 0,
  };
}

/** One step. */
export function reduceSession(state: SessionState, input: SessionInput): Step {
  if (state.phase === 'closed') return { state, effects: [] };
  if (input.type === 'tick') return tick(state, input.at);
  const heard: SessionState = { ...state, lastHeardAt: input.at, misses: 0 };
  if (input.type === 'binary') return close(heard, 'protocol_error', 'a backend sends no output');
  if (input.type === 'undecodable') return undecodable(heard, input.failure);
  return onFrame(heard, input.frame, input.at);
}

function onFrame(state: SessionState, frame: Frame, at: number): Step {
  if (!FROM_BACKEND.has(frame.type)) return close(state, 'protocol_error', `a backend does not send ${frame.type}`);
  switch (frame.type) {
    case 'session.challenge':
      return onChallenge(state, frame);
    case 'session.welcome':
      return onWelcome(state, frame, at);
    case 'session.ping':
      return { state, effects: [{ type: 'send', frame: { type: 'session.pong', nonce: frame.nonce } }] };
    case 'session.pong':
      return { state: frame.nonce === state.ping?.nonce ? { ...state, ping: undefined } : state, effects: [] };
    case 'session.goaway':
      return { state, effects: [{ type: 'go_away', spreadMs: frame.spreadMs, reason: frame.reason }] };
    case 'session.refused':
      return { state, effects: [{ type: 'refused', code: frame.code, name: frame.name, message: frame.message }] };
    case 'task.run':
    case 'task.ack':
    case 'task.settled':
    case 'task.cancel':
      if (state.phase !== 'open') return close(state, 'protocol_error', `${frame.type} came before WELCOME`);
      return { state, effects: [{ type: 'work', frame }] };
    default:
      return close(state, 'protocol_error', `${frame.type} is not expected here`);
  }
}

function onChallenge(state: SessionState, frame: FrameOf<'session.challenge'>): Step {
  if (state.phase !== 'challenge') return close(state, 'protocol_error', 'a second CHALLENGE');
  if (frame.protocolMax < OLDEST_ACCEPTED_VERSION || frame.protocolMin > PROTOCOL_VERSION) {
    const side = frame.protocolMin > PROTOCOL_VERSION ? 'gateway' : 'backend';
    const spoken = `${frame.protocolMin} to ${frame.protocolMax}`;
    return close(
      state,
      'protocol_too_old',
      `the backend speaks ${spoken}, we ${PROTOCOL_VERSION}: upgrade the ${side}`,
    );
  }
  const protocol = Math.min(frame.protocolMax, PROTOCOL_VERSION);
  return {
    state: { ...state, phase: 'welcome', peerProtocol: frame.protocolMax },
    effects: [{ type: 'send_hello', serverNonce: frame.nonce, protocol }],
  };
}

function onWelcome(state: SessionState, frame: FrameOf<'session.welcome'>, at: number): Step {
  if (state.phase !== 'welcome') return close(state, 'protocol_error', 'WELCOME came at the wrong moment');
  return {
    state: {
      ...state,
      phase: 'open',
      openedAt: at,
      lastPingAt: at,
      heartbeatMs: frame.heartbeatMs,
      protocol: frame.protocol,
    },
    effects: [{ type: 'opened', welcome: frame }],
  };
}

function undecodable(state: SessionState, failure: DecodeFailure): Step {
  // Before CHALLENGE nothing is known about the peer, so nothing is forgiven.
  if (failure.kind === 'unknown_type' && failure.type !== '' && state.peerProtocol > PROTOCOL_VERSION) {
    return {
      state: { ...state, skipped: state.skipped + 1 },
      effects: [{ type: 'skipped', frameType: failure.type }],
    };
  }
  const message =
    failure.kind === 'malformed'
      ? `${failure.type} ${failure.path}: ${failure.message}`
      : failure.kind === 'unknown_type'
        ? `unknown frame type ${JSON.stringify(failure.type)}`
        : 'a text frame is not JSON';
  return close(state, 'protocol_error', message);
}

function tick(state: SessionState, at: number): Step {
  if (state.phase !== 'open') {
    if (at - state.beganAt < limits.HANDSHAKE_MS) return { state, effects: [] };
    const missing = state.phase === 'challenge' ? 'CHALLENGE' : 'WELCOME';
    return close(state, 'handshake_timeout', `${missing} did not come within ${limits.HANDSHAKE_MS} ms`);
  }
  if (state.ping) {
    if (at - state.ping.sentAt < limits.PONG_DUE_MS) return { state, effects: [] };
    // Any frame since the ping is as good as its pong: the peer lives.
    if (state.lastHeardAt >= state.ping.sentAt) return { state: { ...state, ping: undefined, misses: 0 }, effects: [] };
    if (state.misses >= MISSES_ALLOWED) {
      return close(state, 'no_pong', `nothing was heard for ${Math.round(at - state.lastHeardAt)} ms`);
    }
    return ping({ ...state, misses: state.misses + 1 }, at);
  }
  return at - state.lastPingAt >= state.heartbeatMs ? ping(state, at) : { state, effects: [] };
}

function ping(state: SessionState, at: number): Step {
  const nonce = state.nextNonce;
  return {
    state: { ...state, ping: { nonce, sentAt: at }, lastPingAt: at, nextNonce: nonce + 1 },
    effects: [{ type: 'send', frame: { type: 'session.ping', nonce } }],
  };
}

function close(state: SessionState, name: CloseName, message: string): Step {
  const effects: SessionEffect[] = [];
  if (state.phase !== 'closed') {
    const refusal: Frame = { type: 'session.refused', code: CLOSE[name].code, name, message: message.slice(0, 1024) };
    effects.push({ type: 'send', frame: refusal }, { type: 'close', name, message });
  }
  return { state: { ...state, phase: 'closed' }, effects };
}
