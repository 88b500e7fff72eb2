// Opens one WebSocket to the backend: TLS against the trusted certificates, our subprotocol, no compression, a deadline.
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { limits, SUBPROTOCOL } from '../../protocol/index.ts';
import { BUILD, describe } from '../../runtime/index.ts';

/** Why a link could not be opened, by the hop that failed. */
export interface DialFailure {
  /** `dns`, `refused`, `unreachable`, `timeout`, `tls`, `bad_upgrade`, `no_subprotocol`, `other`. */
  readonly kind: string;
  readonly message: string;
}

/** An open socket, before any frame; paused, so that none is missed. */
export interface Dialled {
  readonly socket: WebSocket;
  /** SHA-256 of the SPKI that the peer showed, hex; empty without TLS. */
  readonly spkiSeen: string;
}

const BODY_SHOWN = 256; // enough of a proxy's error page to recognise it

/** Dials once; the name is resolved anew each time. Throws an Error whose `cause` is a {@link DialFailure}. */
export async function dial(
  options: { readonly url: string; readonly ca: string | undefined },
  signal: AbortSignal,
): Promise<Dialled> {
  signal.throwIfAborted();
  const secure = options.url.startsWith('wss:');
  const socket = new WebSocket(options.url, SUBPROTOCOL, {
    perMessageDeflate: false,
    handshakeTimeout: limits.HANDSHAKE_MS,
    maxPayload: limits.MAX_FRAME_BYTES,
    followRedirects: false,
    headers: { 'user-agent': `viworks-gateway/${BUILD.version}` },
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    // Masks keep proxies that read plain text from being fooled (RFC 6455 §10.3); inside TLS nobody reads along.
    ...(secure ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
  });
  const { promise, resolve, reject } = Promise.withResolvers<Dialled>();
  let spkiSeen = '';
  const fail = (failure: DialFailure): void => reject(new Error(failure.message, { cause: failure }));
  const abort = (): void => {
    socket.terminate();
    reject(signal.reason);
  };
  signal.addEventListener('abort', abort, { once: true });
  socket.on('upgrade', (response) => {
    const certificate = secure ? (response.socket as TLSSocket).getPeerX509Certificate() : undefined;
    const der = certificate?.publicKey.export({ type: 'spki', format: 'der' });
    if (der) spkiSeen = createHash('sha256').update(der).digest('hex');
  });
  socket.on('unexpected-response', (request, response) => {
    const parts: Buffer[] = [];
    let length = 0;
    const finish = (): void => {
      const shown = Buffer.concat(parts).toString('utf8').slice(0, BODY_SHOWN).replaceAll(/\s+/g, ' ').trim();
      const said = shown === '' ? '' : `: ${shown}`;
      fail({ kind: 'bad_upgrade', message: `the upgrade was answered with HTTP ${response.statusCode}${said}` });
      request.destroy();
    };
    response.on('data', (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length >= BODY_SHOWN) finish();
    });
    response.on('end', finish);
    response.on('error', finish);
  });
  socket.on('error', (error) => fail(classify(error)));
  socket.on('close', (code) => fail({ kind: 'other', message: `closed with ${code} before it was open` }));
  socket.on('open', () => {
    // CHALLENGE may have come in the same packet: it must wait for whoever will listen.
    socket.pause();
    resolve({ socket, spkiSeen });
  });
  try {
    return await promise;
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function classify(error: Error & { code?: unknown }): DialFailure {
  const code = typeof error.code === 'string' ? error.code : '';
  const message = error.message === '' ? code : describe(error);
  if (/ENOTFOUND|EAI_AGAIN|ENODATA/.test(code)) return { kind: 'dns', message };
  if (code === 'ECONNREFUSED') return { kind: 'refused', message };
  if (/EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL/.test(code)) return { kind: 'unreachable', message };
  if (code === 'ETIMEDOUT' || message.includes('handshake has timed out')) return { kind: 'timeout', message };
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_/.test(code)) return { kind: 'tls', message: tlsHint(code, message) };
  if (message.includes('subprotocol')) return { kind: 'no_subprotocol', message };
  return { kind: 'other', message };
}

// A certificate that is not valid *now* is as often a wrong clock as a wrong certificate; say both.
function tlsHint(code: string, message: string): string {
  if (/UNABLE_TO_|SELF_SIGNED/.test(code)) return `${message} (trust_file in gateway.toml names the CA to trust)`;
  return code === 'CERT_NOT_YET_VALID' || code === 'CERT_HAS_EXPIRED'
    ? `${message} (is this host’s clock right?)`
    : message;
}
