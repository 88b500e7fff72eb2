// What the OpenSSH client says of its connection (`-v`), read into a trace and into the end of a login. Pure; the only place that knows
// its words, which OpenSSH has never translated.
import type { ViworksError } from '../../agents/runtime/index.ts';
import type { Credentials } from './credentials.ts';
import { lackError, loginError } from './ends.ts';
import { describeKey, type KnownHost, type ShownKey } from './host-key.ts';
import { endOfLogin, newTrace, type Trace } from './login.ts';
import type { RemoteTarget } from './target.ts';

/** What a log tells about a connection. */
export interface Heard {
  readonly trace: Trace;
  /** The TCP connection was there. */
  readonly isConnected: boolean;
  /** The key that the host showed; the last one, when there were several. */
  readonly key: ShownKey | undefined;
  /** Lines for people: everything that is not debug output. */
  readonly said: readonly string[];
}

/** Reads a log of `ssh -v`. */
export function readLog(text: string): Heard {
  const trace = newTrace();
  const said: string[] = [];
  let key: ShownKey | undefined;
  let isConnected = false;
  for (const line of text.split('\n').map((one) => one.trim())) {
    const debug = /^debug\d: (.*)$/.exec(line)?.[1];
    const words = debug ?? line;
    const shown = /^Server host (?:key|certificate): (\S+) (SHA256:[^\s,]+)/.exec(words);
    const offered = /^Offering public key: (.+?) (?:\S+) SHA256:\S+/.exec(words);
    const left = /^Authentications that can continue: (.*)$/.exec(words);
    if (/^Connection established/.test(words)) isConnected = true;
    else if (/^Remote protocol version/.test(words)) trace.phase = 'keys';
    else if (shown) key = { type: shown[1] as string, fingerprint: shown[2] as string };
    else if (/^SSH2_MSG_NEWKEYS received/.test(words)) trace.phase = 'login';
    else if (offered) trace.offered.push(offered[1] as string);
    else if (left) trace.left = (left[1] as string).split(',');
    else if (/with partial success/.test(words)) trace.accepted.push(trace.offered.at(-1) ?? 'what was offered');
    if (debug === undefined && line !== '' && !line.startsWith('OpenSSH_')) said.push(line);
  }
  return { trace, isConnected, key, said };
}

/** What decided how a connection was made; needed to name its end. */
export interface Way {
  readonly target: RemoteTarget;
  readonly credentials: Credentials;
  /** What known_hosts says of this host; empty where pins decide. */
  readonly known: readonly KnownHost[];
  /** ProxyJump or ProxyCommand, when the way leads through one. */
  readonly proxy: string | undefined;
  /** What came on stderr besides the log: the words of a proxy, or the banner of sshd. */
  readonly aside: string;
}

/** The end of a connection that OpenSSH did not open. */
export function endOfOpenSsh(heard: Heard, way: Way): ViworksError {
  const { trace, said } = heard;
  const { target, proxy } = way;
  const find = (pattern: RegExp): string | undefined => said.find((line) => pattern.test(line));
  const last = said.at(-1) ?? 'ssh ended without a word';
  const byKey = endOfKey(heard, way);
  if (byKey) return byKey;
  const broken = find(
    /Bad configuration option|Bad owner or permissions|terminating, \d+ bad|unsupported option|keyword .* extra arguments/i,
  );
  if (broken !== undefined) return lackError('VW_REMOTE_SSH_CONFIG', target, { detail: { reason: broken } });
  if (proxy !== undefined && trace.phase === 'greeting') {
    const words = lastWords(way.aside) || last;
    return loginError('unreachable', target, { detail: { reason: `the way through ${proxy} ended: ${words}` } });
  }
  for (const [pattern, end, reason] of DIALS) {
    const line = find(pattern);
    if (line !== undefined) return loginError(end, target, { detail: { reason: reason ?? line } });
  }
  if (
    find(
      /Unable to negotiate|no matching|invalid format|Bad packet length|Protocol major versions differ|Invalid SSH identification/i,
    )
  ) {
    return loginError('protocol-error', target, { detail: { reason: last } });
  }
  const isDenied = find(/Permission denied \(|No more authentication methods/i) !== undefined;
  const goodbye = find(/Received disconnect from|Too many authentication failures/i);
  const error = new Error((goodbye ?? last).replace(/^Received disconnect from .*?:\d+: /, ''));
  const told = { ...trace, banner: lastWords(way.aside) };
  const level = isDenied && goodbye === undefined ? { level: 'client-authentication' } : {};
  return endOfLogin(target, { trace: told, credentials: way.credentials, error: Object.assign(error, level) });
}

const DIALS: readonly (readonly [
  RegExp,
  'name-unresolved' | 'refused' | 'timeout' | 'unreachable',
  string | undefined,
])[] = [
  [/Could not resolve hostname/, 'name-unresolved', 'the name does not resolve'],
  [/connect to (?:host|address) .*Connection refused/, 'refused', 'connection refused: nothing listens there'],
  [
    /connect to (?:host|address) .*timed out|timed out during banner exchange|Connection to .* timed out|Timeout, server/,
    'timeout',
    'no answer in time',
  ],
  [/connect to (?:host|address) .*No route to host/, 'unreachable', 'no route to the host'],
  [/connect to (?:host|address) .*Network is unreachable/, 'unreachable', 'no route to its network'],
  [/connect to (?:host|address) /, 'unreachable', undefined],
];

function endOfKey({ said, key }: Heard, { target, known }: Way): ViworksError | undefined {
  const text = said.join('\n');
  const shown = { actual: key?.fingerprint ?? 'unknown', type: key?.type ?? 'unknown' };
  if (/REVOKED HOST KEY|is revoked|marked as revoked/i.test(text)) {
    return loginError('host-key-changed', target, {
      detail: { ...shown, expected: 'this key is revoked', source: 'ssh' },
    });
  }
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED|HOST KEY .*CHANGED/i.test(text)) {
    const place = /Offending .*?(?:key|RSA|CA) .*?in (\S+)/i.exec(text)?.[1] ?? 'known_hosts';
    const line = known.find((entry) => entry.place === place);
    const expected = line ? describeKey(Buffer.from(line.blob, 'base64')).fingerprint : 'another key';
    return loginError('host-key-changed', target, { detail: { ...shown, expected, source: place } });
  }
  if (!/Host key verification failed|No .* host key is known|not verified|Certificate invalid/i.test(text))
    return undefined;
  return loginError('host-key-unknown', target, { detail: shown });
}

/** The last line of a text that is not debug output of an ssh in between. */
export function lastWords(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !/^debug\d: |^OpenSSH_/.test(line)).at(-1) ?? '';
}

/** Why a forward to `place` (`host:port`) was refused, by the master's log after `offset`; undefined while it does not say. */
export function refusalOf(
  log: string,
  place: string,
): { readonly reason: number; readonly message: string } | undefined {
  let asked: string | undefined;
  const channels = new Map<string, string>();
  let found: { reason: number; message: string } | undefined;
  for (const line of log.split('\n')) {
    asked = /channel_connect_stdio_fwd: (\S+)/.exec(line)?.[1] ?? asked;
    const opened = /channel (\d+): new .*stdio-forward/.exec(line)?.[1];
    if (opened !== undefined && asked !== undefined) channels.set(opened, asked);
    const failed = /channel (\d+): open failed: ([^:]+)(?:: (.*))?$/.exec(line.trim());
    if (failed && channels.get(failed[1] as string) === place) {
      found = { reason: REASONS[failed[2] as string] ?? 2, message: failed[3] ?? (failed[2] as string) };
    }
  }
  return found;
}

// SSH_MSG_CHANNEL_OPEN_FAILURE, RFC 4254 §5.1, in the words of OpenSSH.
const REASONS: Readonly<Record<string, number>> = {
  'administratively prohibited': 1,
  'connect failed': 2,
  'unknown channel type': 3,
  'resource shortage': 4,
};
