// The session reducer by tables: handshake order, liveness, what is forgiven and what is not.
import { expect, test } from 'vitest';
import { CLOSE, FRAME_TYPES, FROM_BACKEND, type Frame, limits, PROTOCOL_VERSION } from '../../protocol/index.ts';
import { initialSession, reduceSession, type SessionEffect, type SessionInput, type SessionState } from './session.ts';

const CHALLENGE: Frame = { type: 'session.challenge', nonce: 'n', serverTime: 0, protocolMin: 1, protocolMax: 1 };
const WELCOME: Frame = {
  type: 'session.welcome',
  protocol: 1,
  sessionId: 's',
  sessionEpoch: 1,
  heartbeatMs: 10_000,
  maxFrameBytes: 1_000_000,
  taskCreditBytes: 1_000_000,
  serverTime: 0,
  version: 'v',
  revision: 'r',
  tasks: [],
};
const frame = (value: Frame, at = 0): SessionInput => ({ type: 'frame', frame: value, at });

function feed(...inputs: SessionInput[]): { state: SessionState; effects: SessionEffect[] } {
  let state = initialSession(0);
  const effects: SessionEffect[] = [];
  for (const input of inputs) {
    const step = reduceSession(state, input);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

const closed = (effects: readonly SessionEffect[]): string | undefined => {
  const effect = effects.find(({ type }) => type === 'close');
  return effect?.type === 'close' ? effect.name : undefined;
};
const open = [frame(CHALLENGE), frame(WELCOME)];

test('challenge, hello, welcome: open', () => {
  const { state, effects } = feed(...open);
  expect(effects).toEqual([
    { type: 'send_hello', serverNonce: 'n', protocol: 1 },
    { type: 'opened', welcome: WELCOME },
  ]);
  expect(state).toMatchObject({ phase: 'open', heartbeatMs: 10_000, protocol: 1 });
});

test.each<[string, SessionInput[], string]>([
  ['welcome before challenge', [frame(WELCOME)], 'protocol_error'],
  ['a second challenge', [frame(CHALLENGE), frame(CHALLENGE)], 'protocol_error'],
  ['a second welcome', [...open, frame(WELCOME)], 'protocol_error'],
  ['work before welcome', [frame(CHALLENGE), frame({ type: 'task.settled', taskId: 'task-0001' })], 'protocol_error'],
  ['a backend that is too new', [frame({ ...CHALLENGE, protocolMin: 99, protocolMax: 100 })], 'protocol_too_old'],
  ['a backend that is too old', [frame({ ...CHALLENGE, protocolMin: 0, protocolMax: 0 })], 'protocol_too_old'],
  ['binary frames', [...open, { type: 'binary', at: 1 }], 'protocol_error'],
  ['no JSON', [...open, { type: 'undecodable', failure: { kind: 'not_json' }, at: 1 }], 'protocol_error'],
  [
    'an unknown type from an equal peer',
    [...open, { type: 'undecodable', failure: { kind: 'unknown_type', type: 'task.dance' }, at: 1 }],
    'protocol_error',
  ],
  [
    'a malformed known frame, even from a newer peer',
    [
      frame({ ...CHALLENGE, protocolMax: PROTOCOL_VERSION + 1 }),
      frame(WELCOME),
      { type: 'undecodable', failure: { kind: 'malformed', type: 'task.run', path: 'fence', message: 'x' }, at: 1 },
    ],
    'protocol_error',
  ],
  ['nothing for the whole handshake', [{ type: 'tick', at: limits.HANDSHAKE_MS }], 'handshake_timeout'],
  ['no welcome', [frame(CHALLENGE), { type: 'tick', at: limits.HANDSHAKE_MS }], 'handshake_timeout'],
])('%s closes the link', (_name, inputs, name) => {
  const { state, effects } = feed(...inputs);
  expect(closed(effects)).toBe(name);
  expect(state.phase).toBe('closed');
  // Said in words before the close code, and nothing after it.
  expect(effects.at(-2)).toMatchObject({
    type: 'send',
    frame: { type: 'session.refused', code: CLOSE[name as 'slow'].code },
  });
  expect(reduceSession(state, frame(CHALLENGE)).effects).toEqual([]);
});

test('an unknown type from a newer peer is counted and skipped', () => {
  const { state, effects } = feed(frame({ ...CHALLENGE, protocolMax: PROTOCOL_VERSION + 1 }), frame(WELCOME), {
    type: 'undecodable',
    failure: { kind: 'unknown_type', type: 'task.dance' },
    at: 1,
  });
  expect(state).toMatchObject({ phase: 'open', skipped: 1 });
  expect(effects.at(-1)).toEqual({ type: 'skipped', frameType: 'task.dance' });
});

test('every frame type that only a gateway sends closes the link', () => {
  for (const type of FRAME_TYPES.filter((known) => !FROM_BACKEND.has(known))) {
    expect(closed(feed(...open, frame({ type } as unknown as Frame)).effects), type).toBe('protocol_error');
  }
});

test('work, refusals, goodbyes and pings go where they belong', () => {
  const settled: Frame = { type: 'task.settled', taskId: 'task-0001' };
  const { effects } = feed(
    ...open,
    frame(settled),
    frame({ type: 'session.ping', nonce: 7 }),
    frame({ type: 'session.goaway', reason: 'restart', spreadMs: 100 }),
    frame({ type: 'session.refused', code: 4102, name: 'not_enrolled', message: 'who?' }),
  );
  expect(effects.slice(2)).toEqual([
    { type: 'work', frame: settled },
    { type: 'send', frame: { type: 'session.pong', nonce: 7 } },
    { type: 'go_away', reason: 'restart', spreadMs: 100 },
    { type: 'refused', code: 4102, name: 'not_enrolled', message: 'who?' },
  ]);
});

function live(
  inputs: (at: number) => SessionInput | undefined,
  untilMs: number,
): { pings: number; deadAt: number | undefined } {
  let state = feed(...open).state;
  let pings = 0;
  for (let at = 0; at <= untilMs; at += 500) {
    const extra = inputs(at);
    for (const input of [...(extra ? [extra] : []), { type: 'tick', at } as const]) {
      const step = reduceSession(state, input);
      state = step.state;
      for (const effect of step.effects) {
        if (effect.type === 'send' && effect.frame.type === 'session.ping') pings += 1;
        if (effect.type === 'close') return { pings, deadAt: at };
      }
    }
  }
  return { pings, deadAt: undefined };
}

test('a silent peer is given up after two unanswered pings, within 20 s', () => {
  expect(live(() => undefined, 60_000)).toEqual({ pings: 2, deadAt: 20_000 });
});

test('any frame counts as life, also without a pong; our own sends do not', () => {
  const telling = (at: number): SessionInput | undefined =>
    at % 4_000 === 0 ? frame({ type: 'task.settled', taskId: 'task-0001' }, at) : undefined;
  expect(live(telling, 120_000).deadAt).toBeUndefined();
});

test('pongs keep a quiet link alive, one ping each heartbeat', () => {
  let nonce = 0;
  const answering = (at: number): SessionInput | undefined =>
    at % 10_000 === 500 && at > 500 ? frame({ type: 'session.pong', nonce: ++nonce }, at) : undefined;
  expect(live(answering, 60_000)).toEqual({ pings: 6, deadAt: undefined });
});
