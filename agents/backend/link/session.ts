// One link as a pure reducer: (state, event) → (state, effects). It knows the order of frames, the deadlines and the limits;
// sockets, keys, the store and the clock belong to connection.ts.
import {
  CLOSE,
  type CloseName,
  type DecodeFailure,
  FROM_GATEWAY,
  type Frame,
  type FrameOf,
  limits,
  OLDEST_ACCEPTED_VERSION,
  PROTOCOL_VERSION,
} from '../../protocol/index.ts';

/** Where a link stands. `identifying`: HELLO is here, key and epoch are being looked at. */
export type Phase = 'challenged' | 'identifying' | 'open' | 'closed';

/** Everything that a link remembers. Times are monotonic milliseconds. */
export interface SessionState {
  readonly phase: Phase;
  readonly heartbeatMs: number;
  readonly openedAt: number;
  readonly lastReceivedAt: number;
  readonly nextPingAt: number;
  /** The ping under way: its nonce and when its answer is due. */
  readonly ping: { readonly nonce: number; readonly dueAt: number } | undefined;
  readonly nextNonce: number;
  readonly misses: number;
  /** Frames that may still come now; refilled with time. */
  readonly allowance: number;
  readonly peerProtocol: number;
}

/** What happens to a link. */
export type SessionEvent =
  | { readonly kind: 'frame'; readonly at: number; readonly frame: Frame; readonly bytes: number }
  | { readonly kind: 'undecodable'; readonly at: number; readonly failure: DecodeFailure }
  | { readonly kind: 'output'; readonly at: number }
  /** A ping of the WebSocket protocol itself, or an empty frame: life, but not for ever. */
  | { readonly kind: 'noise'; readonly at: number }
  | { readonly kind: 'tick'; readonly at: number }
  | { readonly kind: 'attached'; readonly at: number }
  | { readonly kind: 'refuse'; readonly name: CloseName; readonly message: string }
  | { readonly kind: 'gone' };

/** What is to be done about it, in order. */
export type SessionEffect =
  | { readonly kind: 'send'; readonly frame: Frame }
  | { readonly kind: 'identify'; readonly hello: FrameOf<'session.hello'> }
  | { readonly kind: 'probe'; readonly token: string | undefined }
  | { readonly kind: 'deliver'; readonly frame: Frame }
  | { readonly kind: 'skipped'; readonly type: string }
  | { readonly kind: 'close'; readonly name: CloseName | undefined; readonly message: string };

/** State and effects after an event. */
export type Step = readonly [SessionState, readonly SessionEffect[]];

// Text frames a second; a gateway at its busiest sends some hundred. The burst covers what piled up while a link was down.
const FRAMES_PER_SECOND = 5_000;
const FRAME_BURST = 20_000;
const ALLOWED_MISSES = 2;

/** A link whose CHALLENGE has just been sent. */
export function createSession(options: { at: number; heartbeatMs: number }): SessionState {
  return {
    phase: 'challenged',
    heartbeatMs: options.heartbeatMs,
    openedAt: options.at,
    lastReceivedAt: options.at,
    nextPingAt: Number.POSITIVE_INFINITY,
    ping: undefined,
    nextNonce: 1,
    misses: 0,
    allowance: FRAME_BURST,
    peerProtocol: PROTOCOL_VERSION,
  };
}

/** The reducer. */
export function reduceSession(state: SessionState, event: SessionEvent): Step {
  if (state.phase === 'closed') return [state, []];
  switch (event.kind) {
    case 'gone':
      return [{ ...state, phase: 'closed' }, []];
    case 'refuse':
      return refuse(state, event.name, event.message);
    case 'attached':
      if (state.phase !== 'identifying') return [state, []];
      return [{ ...state, phase: 'open', nextPingAt: event.at + state.heartbeatMs, lastReceivedAt: event.at }, []];
    case 'tick':
      return tick(state, event.at);
    case 'output':
      if (state.phase !== 'open') return refuse(state, 'protocol_error', 'output before WELCOME');
      return [{ ...state, lastReceivedAt: event.at, misses: 0 }, []];
    case 'noise': {
      const next = alive(state, event.at);
      return next.allowance < 0 ? refuse(next, 'rate_limited', 'too many frames') : [next, []];
    }
    case 'undecodable':
      return undecodable(alive(state, event.at), event.failure);
    case 'frame':
      return receive(alive(state, event.at), event);
  }
}

// Any frame is life and refills the allowance by the time that passed since the one before it.
function alive(state: SessionState, at: number): SessionState {
  const refill = ((at - state.lastReceivedAt) * FRAMES_PER_SECOND) / 1000;
  return {
    ...state,
    lastReceivedAt: at,
    misses: 0,
    allowance: Math.min(FRAME_BURST, state.allowance + refill) - 1,
  };
}

function receive(state: SessionState, event: Extract<SessionEvent, { kind: 'frame' }>): Step {
  const { frame } = event;
  if (state.allowance < 0) return refuse(state, 'rate_limited', 'too many frames');
  if (!FROM_GATEWAY.has(frame.type)) return refuse(state, 'protocol_error', `a gateway may not send ${frame.type}`);
  if (state.phase !== 'open') return handshake(state, event);
  switch (frame.type) {
    case 'session.ping':
      return [state, [{ kind: 'send', frame: { type: 'session.pong', nonce: frame.nonce } }]];
    case 'session.pong':
      return [frame.nonce === state.ping?.nonce ? { ...state, ping: undefined } : state, []];
    case 'session.hello':
    case 'session.probe':
      return refuse(state, 'protocol_error', 'the handshake is over');
    case 'session.refused':
      return [{ ...state, phase: 'closed' }, [{ kind: 'close', name: undefined, message: frame.message }]];
    default:
      return [state, [{ kind: 'deliver', frame }]];
  }
}

function handshake(state: SessionState, event: Extract<SessionEvent, { kind: 'frame' }>): Step {
  const { frame, bytes } = event;
  if (bytes > limits.MAX_HANDSHAKE_FRAME_BYTES)
    return refuse(state, 'protocol_error', `a handshake frame may have ${limits.MAX_HANDSHAKE_FRAME_BYTES} bytes`);
  if (frame.type === 'session.refused')
    return [{ ...state, phase: 'closed' }, [{ kind: 'close', name: undefined, message: frame.message }]];
  if (state.phase !== 'challenged') return refuse(state, 'protocol_error', `${frame.type} before WELCOME`);
  if (frame.type !== 'session.hello' && frame.type !== 'session.probe')
    return refuse(state, 'protocol_error', `${frame.type} instead of HELLO`);
  const peer = { ...state, peerProtocol: frame.protocol };
  if (frame.protocol < OLDEST_ACCEPTED_VERSION || frame.protocol > PROTOCOL_VERSION) {
    const side = frame.protocol > PROTOCOL_VERSION ? 'backend' : 'gateway';
    const message = `protocol ${frame.protocol} is not within ${OLDEST_ACCEPTED_VERSION}–${PROTOCOL_VERSION}: upgrade the ${side}`;
    return refuse(peer, 'protocol_too_old', message);
  }
  const next: SessionState = { ...peer, phase: 'identifying' };
  if (frame.type === 'session.probe') return [next, [{ kind: 'probe', token: frame.token }]];
  return [next, [{ kind: 'identify', hello: frame }]];
}

function undecodable(state: SessionState, failure: DecodeFailure): Step {
  if (state.allowance < 0) return refuse(state, 'rate_limited', 'too many frames');
  // A newer peer may say things that this version does not know yet; the same from an equal one is a mistake.
  if (failure.kind === 'unknown_type' && state.phase === 'open' && state.peerProtocol > PROTOCOL_VERSION)
    return [state, [{ kind: 'skipped', type: failure.type }]];
  if (failure.kind === 'malformed')
    return refuse(state, 'protocol_error', `${failure.type}: ${failure.path}: ${failure.message}`);
  if (failure.kind === 'not_json') return refuse(state, 'protocol_error', 'a text frame is not JSON');
  return refuse(state, 'protocol_error', `unknown frame type ${JSON.stringify(failure.type)}`);
}

function tick(state: SessionState, at: number): Step {
  if (state.phase !== 'open') {
    if (at - state.openedAt < limits.HANDSHAKE_MS) return [state, []];
    return refuse(state, 'handshake_timeout', `no session within ${limits.HANDSHAKE_MS} ms`);
  }
  let next = state;
  if (next.ping && at >= next.ping.dueAt) {
    // Life since the ping counts as its answer; our own sends never do.
    const heard = next.lastReceivedAt > next.ping.dueAt - limits.PONG_DUE_MS;
    next = { ...next, ping: undefined, misses: heard ? 0 : next.misses + 1 };
    if (next.misses >= ALLOWED_MISSES) return refuse(next, 'no_pong', 'no sign of life');
  }
  if (next.ping || at < next.nextPingAt) return [next, []];
  const nonce = next.nextNonce;
  next = {
    ...next,
    nextNonce: nonce + 1,
    nextPingAt: at + next.heartbeatMs,
    ping: { nonce, dueAt: at + limits.PONG_DUE_MS },
  };
  return [next, [{ kind: 'send', frame: { type: 'session.ping', nonce } }]];
}

function refuse(state: SessionState, name: CloseName, message: string): Step {
  const { code } = CLOSE[name];
  return [
    { ...state, phase: 'closed' },
    [
      { kind: 'send', frame: { type: 'session.refused', code, name, message: message.slice(0, 1024) } },
      { kind: 'close', name, message },
    ],
  ];
}
