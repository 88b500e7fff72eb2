// One connection for one probe: dial from a vantage, TLS with that vantage's trust on top, each with its own deadline.
import type { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Clock, errnoOf, withDeadline } from '../../agents/runtime/index.ts';
import type { TlsObservation } from '../engine/index.ts';
import { culpritOf } from './chain.ts';
import type { Deadlines } from './deadlines.ts';
import { DialError, type DialFailure, LostError } from './link.ts';
import { describeCertificate } from './nginx.ts';

/** From where a probe dials, and with what trust. */
export interface Place {
  dial(host: string, port: number, signal: AbortSignal): Promise<Duplex>;
  /** Throws LostError when the vantage itself is out of reach by now: a failure counts only if it still answers after it. */
  confirm(signal: AbortSignal): Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly deadlines: Deadlines;
}

/** PEM certificates, or undefined for the roots that Node brings. */
export interface Trust {
  readonly bundle: string | undefined;
  readonly name: string;
}

export type Dialled =
  | { readonly ok: true; readonly stream: Duplex; readonly milliseconds: number }
  | { readonly ok: false; readonly failure: DialFailure; readonly message: string; readonly milliseconds: number };

/** A TCP connection. Only a stopped run and a lost vantage (LostError) throw. */
export async function dial(place: Place, host: string, port: number): Promise<Dialled> {
  const { clock } = place;
  const began = clock.monotonicMs();
  const took = (): number => round(clock.monotonicMs() - began);
  try {
    const stream = await withDeadline((signal) => place.dial(host, port, signal), {
      ms: place.deadlines.connectMs,
      clock,
      signal: place.signal,
      onTimeout: () => new DialError('timeout', `no answer within ${(place.deadlines.connectMs / 1000).toFixed(1)} s`),
    });
    // A reset that comes later is read from the stream by whoever uses it.
    stream.on('error', () => undefined);
    return { ok: true, stream, milliseconds: took() };
  } catch (error) {
    place.signal.throwIfAborted();
    if (!(error instanceof DialError)) throw error instanceof LostError ? error : new LostError(String(error));
    const milliseconds = took();
    await place.confirm(place.signal);
    return { ok: false, failure: error.failure, message: error.message, milliseconds };
  }
}

export type Secured =
  | { readonly ok: true; readonly stream: TLSSocket; readonly milliseconds: number }
  | { readonly ok: false; readonly code: string; readonly timedOut: boolean; readonly milliseconds: number };

/**
 * TLS over an open connection. Certificates are judged and not enforced: a probe wants to see what lies behind a bad one, too. Only a
 * stopped run and a lost vantage (LostError) throw.
 */
export async function secure(
  place: Place,
  stream: Duplex,
  options: { readonly serverName: string; readonly trust: Trust },
): Promise<Secured> {
  const secured = await shakeHands(place, stream, options);
  if (!secured.ok) await place.confirm(place.signal);
  return secured;
}

async function shakeHands(
  place: Place,
  stream: Duplex,
  options: { readonly serverName: string; readonly trust: Trust },
): Promise<Secured> {
  const { clock } = place;
  const began = clock.monotonicMs();
  const took = (): number => round(clock.monotonicMs() - began);
  const { serverName, trust } = options;
  const socket = connectTls({
    socket: stream,
    servername: serverName,
    // Agents speak HTTP/1.1: a server that would choose HTTP/2 must not be asked.
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: false,
    ...(trust.bundle === undefined ? {} : { ca: trust.bundle }),
  });
  return await new Promise((resolve, reject) => {
    const timer = clock.after(place.deadlines.answerMs, () =>
      end({ ok: false, code: 'ETIMEDOUT', timedOut: true, milliseconds: took() }),
    );
    const end = (result: Secured): void => {
      timer.cancel();
      place.signal.removeEventListener('abort', stop);
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const stop = (): void => {
      timer.cancel();
      socket.destroy();
      reject(place.signal.reason);
    };
    place.signal.addEventListener('abort', stop, { once: true });
    socket.once('secureConnect', () => end({ ok: true, stream: socket, milliseconds: took() }));
    // The error may come again when the stream below closes; only the first one counts.
    socket.on('error', (error) =>
      end({ ok: false, code: errnoOf(error) ?? error.message, timedOut: false, milliseconds: took() }),
    );
    socket.once('close', () => end({ ok: false, code: 'ECONNRESET', timedOut: false, milliseconds: took() }));
  });
}

/** What was seen of TLS. */
export function observeTls(
  secured: Secured,
  about: {
    readonly address: string;
    readonly port: number;
    readonly serverName: string;
    readonly trust: Trust;
    readonly nowMs: number;
  },
): TlsObservation {
  const { address, port, serverName, trust } = about;
  const base = { address, port, serverName, trust: trust.name };
  if (!secured.ok) {
    const handshake = secured.timedOut ? ('timeout' as const) : ('failed' as const);
    return { ...base, handshake, error: secured.code, protocol: null, chain: [], verification: secured.code };
  }
  const { stream } = secured;
  const served: X509Certificate[] = [];
  const seen = new Set<string>();
  for (let certificate = stream.getPeerX509Certificate(); certificate; certificate = certificate.issuerCertificate) {
    if (seen.has(certificate.fingerprint256)) break;
    seen.add(certificate.fingerprint256);
    served.push(certificate);
  }
  const refusal: unknown = stream.authorizationError;
  const verification =
    refusal instanceof Error ? (errnoOf(refusal) ?? refusal.message) : refusal ? String(refusal) : 'OK';
  return {
    ...base,
    handshake: 'ok',
    error: null,
    protocol: stream.getProtocol(),
    chain: served.map(describeCertificate),
    verification,
    culprit: culpritOf({ verification, served, trust: trust.bundle, nowMs: about.nowMs }),
  };
}

/** Tenths of a millisecond are noise. */
export function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
