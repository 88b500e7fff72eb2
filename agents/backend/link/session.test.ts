import { expect, test } from 'vitest';
import { CLOSE, type CloseName, type Frame, limits } from '../../protocol/index.ts';
import { createSession, reduceSession, type SessionEffect, type SessionEvent, type SessionState } from './session.ts';

const HEARTBEAT_MS = 10_000;
const hello = {
  type: 'session.hello',
  protocol: 1,
  gatewayId: 'gw1',
  incarnation: 1,
  bootId: 'b',
  fingerprint: 'f',
  version: '1',
  revision: 'r',
  nonce: 'n',
  spkiSeen: '',
  signature: 's',
  labels: {},
  verbs: {},
  kernel: { cgroup: 'none', subreaper: false, limits: [] },
  maxConcurrentTasks: 1,
  tasks: [],
} satisfies Frame;

const frame = (value: Frame, at = 0, bytes = 100): SessionEvent => ({ kind: 'frame', at, frame: value, bytes });
const start = (): SessionState => createSession({ at: 0, heartbeatMs: HEARTBEAT_MS });
const open = (): SessionState => play(start(), [frame(hello), { kind: 'attached', at: 0 }]).state;

function play(state: SessionState, events: readonly SessionEvent[]): { state: SessionState; effects: SessionEffect[] } {
  const effects: SessionEffect[] = [];
  let current = state;
  for (const event of events) {
    const [next, made] = reduceSession(current, event);
    current = next;
    effects.push(...made);
  }
  return { state: current, effects };
}

function expectRefusal(result: { state: SessionState; effects: SessionEffect[] }, name: CloseName): void {
  expect(result.state.phase).toBe('closed');
  expect(result.effects.at(-2)).toMatchObject({
    kind: 'send',
    frame: { type: 'session.refused', code: CLOSE[name].code, name },
  });
  expect(result.effects.at(-1)).toMatchObject({ kind: 'close', name });
}

test('HELLO is identified, then the session is open', () => {
  const { state, effects } = play(start(), [frame(hello)]);
  expect(state.phase).toBe('identifying');
  expect(effects).toEqual([{ kind: 'identify', hello }]);
  expect(play(state, [{ kind: 'attached', at: 5 }]).state.phase).toBe('open');
});

test('a probe is answered, not identified', () => {
  const { effects } = play(start(), [frame({ type: 'session.probe', protocol: 1, token: 't' })]);
  expect(effects).toEqual([{ kind: 'probe', token: 't' }]);
});

const accepted: Frame = { type: 'task.accepted', taskId: 'task-0001', fence: 1 };

test.each<[string, () => SessionState, SessionEvent[], CloseName]>([
  ['work before HELLO', start, [frame(accepted)], 'protocol_error'],
  ['a second HELLO while the first is looked at', start, [frame(hello), frame(hello)], 'protocol_error'],
  ['HELLO again in a session', open, [frame(hello)], 'protocol_error'],
  ['a frame only a backend may send', open, [frame({ type: 'task.settled', taskId: 'task-0001' })], 'protocol_error'],
  ['an older protocol', start, [frame({ ...hello, protocol: 0 })], 'protocol_too_old'],
  ['a newer protocol than ours', start, [frame({ ...hello, protocol: 99 })], 'protocol_too_old'],
  [
    'a handshake frame over the limit',
    start,
    [frame(hello, 0, limits.MAX_HANDSHAKE_FRAME_BYTES + 1)],
    'protocol_error',
  ],
  ['no HELLO in time', start, [{ kind: 'tick', at: limits.HANDSHAKE_MS }], 'handshake_timeout'],
  ['output before WELCOME', start, [{ kind: 'output', at: 0 }], 'protocol_error'],
  ['not JSON', open, [{ kind: 'undecodable', at: 0, failure: { kind: 'not_json' } }], 'protocol_error'],
  [
    'unknown type, same version',
    open,
    [{ kind: 'undecodable', at: 0, failure: { kind: 'unknown_type', type: 'x.y' } }],
    'protocol_error',
  ],
  [
    'a malformed frame',
    open,
    [
      {
        kind: 'undecodable',
        at: 0,
        failure: { kind: 'malformed', type: 'task.exit', path: 'fence', message: 'wrong' },
      },
    ],
    'protocol_error',
  ],
  ['what the driver refuses', start, [{ kind: 'refuse', name: 'bad_signature', message: 'no' }], 'bad_signature'],
])('%s is refused', (_name, from, events, name) => {
  expectRefusal(play(from(), events), name);
});

test('an unknown frame of a newer peer is skipped', () => {
  const { state, effects } = play({ ...open(), peerProtocol: 2 }, [
    { kind: 'undecodable', at: 0, failure: { kind: 'unknown_type', type: 'task.sing' } },
  ]);
  expect(state.phase).toBe('open');
  expect(effects).toEqual([{ kind: 'skipped', type: 'task.sing' }]);
});

test('pings are answered, and everything about tasks is delivered', () => {
  const { effects } = play(open(), [frame({ type: 'session.ping', nonce: 7 }), frame(accepted)]);
  expect(effects).toEqual([
    { kind: 'send', frame: { type: 'session.pong', nonce: 7 } },
    { kind: 'deliver', frame: accepted },
  ]);
});

const ticks = (...at: number[]): SessionEvent[] => at.map((time) => ({ kind: 'tick', at: time }));

test('two pings without a sign of life close the link; our own sends are no life', () => {
  const first = play(open(), ticks(9_999, 10_000, 14_999));
  expect(first.effects).toEqual([{ kind: 'send', frame: { type: 'session.ping', nonce: 1 } }]);
  const second = play(first.state, ticks(15_000, 20_000));
  expect(second.state).toMatchObject({ phase: 'open', misses: 1 });
  expectRefusal(play(second.state, ticks(25_000)), 'no_pong');
});

test('a pong, or any other frame, is life', () => {
  const pinged = play(open(), ticks(10_000)).state;
  expect(play(pinged, [frame({ type: 'session.pong', nonce: 1 }, 10_001), ...ticks(15_000)]).state.misses).toBe(0);
  expect(play(pinged, [{ kind: 'output', at: 12_000 }, ...ticks(15_000)]).state.misses).toBe(0);
  expect(play(pinged, ticks(15_000)).state.misses).toBe(1);
});

test('a flood is cut, an ordinary rate is not', () => {
  const flood = Array.from({ length: 20_002 }, () => frame({ type: 'session.pong', nonce: 1 }, 1));
  expectRefusal(play(open(), flood), 'rate_limited');
  const steady = Array.from({ length: 20_002 }, (_, index) => frame({ type: 'session.pong', nonce: 1 }, index));
  expect(play(open(), steady).state.phase).toBe('open');
  const empty = Array.from({ length: 20_002 }, (): SessionEvent => ({ kind: 'noise', at: 1 }));
  expectRefusal(play(open(), empty), 'rate_limited');
});

test('after the end nothing has an effect', () => {
  const closed = play(open(), [{ kind: 'gone' }]).state;
  expect(play(closed, [frame(accepted), ...ticks(1e9), { kind: 'refuse', name: 'slow', message: '' }]).effects).toEqual(
    [],
  );
});
