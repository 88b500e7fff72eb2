// Hands the gateway's public key to the backend with a one-time token, over the API of the host that the WebSocket URL names.
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { http } from '../../protocol/index.ts';
import { describe, errnoOf, type Secret } from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';

/** One attempt to enrol. */
export interface EnrolRequest {
  /** The WebSocket URL of the configuration. */
  readonly url: string;
  readonly gatewayId: string;
  readonly token: Secret;
  readonly publicKey: string;
  readonly fingerprint: string;
  /** Trusted certificates, PEM; the system's when absent. */
  readonly ca?: string | undefined;
}

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;

/** URL of the enrolment call for a WebSocket URL: the same host and port, another path. */
export function enrolUrl(webSocketUrl: string): URL {
  const url = new URL(webSocketUrl);
  url.protocol = url.protocol === 'ws:' ? 'http:' : 'https:';
  url.pathname = '/api/v1/enrol';
  url.search = '';
  return url;
}

/**
 * Enrols. Rejects with VW_GATEWAY_ENROLMENT_FAILED (try again later) when the backend cannot be reached or is not well, and with
 * VW_GATEWAY_ENROLMENT_REFUSED when it says no.
 */
export async function enrol(options: EnrolRequest, signal: AbortSignal): Promise<void> {
  const url = enrolUrl(options.url);
  const body: unknown = {
    token: options.token.reveal(),
    publicKey: options.publicKey,
    fingerprint: options.fingerprint,
  };
  const answer = await post(url, JSON.stringify(body), { ca: options.ca, signal }).catch((error: unknown) => {
    const untrusted = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT)/.test(errnoOf(error) ?? '');
    const code = untrusted ? 'VW_GATEWAY_ENROLMENT_UNTRUSTED' : 'VW_GATEWAY_ENROLMENT_FAILED';
    throw gatewayErrors.create(code, { url: url.href, reason: describe(error) }, error);
  });
  if (answer.status >= 200 && answer.status < 300) {
    const parsed = http.enrolBody.safeParse(parseJson(answer.text));
    if (parsed.success && parsed.data.gatewayId === options.gatewayId) return;
    const reason = parsed.success
      ? `the token was made for gateway ${parsed.data.gatewayId}`
      : 'what answered is not a viworks backend';
    throw gatewayErrors.create('VW_GATEWAY_ENROLMENT_REFUSED', { gateway: options.gatewayId, reason });
  }
  const failure = http.errorBody.safeParse(parseJson(answer.text));
  const reason = failure.success ? `${failure.data.message} (${failure.data.code})` : `HTTP ${answer.status}`;
  // Only an answer of a backend of ours is a verdict; a proxy's 404 or 502 may be gone in a minute.
  if (failure.success && answer.status < 500 && answer.status !== 429) {
    throw gatewayErrors.create('VW_GATEWAY_ENROLMENT_REFUSED', { gateway: options.gatewayId, reason });
  }
  throw gatewayErrors.create('VW_GATEWAY_ENROLMENT_FAILED', { url: url.href, reason });
}

function post(
  url: URL,
  body: string,
  options: { readonly ca: string | undefined; readonly signal: AbortSignal },
): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
  const request = send(
    url,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      timeout: TIMEOUT_MS,
      signal: options.signal,
      agent: false,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    },
    (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        length += part.length;
        if (length > MAX_ANSWER_BYTES) request.destroy(new Error('the answer is too long'));
        else parts.push(part);
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
      );
      response.on('error', reject);
    },
  );
  request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
  request.on('error', reject);
  request.end(body);
  return promise;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
