// What the backend's API and the gateway's own health page say: registry, canary, local health. Needs a token for the first two.
import { createHash, randomBytes } from 'node:crypto';
import { http as bodies, readEventStream } from '../../agents/protocol/index.ts';
import { type PeerLook, ProbeCredential, VerifiedStream } from '../../agents/runtime/index.ts';
import {
  type CanaryResult,
  type Fact,
  type FactTypes,
  type GatewayHealth,
  known,
  type Reading,
  type RegistryEntry,
  type Unknown,
  unknown,
} from '../engine/index.ts';
import { exchangeBy, type NoAnswer, readBody } from './http.ts';
import { type Endpoint, factFrom, get, type NetworkVantage, unlessLost } from './network.ts';
import { dialBackend, type NoCredential } from './peer.ts';

/** A canary brings back this many random bytes: many packets of full size, as real commands do, and less than a credit. */
const CANARY_BYTES = 65_536;
/**
 * One that fits into a single packet goes first: it tells a dead way from one that drops large packets, and behind a large one that is
 * stuck it would be stuck as well.
 */
const SMALL_BYTES = 64;

/** GET /api/v1/health on the gateway's own loopback. */
export async function gatewayHealthFact(from: NetworkVantage, endpoint: Endpoint): Promise<Fact> {
  const path = '/api/v1/health';
  const reading = await get(from, { ...endpoint, path, bodyLimit: 64 * 1024 });
  let value: Reading<GatewayHealth>;
  if (reading.status !== 'known') value = reading;
  else if (reading.value.outcome !== 'response')
    value = unknown('unreachable', `port ${endpoint.port}: ${reading.value.outcome}`);
  else value = healthOf(reading.value.status ?? 0, reading.value.body);
  const seen = value.status === 'known' ? value.value : null;
  return factFrom(from, {
    key: 'gateway.health',
    reading: value,
    command: `curl -s http://${endpoint.address}:${endpoint.port}${path}`,
    lines: seen
      ? [`health ${seen.status}: link ${seen.link ?? '?'}, launcher ${seen.launcher ?? '?'}`, ...(seen.storage ?? [])]
      : [],
  });
}

function healthOf(status: number, body: string): Reading<GatewayHealth> {
  const parsed = bodies.healthBody.safeParse(json(body));
  if (!parsed.success) return unknown('unparsed', 'not a health page of ours');
  const { parts, version } = parsed.data;
  const state = (name: string): string | null => parts[name]?.state ?? null;
  const storage = ['journal', 'spool'].flatMap((name) =>
    parts[name]?.state === 'down' ? [parts[name].message ?? `${name} is down`] : [],
  );
  return known({
    status,
    healthy: parsed.data.status === 'healthy',
    link: state('link'),
    launcher: state('launcher'),
    version,
    storage,
  });
}

/** GET /api/v1/gateways/ID. */
export async function registryFact(from: NetworkVantage, of: ApiCall): Promise<Fact> {
  const reading = await unlessLost(askRegistry(from, of));
  const entry = reading.status === 'known' ? reading.value : null;
  return apiFact(from, 'registry.entry', {
    subject: of.gateway,
    reading,
    command: `viworks gateways ${of.gateway}`,
    lines: entry ? [`${of.gateway}: ${entry.listed ? entry.state : 'not listed'}`] : [],
  });
}

export interface ApiCall {
  readonly endpoint: Endpoint;
  readonly gateway: string;
  readonly credential: ProbeCredential | NoCredential;
  /** Who holds the port, asked once the connection is there. */
  readonly look: PeerLook;
}

type Said =
  | { readonly outcome: 'response'; readonly status: number; readonly body: string }
  | { readonly outcome: NoAnswer };

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly answerMs: number;
  /** In bytes; what follows is not read. */
  readonly bodyLimit: number;
}

/** One question to the backend itself, with the credential; unknown where that is not proven to be the backend. */
async function ask(from: NetworkVantage, of: ApiCall, question: Question): Promise<Said | Unknown> {
  const { credential } = of;
  if (!(credential instanceof ProbeCredential)) return unknown('no-token', credential.why);
  const { place } = from;
  const peer = await dialBackend(place, of.endpoint, of.look);
  if (!(peer instanceof VerifiedStream)) return peer;
  try {
    const { method, path, body, answerMs } = question;
    const headers = { Connection: 'close', 'User-Agent': from.userAgent('api'), ...question.headers };
    const answer = await exchangeBy((options) => credential.request(peer, options), {
      method,
      path,
      host: of.endpoint.name,
      headers,
      body,
      place,
      answerMs,
    });
    if (answer.kind !== 'response') return { outcome: answer.kind === 'none' ? answer.why : 'protocol' };
    const text = await readBody(answer.message, { limit: question.bodyLimit, place, ms: answerMs });
    return { outcome: 'response', status: answer.message.statusCode ?? 0, body: text };
  } finally {
    peer.stream.destroy();
  }
}

async function askRegistry(from: NetworkVantage, of: ApiCall): Promise<Reading<RegistryEntry>> {
  const path = `/api/v1/gateways/${encodeURIComponent(of.gateway)}`;
  const said = await ask(from, of, {
    method: 'GET',
    path,
    answerMs: from.place.deadlines.answerMs,
    bodyLimit: 256 * 1024,
  });
  if ('reason' in said) return said;
  if (said.outcome !== 'response') return unknown('unreachable', `the API did not answer: ${said.outcome}`);
  const { status, body } = said;
  // Only a backend of ours can say that it does not know a gateway; any other server's 404 says nothing.
  if (status === 404 && bodies.errorBody.safeParse(json(body)).success)
    return known({ listed: false, state: '', online: false, lastSeenAtMs: null, address: null });
  if (status === 401 || status === 403) return unknown('token-refused', `the API refused the token with ${status}`);
  const parsed = bodies.gatewayBody.safeParse(json(body));
  if (!parsed.success) return unknown('unparsed', `the API answered ${status}`);
  const { state, lastSeenAt, remoteAddress, connectedAt, lastClose } = parsed.data;
  return known({
    listed: true,
    state,
    online: state === 'connected',
    lastSeenAtMs: lastSeenAt ?? null,
    address: remoteAddress ?? null,
    ...(connectedAt === undefined ? {} : { connectedAtMs: connectedAt }),
    ...(lastClose === undefined ? {} : { lastClose: { code: lastClose.code, name: lastClose.name } }),
  });
}

/** A command's exit code and bytes come back: nothing less is called connected. */
export async function canaryFact(from: NetworkVantage, of: ApiCall): Promise<Fact> {
  const reading = await unlessLost(runCanary(from, of));
  const result = reading.status === 'known' ? reading.value : null;
  const code = result?.code ? ` ${result.code}` : '';
  return apiFact(from, 'canary', {
    subject: of.gateway,
    reading,
    command: `viworks run ${of.gateway} -- true`,
    lines: result
      ? [`canary on ${of.gateway}: ${result.outcome}${code}${result.message ? `; ${result.message}` : ''}`]
      : [],
  });
}

/** The gateway is not connected, so no canary is sent to it. */
export function canaryNotSent(from: NetworkVantage, gateway: string, state: string): Fact {
  const message = `not sent: the registry says ${state}`;
  const value: CanaryResult = { outcome: 'offline', code: null, message, exitCode: null, milliseconds: 0 };
  const lines = [`canary on ${gateway}: ${message}`];
  return apiFact(from, 'canary', {
    subject: gateway,
    reading: known(value),
    command: `viworks run ${gateway} -- true`,
    lines,
  });
}

/** The API itself keeps silent, so it is not asked. */
export function apiNotAsked(from: NetworkVantage, gateway: string, why: string): readonly Fact[] {
  const reading = unknown('unreachable', why);
  const of = { subject: gateway, reading, lines: [] };
  return [
    apiFact(from, 'registry.entry', { ...of, command: `viworks gateways ${gateway}` }),
    apiFact(from, 'canary', { ...of, command: `viworks run ${gateway} -- true` }),
  ];
}

async function runCanary(from: NetworkVantage, of: ApiCall): Promise<Reading<CanaryResult>> {
  const small = await canaryOf(from, of, { bytes: SMALL_BYTES, stdinBytes: 0 });
  if (small.reading.status !== 'known' || small.reading.value.outcome !== 'ok') return small.reading;
  const both = await canaryOf(from, of, { bytes: CANARY_BYTES, stdinBytes: CANARY_BYTES });
  // A backend of an older release gives a probe no standard input.
  const isOlder = both.reading.status === 'known' && both.reading.value.outcome === 'forbidden';
  const large = isOlder ? await canaryOf(from, of, { bytes: CANARY_BYTES, stdinBytes: 0 }) : both;
  const { reading, lostOn } = large;
  // Where the API itself gave no answer nothing was seen of the gateway.
  if (reading.status !== 'known') return reading;
  // One that expires although another one has just run was not late: it did not get there.
  if (!['timeout', 'mismatch', 'offline'].includes(reading.value.outcome)) return reading;
  const outcome = reading.value.outcome === 'mismatch' ? 'mismatch' : 'timeout';
  const onlySmall = { bytes: SMALL_BYTES, lostBytes: CANARY_BYTES, ...(lostOn === null ? {} : { lostOn }) };
  return known({ ...reading.value, outcome, code: null, exitCode: null, onlySmall });
}

interface Size {
  /** What it prints, and what it is given: each direction carries as much as real commands do. */
  readonly bytes: number;
  readonly stdinBytes: number;
}

interface Canary {
  readonly reading: Reading<CanaryResult>;
  /** The way on which it was lost, if it was. */
  readonly lostOn: 'to-gateway' | 'from-gateway' | null;
}

async function canaryOf(from: NetworkVantage, of: ApiCall, { bytes, stdinBytes }: Size): Promise<Canary> {
  const { place } = from;
  const { clock } = place;
  const began = clock.monotonicMs();
  const request: bodies.CommandRequest = {
    verb: 'canary',
    args: { bytes },
    gateways: [of.gateway],
    timeoutMs: from.place.deadlines.answerMs,
    ttlMs: from.place.deadlines.answerMs,
    // The canary does not read it: that the gateway starts is what proves that all of it arrived.
    ...(stdinBytes === 0 ? {} : { stdin: randomBytes(stdinBytes).toString('base64') }),
  };
  const said = await ask(from, of, {
    method: 'POST',
    path: '/api/v1/commands',
    headers: { Accept: 'text/event-stream', 'Content-Type': 'application/json' },
    body: JSON.stringify(request),
    answerMs: from.place.deadlines.answerMs,
    bodyLimit: 1024 * 1024,
  });
  if ('reason' in said) return { reading: said, lostOn: null };
  if (said.outcome !== 'response')
    return { reading: unknown('unreachable', `the API did not answer: ${said.outcome}`), lostOn: null };
  const judged = judgeCanary(said.status, said.body, Math.round(clock.monotonicMs() - began));
  // A stream that ends early looks like a command that does not.
  if (judged.status !== 'known' || judged.value.outcome !== 'ok') await place.confirm(place.signal);
  return { reading: judged, lostOn: whereLost(said.body) };
}

/** A task that was accepted had arrived, with all that it was given; null where nothing was said of it. Pure. */
export function whereLost(text: string): 'to-gateway' | 'from-gateway' | null {
  const states = [...readEventStream(text)].flatMap(({ name, data }) => {
    const event = name === 'state' ? bodies.outputEvents.state.safeParse(json(data)) : undefined;
    return event?.success ? [event.data.state] : [];
  });
  if (states.some((state) => ['accepted', 'running', 'finishing'].includes(state))) return 'from-gateway';
  return states.some((state) => state === 'sent') ? 'to-gateway' : null;
}

/** The stream of one canary, read as a whole. Pure. */
export function judgeCanary(status: number, text: string, milliseconds: number): Reading<CanaryResult> {
  const end = (outcome: CanaryResult['outcome'], code: string | null, message = ''): Reading<CanaryResult> =>
    known({ outcome, code, message, exitCode: null, milliseconds });
  if (status >= 400) {
    const body = bodies.errorBody.safeParse(json(text));
    if (status === 401) return unknown('token-refused', 'the API refused the token with 401');
    if (!body.success) return unknown('unparsed', `the API answered ${status}, not as a viworks backend does`);
    return end(status === 403 ? 'forbidden' : 'refused', body.data.code, body.data.message);
  }
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let task: bodies.TaskBody | undefined;
  for (const event of readEventStream(text)) {
    const data = json(event.data);
    if (event.name === 'output') {
      const output = bodies.outputEvents.output.safeParse(data);
      if (output.success) (output.data.stream === 'out' ? out : err).push(Buffer.from(output.data.data, 'base64'));
    }
    if (event.name === 'exit') task = bodies.outputEvents.exit.safeParse(data).data?.task ?? task;
  }
  if (!task?.end) return end('timeout', null, 'the command did not end in time');
  if (task.end.outcome === 'refused') {
    const { refusal: code, message, obstacle } = task.end;
    const value = { outcome: 'refused', code, message, exitCode: null, milliseconds } as const;
    return known(obstacle ? { ...value, obstacle: { stage: obstacle.stage, errno: obstacle.errno } } : value);
  }
  if (task.end.outcome === 'expired') return end('offline', 'expired', task.end.message);
  if (task.end.outcome === 'cancelled_before_start') return end('failed', task.end.outcome);
  const exitCode = task.end.code ?? null;
  if (exitCode !== 0) return known({ outcome: 'failed', code: task.end.outcome, message: '', exitCode, milliseconds });
  const hash = createHash('sha256').update(Buffer.concat(out)).digest('hex');
  const same = Buffer.concat(err).toString('utf8').trim() === hash;
  return known({ outcome: same ? 'ok' : 'mismatch', code: null, message: '', exitCode, milliseconds });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the API says is told as seen from here, whichever way it was asked. */
function apiFact<K extends 'registry.entry' | 'canary'>(
  from: NetworkVantage,
  key: K,
  of: { subject: string; reading: Reading<FactTypes[K]>; command: string; lines: readonly string[] },
): Fact {
  return factFrom({ ...from, vantage: 'op', via: '' }, { key, probe: key, ...of });
}
