// The login of a connection that ssh2 makes: offers one key after the other, hears each answer, and names the end when none lets us in.
import ssh2, { type AnyAuthMethod, type AuthHandlerMiddleware } from 'ssh2';
import { describe, type ViworksError } from '../../agents/runtime/index.ts';
import { OneKeyAgent } from './agent.ts';
import type { Credential, Credentials } from './credentials.ts';
import { loginError } from './ends.ts';
import type { RemoteTarget } from './target.ts';

/** How far a connection came, kept as it goes. */
export interface Trace {
  /** `greeting`: connected, nothing heard; `keys`: sshd spoke; `login`: its host key was accepted. */
  phase: 'greeting' | 'keys' | 'login';
  /** The first bytes that came, at most 255: a greeting of SSH, or of something else. */
  heard: string;
  /** The other side closed the connection. */
  isClosed: boolean;
  /** Labels of what was sent, in order. */
  readonly offered: string[];
  /** What sshd accepted without letting us in. */
  readonly accepted: string[];
  /** Methods that sshd would still take, as it said last. */
  left: readonly string[];
  /** The last line that sshd had shown before the login ended: a banner, or why an account is closed. */
  banner: string;
}

export function newTrace(): Trace {
  return { phase: 'greeting', heard: '', isClosed: false, offered: [], accepted: [], left: [], banner: '' };
}

/** Offers the credentials in order. `none` comes first, as ssh does it: it costs no try and tells which methods sshd takes. */
export function offerInTurn(user: string, credentials: readonly Credential[], trace: Trace): AuthHandlerMiddleware {
  const waiting = [...credentials];
  let last: 'nothing' | 'none' | Credential = 'nothing';
  return (left: readonly string[] | null, partial: boolean | null, next) => {
    if (left) trace.left = left;
    // With a file's key ssh2 says whether it counted; one that signed for nothing was refused after all.
    if (partial && typeof last === 'object') accept(trace, last.label);
    else if (typeof last === 'object' && last.kind === 'key') remove(trace.accepted, last.label);
    // ssh2 keeps the answer to an agent's key for itself: one that signed and did not let us in was accepted, and `none` tells the rest.
    const wasAgent = typeof last === 'object' && last.kind === 'agent' && trace.accepted.includes(last.label);
    if (last === 'nothing' || wasAgent) {
      last = 'none';
      return next({ type: 'none', username: user });
    }
    const isOpen = trace.accepted.length === 0 || trace.left.includes('publickey');
    const credential = isOpen ? waiting.shift() : undefined;
    if (!credential) return next(false as never);
    last = credential;
    trace.offered.push(credential.label);
    return next(methodOf(user, credential, trace));
  };
}

function methodOf(username: string, credential: Credential, trace: Trace): AnyAuthMethod {
  // sshd asks for a signature only of a key that it accepts.
  const onSign = (): void => accept(trace, credential.label);
  if (credential.kind === 'agent') {
    return { type: 'agent', username, agent: new OneKeyAgent(credential.socket, credential.blob, onSign) };
  }
  const parsed = ssh2.utils.parseKey(credential.key);
  if (parsed instanceof Error) return { type: 'publickey', username, key: credential.key };
  const sign = parsed.sign.bind(parsed);
  parsed.sign = (...args) => {
    onSign();
    return sign(...args);
  };
  return { type: 'publickey', username, key: parsed };
}

function remove(labels: string[], label: string): void {
  const at = labels.indexOf(label);
  if (at >= 0) labels.splice(at, 1);
}

function accept(trace: Trace, label: string): void {
  if (!trace.accepted.includes(label)) trace.accepted.push(label);
}

/** The end of a connection that did not open: from sshd's own words where there are some, else from how far it came. */
export function endOfLogin(
  target: RemoteTarget,
  of: { readonly trace: Trace; readonly credentials: Credentials; readonly error: unknown },
): ViworksError {
  const { trace, error: cause, credentials } = of;
  const offered = trace.offered.join(', ') || 'no key was found';
  const reason = describe(cause);
  const level = cause instanceof Error && 'level' in cause ? String(cause.level) : '';
  const hail =
    trace.heard
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? '';
  if (trace.phase !== 'login' && hail !== '' && !/^SSH-/m.test(trace.heard)) {
    // sshd hangs up with one line of text when it is at a limit of its own.
    const isLimit = /MaxStartups|Not allowed at this time/i.test(hail);
    const said = `it says: ${hail.slice(0, 100)}`;
    if (isLimit) return loginError('cut-off', target, { detail: { when: WHEN.keys, reason: said }, cause });
    return loginError('protocol-error', target, { detail: { reason: said }, cause });
  }
  // The description of SSH_MSG_DISCONNECT is sshd's own text.
  if (trace.phase === 'login' && /too many authentication failures/i.test(reason)) {
    return loginError('too-many-keys', target, { detail: { offered: counted(trace.offered), reason }, cause });
  }
  if (trace.accepted.length > 0 && level !== 'client-authentication') {
    const said = trace.banner || reason;
    return loginError('account-closed', target, {
      detail: { accepted: trace.accepted.join(', '), reason: said },
      cause,
    });
  }
  if (level === 'client-authentication') {
    const wanted = trace.left.filter((method) => method !== 'publickey').join(' or ') || 'another key';
    if (trace.accepted.length > 0) {
      return loginError('more-wanted', target, { detail: { accepted: trace.accepted.join(', '), wanted }, cause });
    }
    const [file] = credentials.locked;
    if (file !== undefined) {
      const others = trace.offered.length > 0 ? `; sshd refused what was offered (${offered})` : '';
      const locked = `it has a passphrase, and no agent holds it unlocked${others}`;
      return loginError('key-not-offered', target, { detail: { file, reason: locked }, cause });
    }
    const asks = trace.offered.length === 0 && trace.left.some((method) => /password|keyboard/.test(method));
    return loginError('auth-denied', target, { detail: { offered, asks }, cause });
  }
  const isProtocol = (level === 'handshake' || level === 'protocol') && !trace.isClosed;
  if (isProtocol) return loginError('protocol-error', target, { detail: { reason }, cause });
  return loginError('cut-off', target, { detail: { when: WHEN[trace.phase], reason }, cause });
}

/** How far a connection came, for people. */
export const WHEN: Readonly<Record<Trace['phase'], string>> = {
  greeting: 'before it said a word',
  keys: 'before it showed its key',
  login: 'during the login',
};

function counted(labels: readonly string[]): string {
  return labels.length > 3 ? `${labels.length} keys, the last one ${labels.at(-1)}` : labels.join(', ');
}
