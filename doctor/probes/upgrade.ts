// The live probe of the product's own protocol: raw upgrade → accept key → CHALLENGE → probe HELLO or its coded refusal → pong → close 1000.
// It is never registered, and carries no token: the refusal itself proves that the server loop works, whoever else may answer here.

import type { Duplex } from 'node:stream';
import { closeByCode, decodeFrame, encodeFrame, PROTOCOL_VERSION, SUBPROTOCOL } from '../../agents/protocol/index.ts';
import { redactText } from '../../agents/runtime/index.ts';
import { type UpgradeObservation, type UpgradeStage, upgradeStages } from '../engine/index.ts';
import { dial, type Place, secure, type Trust } from './dial.ts';
import { exchange, plainHeaders, readBody } from './http.ts';
import { acceptKey, closePayload, createFrameParser, encodeMasked, newKey, OPCODE } from './websocket.ts';

/** How long a silent connection is held before somebody may look at the accept queue, in ms. */
const STALL_MS = 600;
/** For what a server says after 101, in ms. */
const TALK_MS = 1_500;

export interface UpgradeOptions {
  readonly place: Place;
  /** What is dialled, and the Host and server name that are asked for. */
  readonly address: string;
  readonly port: number;
  readonly host: string;
  readonly path: string;
  /** Undefined for a port without TLS. */
  readonly trust: Trust | undefined;
  /** The agents' own, so that a rule about it treats the probe as it treats them. */
  readonly userAgent: string;
  /** The agents of this installation leave where the answer does not name their subprotocol. */
  readonly needsSubprotocol?: boolean;
  /** Who really asks, for whoever reads the headers. */
  readonly probe?: string;
  /** Called once while a connection is open and nothing came back. */
  readonly onStall?: (() => Promise<void>) | undefined;
}

type Seen = { -readonly [K in keyof UpgradeObservation]: UpgradeObservation[K] };
type Ended = UpgradeObservation['ended'];

/** One upgrade. Only a stopped run and a lost vantage (LostError) throw. */
export async function probeUpgrade(options: UpgradeOptions): Promise<UpgradeObservation> {
  const { place, address, port, path, trust } = options;
  const seen: Seen = { ...blankUpgrade, url: urlOf(options), address, port, path };
  const dialled = await dial(place, address, port);
  const milliseconds = { tcp: null as number | null, tls: null as number | null, response: null as number | null };
  const finish = (ended: Ended): UpgradeObservation => ({
    ...seen,
    ended,
    milliseconds,
    failures: ended === 'ok' ? 0 : 1,
  });
  if (!dialled.ok) return finish(dialEnded[dialled.failure]);
  milliseconds.tcp = dialled.milliseconds;
  seen.reached = 'tcp';
  let stream: Duplex = dialled.stream;
  try {
    if (trust) {
      const secured = await secure(place, stream, { serverName: options.host, trust });
      if (!secured.ok) {
        seen.tlsError = secured.code;
        return finish(secured.timedOut ? 'timeout' : 'tls-error');
      }
      milliseconds.tls = secured.milliseconds;
      seen.reached = 'tls';
      seen.tlsError = secured.stream.authorizationError ? String(secured.stream.authorizationError) : null;
      stream = secured.stream;
    }
    const began = place.clock.monotonicMs();
    const ended = await ask(stream, options, seen);
    if (seen.status !== null) milliseconds.response = Math.round((place.clock.monotonicMs() - began) * 10) / 10;
    return finish(ended);
  } finally {
    stream.destroy();
    dialled.stream.destroy();
  }
}

function urlOf({ trust, host, port, path }: UpgradeOptions): string {
  const usual = trust ? 443 : 80;
  const name = host.includes(':') ? `[${host}]` : host;
  return `${trust ? 'wss' : 'ws'}://${name}${port === usual ? '' : `:${port}`}${path}`;
}

export const blankUpgrade: Omit<UpgradeObservation, 'url' | 'address' | 'port' | 'path'> = {
  reached: 'none',
  ended: 'ok',
  status: null,
  headers: {},
  body: '',
  acceptKeyOk: null,
  challenged: null,
  hello: 'not-sent',
  refusalCode: null,
  pongReceived: null,
  closeCode: null,
  tlsError: null,
  milliseconds: { tcp: null, tls: null, response: null },
  attempts: 1,
  failures: 0,
};

const dialEnded = {
  refused: 'refused',
  timeout: 'timeout',
  unreachable: 'unreachable',
  unresolved: 'unreachable',
  unclear: 'not-sent',
  forbidden: 'not-sent',
  reset: 'reset',
} as const;

async function ask(stream: Duplex, options: UpgradeOptions, seen: Seen): Promise<Ended> {
  const { place } = options;
  const key = newKey();
  const stall = options.onStall ? place.clock.after(STALL_MS, () => void options.onStall?.()) : undefined;
  const answer = await exchange(stream, {
    method: 'GET',
    path: options.path,
    host: options.host,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
      'Sec-WebSocket-Protocol': SUBPROTOCOL,
      'User-Agent': options.userAgent,
      ...(options.probe === undefined ? {} : { 'Viworks-Doctor': options.probe }),
    },
    place,
    answerMs: place.deadlines.answerMs,
  }).finally(() => stall?.cancel());
  if (answer.kind === 'none') return answer.why;
  seen.reached = 'response';
  seen.status = answer.message.statusCode ?? null;
  seen.headers = plainHeaders(answer.message);
  if (answer.kind === 'response') {
    const body = redactText(await readBody(answer.message, { limit: 500, place, ms: 500 }));
    seen.body = body;
    return 'status';
  }
  seen.acceptKeyOk = answer.message.headers['sec-websocket-accept'] === acceptKey(key);
  if (!seen.acceptKeyOk) return 'bad-accept-key';
  seen.reached = 'accepted';
  const ended = await talk(stream, { place, seen, first: answer.first });
  if (ended !== 'ok') await place.confirm(place.signal);
  const isNamed = seen.headers['sec-websocket-protocol'] === SUBPROTOCOL;
  return ended === 'ok' && options.needsSubprotocol && !isNamed ? 'no-subprotocol' : ended;
}

/** What is said after 101. A ping goes out first: our backend's CHALLENGE comes before its pong, so a pong alone means a server of another kind. */
function talk(stream: Duplex, of: { place: Place; seen: Seen; first: Buffer }): Promise<Ended> {
  const { place, seen } = of;
  const { clock, signal } = place;
  const parser = createFrameParser();
  return new Promise((resolve, reject) => {
    let closing = false;
    const finish = (ended: Ended): void => {
      timer.cancel();
      signal.removeEventListener('abort', stop);
      stream.removeListener('data', onData);
      resolve(ended);
    };
    const stop = (): void => {
      timer.cancel();
      reject(signal.reason);
    };
    const raise = (stage: UpgradeStage): void => {
      if (upgradeStages.indexOf(stage) > upgradeStages.indexOf(seen.reached)) seen.reached = stage;
    };
    const bye = (): void => {
      if (closing) return;
      closing = true;
      stream.write(encodeMasked(OPCODE.close, closePayload(1000)));
    };
    const onFrame = (opcode: number, payload: Buffer): void => {
      if (opcode === OPCODE.close) {
        seen.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
        if (seen.hello === 'silent' && seen.closeCode >= 4000) refuse(seen.closeCode);
        raise(closing ? 'closed' : seen.reached);
        bye();
        finish(goodEnd(seen) ? 'ok' : 'closed');
      } else if (opcode === OPCODE.pong) {
        seen.pongReceived = true;
        if (seen.challenged !== true) {
          seen.challenged = null;
          bye();
        } else if (seen.hello === 'accepted' || seen.hello === 'refused') {
          raise('ping');
          bye();
        }
      } else if (opcode === OPCODE.ping) stream.write(encodeMasked(OPCODE.pong, payload));
      else if (opcode === OPCODE.text) onText(payload.toString('utf8'));
    };
    const refuse = (code: number): void => {
      seen.hello = 'refused';
      seen.refusalCode = closeByCode(code)?.name ?? String(code);
      raise('hello');
      if (seen.pongReceived) raise('ping');
    };
    const onText = (text: string): void => {
      const decoded = decodeFrame(text);
      if (!decoded.ok) return;
      const { frame } = decoded;
      if (frame.type === 'session.challenge') {
        seen.challenged = true;
        seen.hello = 'silent';
        raise('challenge');
        const probe = encodeFrame({ type: 'session.probe', protocol: PROTOCOL_VERSION });
        stream.write(encodeMasked(OPCODE.text, Buffer.from(probe)));
      } else if (frame.type === 'session.probed') {
        seen.hello = 'accepted';
        raise('hello');
        if (seen.pongReceived) {
          raise('ping');
          bye();
        }
      } else if (frame.type === 'session.refused') {
        refuse(frame.code);
        bye();
      }
    };
    const onData = (chunk: Buffer): void => {
      try {
        for (const frame of parser.push(chunk)) onFrame(frame.opcode, frame.payload);
      } catch {
        finish('protocol');
      }
    };
    const timer = clock.after(TALK_MS, () => {
      if (seen.challenged === null) seen.challenged = false;
      finish(goodEnd(seen) ? 'ok' : 'timeout');
    });
    signal.addEventListener('abort', stop, { once: true });
    stream.on('data', onData);
    stream.once('close', () => finish(goodEnd(seen) ? 'ok' : 'closed'));
    stream.write(encodeMasked(OPCODE.ping, Buffer.from('viworks')));
    if (of.first.length > 0) onData(of.first);
  });
}

/** A server of ours has answered our HELLO; one of another kind has answered our ping. */
function goodEnd(seen: Seen): boolean {
  if (seen.challenged === true) return seen.hello === 'accepted' || seen.hello === 'refused';
  return seen.pongReceived === true;
}
