// Live probes from one vantage, as facts: a dial, TLS, a GET, an upgrade. Each hop alone and the whole path; nothing is decided here.
import { quoteWord, redactText } from '../../agents/runtime/index.ts';
import {
  type Culprit,
  type Fact,
  type FactKey,
  type FactTypes,
  fact,
  type HttpObservation,
  type HttpTarget,
  known,
  type Reading,
  type Target,
  type TcpConnect,
  type TlsObservation,
  type UpgradeObservation,
  type UpgradeTarget,
  unknown,
  type Vantage,
} from '../engine/index.ts';
import { type Dialled, dial, observeTls, type Place, secure, type Trust } from './dial.ts';
import { exchange, plainHeaders, readBody } from './http.ts';
import { type DialFailure, LostError } from './link.ts';
import { rate, several } from './several.ts';
import { blankUpgrade, probeUpgrade } from './upgrade.ts';

/** One vantage: how to dial from it, and how a person would. */
export interface NetworkVantage {
  readonly vantage: Vantage;
  /** Name of the host, for people. */
  readonly host: string;
  /** `ssh root@192.0.2.10`, or empty. */
  readonly via: string;
  readonly place: Place;
  readonly userAgent: (probe: string) => string;
  /** What the agents call themselves: a rule of nginx may treat them by it. Null where that is not known. */
  readonly agentName?: string | null;
}

/** What is dialled, and under which name. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** Host header and server name. */
  readonly name: string;
  /** Undefined for a port without TLS. */
  readonly trust: Trust | undefined;
}

/** What was seen, or that the way to the vantage broke: then nothing was. */
export function unlessLost<T>(seeing: Promise<Reading<T>>): Promise<Reading<T>> {
  return seeing.catch((error: unknown) => {
    if (error instanceof LostError) return unknown('lost', error.message);
    throw error;
  });
}

/** A dial of a port, and TLS on it where there is any. */
export async function reachFacts(from: NetworkVantage, target: Target, endpoint: Endpoint): Promise<readonly Fact[]> {
  const dialling = await unlessLost(dial(from.place, endpoint.address, endpoint.port).then(known));
  if (dialling.status !== 'known') return notReached(from, target, { endpoint, reading: dialling });
  const dialled = dialling.value;
  const where = hostPort(endpoint);
  const facts: Fact[] = [
    factFrom(from, {
      key: 'tcp.connect',
      subject: target,
      reading: connectReading(dialled, endpoint),
      command: `nc -vz ${endpoint.address} ${endpoint.port}`,
      lines: [
        `connect ${where}: ${dialled.ok ? `connected in ${dialled.milliseconds} ms` : `${dialled.failure} (${dialled.message})`}`,
      ],
    }),
  ];
  if (endpoint.trust === undefined) {
    if (dialled.ok) dialled.stream.destroy();
    return facts;
  }
  const command = `openssl s_client -connect ${where} -servername ${endpoint.name} </dev/null`;
  if (!dialled.ok)
    return [...facts, tlsFact(from, unknown(unknownReason(dialled.failure), dialled.message), { command })];
  const { name: serverName, trust, address, port } = endpoint;
  const shaken = await unlessLost(secure(from.place, dialled.stream, { serverName, trust }).then(known));
  if (shaken.status !== 'known') return [...facts, tlsFact(from, shaken, { command })];
  const secured = shaken.value;
  const seen = observeTls(secured, { address, port, serverName, trust, nowMs: from.place.clock.now() });
  if (secured.ok) secured.stream.destroy();
  dialled.stream.destroy();
  const leaf = seen.chain[0];
  const lines = [
    `handshake ${seen.handshake}${seen.protocol ? ` (${seen.protocol})` : ''}, verification ${seen.verification}, judged with ${seen.trust}`,
    ...(seen.culprit ? [culpritLine(seen.culprit, seen.chain.length)] : []),
    ...(leaf
      ? [
          `subject ${leaf.subject}, names ${leaf.names.join(' ')}, issuer ${leaf.issuer}`,
          `valid ${day(leaf.notBeforeMs)} to ${day(leaf.notAfterMs)}`,
        ]
      : []),
  ];
  return [...facts, tlsFact(from, known(seen), { command, lines })];
}

function notReached(
  from: NetworkVantage,
  target: Target,
  of: { readonly endpoint: Endpoint; readonly reading: Exclude<Reading<never>, { status: 'known' }> },
): readonly Fact[] {
  const { endpoint, reading } = of;
  const command = `nc -vz ${endpoint.address} ${endpoint.port}`;
  const dialled = factFrom(from, { key: 'tcp.connect', subject: target, reading, command });
  return endpoint.trust === undefined ? [dialled] : [dialled, tlsFact(from, reading, { command })];
}

function culpritLine({ depth, place, certificate }: Culprit, served: number): string {
  const what =
    depth === 0 ? 'the leaf' : place === 'trust' ? 'a root of the trust file' : `certificate ${depth + 1} of the chain`;
  return `${served} served; the code is about ${what}: ${certificate.subject}, issuer ${certificate.issuer}, valid ${day(certificate.notBeforeMs)} to ${day(certificate.notAfterMs)}`;
}

function tlsFact(
  from: NetworkVantage,
  reading: Reading<TlsObservation>,
  seen: { readonly command: string; readonly lines?: readonly string[] },
): Fact {
  return factFrom(from, { key: 'tls.certificate', subject: 'public', reading, ...seen });
}

/** How a dial went; unknown where it could not be made. */
export function connectReading(
  dialled: Dialled,
  { address, port }: Pick<Endpoint, 'address' | 'port'>,
): Reading<TcpConnect> {
  const { milliseconds } = dialled;
  if (dialled.ok) return known({ address, port, outcome: 'connected', milliseconds });
  const { failure, message } = dialled;
  if (failure === 'forbidden' || failure === 'unresolved' || failure === 'unclear')
    return unknown(unknownReason(failure), message);
  return known({ address, port, outcome: failure, milliseconds });
}

function unknownReason(failure: DialFailure): 'forward-forbidden' | 'unreachable' | 'unparsed' {
  if (failure === 'unclear') return 'unparsed';
  return failure === 'forbidden' ? 'forward-forbidden' : 'unreachable';
}

/** One GET, or several. */
export async function getFact(
  from: NetworkVantage,
  target: HttpTarget,
  of: Endpoint & { readonly path: string; readonly times?: number },
): Promise<Fact> {
  const isGood = ({ outcome }: HttpObservation): boolean => outcome === 'response';
  const reading = await several({ times: of.times ?? 1, signal: from.place.signal }, () => get(from, of), isGood);
  const url = `${of.trust ? 'https' : 'http'}://${of.name}:${of.port}${of.path}`;
  const seen = reading.status === 'known' ? reading.value : null;
  return factFrom(from, {
    key: 'http.response',
    subject: target,
    reading,
    command: `curl --http1.1 -sS -i -m 3 --connect-to ::${of.address}: ${url}`,
    lines: [`${rate(seen ?? {})}GET ${of.path} on ${hostPort(of)} → ${seen?.status ?? seen?.outcome ?? 'not sent'}`],
  });
}

interface Get extends Endpoint {
  readonly path: string;
  readonly bodyLimit?: number;
}

/** The answer of one GET; an outcome where there is none. */
export function get(from: NetworkVantage, of: Get): Promise<Reading<HttpObservation>> {
  return unlessLost(ask(from, of));
}

async function ask(from: NetworkVantage, of: Get): Promise<Reading<HttpObservation>> {
  const { place } = from;
  const began = place.clock.monotonicMs();
  const url = `${of.trust ? 'https' : 'http'}://${of.name}:${of.port}${of.path}`;
  const nothing = { url, status: null, headers: {}, body: '' };
  const took = (): number => Math.round((place.clock.monotonicMs() - began) * 10) / 10;
  const dialled = await dial(place, of.address, of.port);
  if (!dialled.ok) {
    if (dialled.failure === 'forbidden' || dialled.failure === 'unclear')
      return unknown(unknownReason(dialled.failure), dialled.message);
    const outcome = dialled.failure === 'unresolved' ? 'unreachable' : dialled.failure;
    return known({ ...nothing, outcome, connected: false, milliseconds: took() });
  }
  const none = { ...nothing, connected: true };
  let { stream } = dialled;
  try {
    if (of.trust) {
      const secured = await secure(place, stream, { serverName: of.name, trust: of.trust });
      if (!secured.ok)
        return known({ ...none, outcome: secured.timedOut ? 'timeout' : 'tls-error', milliseconds: took() });
      stream = secured.stream;
    }
    const answer = await exchange(stream, {
      method: 'GET',
      path: of.path,
      host: of.name,
      headers: { Connection: 'close', 'User-Agent': from.userAgent('http') },
      place,
      answerMs: place.deadlines.answerMs,
    });
    if (answer.kind === 'none')
      return known({ ...none, outcome: answer.why === 'protocol' ? 'closed' : answer.why, milliseconds: took() });
    const limit = of.bodyLimit ?? 2000;
    const body =
      answer.kind === 'response'
        ? redactText(await readBody(answer.message, { limit, place, ms: place.deadlines.answerMs }))
        : '';
    const status = answer.message.statusCode ?? null;
    return known({
      url,
      outcome: 'response',
      status,
      headers: plainHeaders(answer.message),
      body,
      milliseconds: took(),
    });
  } finally {
    stream.destroy();
    dialled.stream.destroy();
  }
}

export interface UpgradeRequest extends Endpoint {
  readonly path: string;
  readonly onStall?: (() => Promise<void>) | undefined;
  /** How many are sent at once. */
  readonly times?: number;
}

/** One upgrade with everything that may follow it, or several. */
export async function upgradeFact(from: NetworkVantage, target: UpgradeTarget, of: UpgradeRequest): Promise<Fact> {
  let isWatched = false;
  // The queue is read again once, whichever of them hangs first.
  const onStall = async (): Promise<void> => {
    if (isWatched) return;
    isWatched = true;
    await of.onStall?.();
  };
  const reading = await several(
    { times: of.times ?? 1, signal: from.place.signal },
    () => unlessLost(sendUpgrade(from, target, { ...of, onStall: of.onStall && onStall })),
    ({ ended }) => ended === 'ok',
  );
  const seen =
    reading.status === 'known' ? reading.value : unsent(of, reading.status === 'unknown' ? reading.detail : '');
  return upgradeFactOf(from, target, { seen, reading });
}

async function sendUpgrade(
  from: NetworkVantage,
  target: UpgradeTarget,
  of: UpgradeRequest,
): Promise<Reading<UpgradeObservation>> {
  const seen = await probeUpgrade({
    place: from.place,
    address: of.address,
    port: of.port,
    host: of.name,
    path: of.path,
    trust: of.trust,
    userAgent: from.agentName ?? from.userAgent(`upgrade-${target}`),
    probe: from.userAgent(`upgrade-${target}`),
    onStall: of.onStall,
    needsSubprotocol: from.agentName != null,
  });
  if (seen.ended === 'not-sent' && seen.reached === 'none')
    return unknown('forward-forbidden', 'sshd gives no forward for it');
  return known(seen);
}

/** An upgrade that is left out on purpose, since the dial would start something. */
export function upgradeNotSent(
  from: NetworkVantage,
  target: UpgradeTarget,
  of: Endpoint & { path: string; why: string },
): Fact {
  return upgradeFactOf(from, target, { seen: unsent(of, of.why), reading: unknown('not-run', of.why) });
}

function unsent(of: Endpoint & { readonly path: string }, why: string): UpgradeObservation {
  return {
    url: `${of.trust ? 'wss' : 'ws'}://${of.name}${of.path}`,
    address: of.address,
    port: of.port,
    path: of.path,
    ...blankUpgrade,
    ended: 'not-sent',
    body: why,
    attempts: 0,
  };
}

function upgradeFactOf(
  from: NetworkVantage,
  target: UpgradeTarget,
  of: { seen: UpgradeObservation; reading: Reading<UpgradeObservation> },
): Fact {
  const { seen, reading } = of;
  const scheme = seen.url.startsWith('wss') ? 'https' : 'http';
  // What a configuration names need not be a name at all.
  const name = URL.parse(seen.url)?.hostname ?? seen.address;
  return factFrom(from, {
    key: 'ws.upgrade',
    subject: target,
    reading,
    command: `curl --http1.1 -sS -i -N -m 3 -H "Connection: Upgrade" -H "Upgrade: websocket" -H "Sec-WebSocket-Version: 13" -H "Sec-WebSocket-Key: $(head -c 16 /dev/urandom | base64)" --connect-to ::${seen.address}: ${scheme}://${name}:${seen.port}${seen.path}`,
    lines: upgradeLines(seen),
  });
}

function upgradeLines(seen: UpgradeObservation): readonly string[] {
  const target = `${seen.address}:${seen.port}${seen.path}`;
  const [first = '', ...more] = linesOfOne(seen, target);
  return [rate(seen) + first, ...more];
}

function linesOfOne(seen: UpgradeObservation, target: string): readonly string[] {
  if (seen.ended === 'not-sent') return [`upgrade ${target}: not sent; ${seen.body}`];
  if (seen.reached === 'none') return [`upgrade ${target}: ${seen.ended}`];
  if (seen.status === null)
    return [`upgrade ${target}: connected${seen.tlsError ? `, TLS ${seen.tlsError}` : ''}, then ${seen.ended}`];
  const lines = [`upgrade ${target} → ${seen.status}`];
  if (seen.status !== 101 && seen.body.trim()) lines.push(gist(seen.body));
  if (seen.acceptKeyOk === false) lines.push('the accept key is wrong');
  if (seen.ended === 'no-subprotocol') lines.push('the answer does not name the subprotocol');
  if (seen.acceptKeyOk) {
    const hello = seen.hello === 'refused' ? `HELLO refused (${seen.refusalCode})` : `HELLO ${seen.hello}`;
    lines.push(
      [
        seen.challenged ? 'CHALLENGE' : 'no CHALLENGE',
        hello,
        seen.pongReceived ? 'pong' : 'no pong',
        `close ${seen.closeCode ?? '-'}`,
      ].join(', '),
    );
  }
  return lines;
}

/** One line of an error page: its last words before the name of the server, or of anything else the first line. */
function gist(body: string): string {
  const said = [...body.matchAll(/<(?:title|center)>(?:<h1>)?([^<]+)/g)].map(([, words = '']) => words.trim());
  const own = said.findLast((words) => !/^(nginx|openresty)\b/.test(words));
  return (own ?? body.trim().split(/\r?\n/)[0] ?? '').slice(0, 120);
}

/** One fact from a vantage; its probe is called by key and subject unless it says otherwise. The way to the host comes before the command. */
export function factFrom<K extends FactKey>(
  { vantage, host, via, place }: NetworkVantage,
  of: {
    readonly key: K;
    readonly subject?: string;
    readonly probe?: string;
    readonly reading: Reading<FactTypes[K]>;
    readonly command: string;
    readonly lines?: readonly string[];
  },
): Fact {
  const { key, subject, reading, lines = [], probe = subject === undefined ? key : `${key}.${subject}` } = of;
  const command = via ? `${via} ${quoteWord(of.command)}` : of.command;
  const evidence = { host, atMs: place.clock.now(), command, lines, sha256: '' };
  return fact({ key, vantage, ...(subject === undefined ? {} : { subject }), probe, reading, evidence });
}

function hostPort({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
