// The one list of how a way to a host can end before it is open: deploy's exit codes and the doctor's sight causes both come from here.
// An end is taken from what the network, sshd or the OpenSSH client said, once, where it was heard; later it travels as `detail.end`.
import { describe, type ErrorDetail, errnoOf, ViworksError } from '../../agents/runtime/index.ts';
import { remoteErrors } from './errors.ts';
import type { RemoteTarget } from './target.ts';

const CODES = {
  'name-unresolved': 'VW_REMOTE_NAME',
  refused: 'VW_REMOTE_REFUSED',
  timeout: 'VW_REMOTE_TIMEOUT',
  unreachable: 'VW_REMOTE_UNREACHABLE',
  'cut-off': 'VW_REMOTE_CUT_OFF',
  'protocol-error': 'VW_REMOTE_PROTOCOL',
  'host-key-unknown': 'VW_REMOTE_HOST_KEY_UNKNOWN',
  'host-key-changed': 'VW_REMOTE_HOST_KEY_CHANGED',
  'host-key-other-type': 'VW_REMOTE_HOST_KEY_TYPE',
  'key-not-offered': 'VW_REMOTE_KEY_LOCKED',
  'auth-denied': 'VW_REMOTE_AUTH',
  'more-wanted': 'VW_REMOTE_MORE_WANTED',
  'too-many-keys': 'VW_REMOTE_TOO_MANY_KEYS',
  'account-closed': 'VW_REMOTE_ACCOUNT_CLOSED',
} as const satisfies Record<string, keyof typeof remoteErrors.specs>;

/** How a login ended short of an open connection. */
export type LoginEnd = keyof typeof CODES | 'not-tried';

/** What was missing on this machine: the host was not even asked. */
export type LocalLack = 'VW_REMOTE_IDENTITY_FILE' | 'VW_REMOTE_NO_OPENSSH' | 'VW_REMOTE_SSH_CONFIG';

/** Makes the error of an end; host, address, port and user are filled in. */
export function loginError(
  end: Exclude<LoginEnd, 'not-tried'>,
  target: RemoteTarget,
  of: { readonly detail?: ErrorDetail; readonly cause?: unknown } = {},
): ViworksError {
  return remoteErrors.create(CODES[end], { ...placeOf(target), ...of.detail, end }, of.cause);
}

/** Makes the error of something that this machine lacks. */
export function lackError(
  code: LocalLack,
  target: RemoteTarget,
  of: { readonly detail?: ErrorDetail; readonly cause?: unknown } = {},
): ViworksError {
  return remoteErrors.create(code, { ...placeOf(target), ...of.detail, end: 'not-tried' satisfies LoginEnd }, of.cause);
}

/** The end that an error of `openRemote` stands for; undefined for an error of something else. */
export function endOf(error: unknown): LoginEnd | undefined {
  const end = error instanceof ViworksError ? error.detail.end : undefined;
  return typeof end === 'string' && (end === 'not-tried' || Object.hasOwn(CODES, end)) ? (end as LoginEnd) : undefined;
}

const BY_ERRNO: Readonly<Record<string, readonly [Exclude<LoginEnd, 'not-tried'>, string]>> = {
  ECONNREFUSED: ['refused', 'connection refused: nothing listens there'],
  ETIMEDOUT: ['timeout', 'no answer'],
  EHOSTUNREACH: ['unreachable', 'no route to the host'],
  EHOSTDOWN: ['unreachable', 'the host does not answer on its network'],
  ENETUNREACH: ['unreachable', 'no route to its network'],
  ENOTFOUND: ['name-unresolved', 'the name does not resolve'],
  EAI_AGAIN: ['name-unresolved', 'the name server does not answer'],
  ECONNRESET: ['cut-off', 'the connection was reset'],
  EPIPE: ['cut-off', 'the connection was closed'],
};

/** The end of a dial that failed: what the kernel or the name service said. */
export function dialError(target: RemoteTarget, error: unknown): ViworksError {
  // Several addresses of one name: the first failure speaks for all.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const [end, reason] = BY_ERRNO[errnoOf(error) ?? errnoOf(first) ?? ''] ?? ['unreachable', describe(first)];
  return loginError(end, target, { detail: { reason }, cause: error });
}

function placeOf({ name, address, port, user }: RemoteTarget): ErrorDetail {
  return { host: name, address, port, user };
}
