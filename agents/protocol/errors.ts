// The closed sets of codes that cross the wire: why a link was closed, and why a task was refused.

/** One close code: whether the gateway should come back by itself, and what an operator is told. */
export interface CloseSpec {
  readonly code: number;
  /** `back-off`: reconnect as usual; `operator`: not before something changed, retry every 10 minutes. */
  readonly comeBack: 'back-off' | 'operator';
  readonly meaning: string;
}

/** Close codes by name. 4000–4099: come back; 4100–4199: not before an operator acted (RFC 6455 §7.4.2 leaves 4000–4999 to applications). */
export const CLOSE = {
  going_away: {
    code: 4001,
    comeBack: 'back-off',
    meaning: 'the backend is going away; come back after the delay it named',
  },
  superseded: { code: 4002, comeBack: 'back-off', meaning: 'a newer session of the same gateway took over' },
  slow: { code: 4003, comeBack: 'back-off', meaning: 'the peer read too slowly' },
  no_pong: { code: 4004, comeBack: 'back-off', meaning: 'no sign of life within the deadline' },
  stale_state: {
    code: 4005,
    comeBack: 'back-off',
    meaning: 'the session state is no longer known; start a new session',
  },
  rate_limited: { code: 4006, comeBack: 'back-off', meaning: 'too many frames or too many sessions in a short time' },
  handshake_timeout: {
    code: 4007,
    comeBack: 'back-off',
    meaning: 'CHALLENGE, HELLO and WELCOME were not done in time',
  },
  storage_unavailable: { code: 4008, comeBack: 'back-off', meaning: 'the backend cannot write its store' },
  bad_signature: {
    code: 4101,
    comeBack: 'operator',
    meaning: 'the HELLO signature does not verify: enrol this gateway again',
  },
  not_enrolled: { code: 4102, comeBack: 'operator', meaning: 'this gateway is not enrolled, or was revoked' },
  protocol_too_old: { code: 4103, comeBack: 'operator', meaning: 'no common protocol version: upgrade the older side' },
  identity_conflict: { code: 4104, comeBack: 'operator', meaning: 'two machines use the same gateway id' },
  protocol_error: { code: 4105, comeBack: 'operator', meaning: 'a frame broke the protocol' },
  probe_refused: { code: 4106, comeBack: 'operator', meaning: 'a probe came without a valid probe token' },
  too_many: { code: 4107, comeBack: 'back-off', meaning: 'the backend has as many gateways as it is allowed to' },
} as const satisfies Record<string, CloseSpec>;

/** Name of a close code of ours. */
export type CloseName = keyof typeof CLOSE;

/** The row of a numeric close code, or undefined for codes that are not ours. */
export function closeByCode(code: number): (CloseSpec & { readonly name: CloseName }) | undefined {
  for (const [name, spec] of Object.entries(CLOSE)) if (spec.code === code) return { ...spec, name: name as CloseName };
  return undefined;
}

/** Why a gateway refused a task. None of these tasks ever ran. */
export const REFUSALS = [
  'denied',
  'unknown_verb',
  'invalid_args',
  'storage_unavailable',
  'start_failed',
  'expired',
  'draining',
  'conflict',
  'not_started',
] as const;
