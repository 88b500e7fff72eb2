// The gateway's local HTTP API: health, metrics, log level. Small on purpose: no framework on a managed host.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { http } from '../../protocol/index.ts';
import { describe, LOG_LEVELS, type Logger } from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';
import { MESSAGES } from '../messages.ts';

const MAX_CONNECTIONS = 100;
const REQUEST_MS = 30_000;
const MAX_BODY_BYTES = 1024;

/** What the API shows. */
export interface LocalApiDeps {
  readonly bind: string;
  readonly port: number;
  /** A socket that the service manager opened. */
  readonly fd: number | undefined;
  readonly logger: Logger;
  health(): http.HealthBody;
  metrics(): string;
}

/** An API that listens. */
export interface LocalApi extends AsyncDisposable {
  readonly port: number;
}

/** Listens, or throws VW_GATEWAY_LISTEN. */
export async function openLocalApi(deps: LocalApiDeps, signal: AbortSignal): Promise<LocalApi> {
  signal.throwIfAborted();
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) =>
    answer(deps, request, response),
  );
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, deps);
  const address = server.address() as AddressInfo | null;
  return {
    port: address?.port ?? deps.port,
    async [Symbol.asyncDispose]() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      await promise;
    },
  };
}

function listen(server: Server, deps: LocalApiDeps): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error) => {
    const { bind, port } = deps;
    reject(gatewayErrors.create('VW_GATEWAY_LISTEN', { bind, port, reason: describe(error) }, error));
  });
  if (deps.fd === undefined) server.listen({ host: deps.bind, port: deps.port }, resolve);
  else server.listen({ fd: deps.fd }, resolve);
  return promise;
}

function answer(deps: LocalApiDeps, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?', 1)[0];
  const reading = request.method === 'GET' || request.method === 'HEAD';
  if (path === '/api/v1/log-level' && request.method === 'PUT') {
    setLogLevel(deps, request, response);
  } else if (!reading) {
    send(response, 405, { code: 'method_not_allowed' });
  } else if (path === '/api/v1/health' || path === '/health') {
    const health = deps.health();
    send(response, health.status === 'healthy' ? 200 : 503, health);
  } else if (path === '/metrics') {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(deps.metrics());
  } else {
    send(response, 404, { code: 'not_found' });
  }
}

// Loopback only by default; who may connect here may at most see more or fewer lines.
function setLogLevel(deps: LocalApiDeps, request: IncomingMessage, response: ServerResponse): void {
  let text = '';
  request.on('data', (part: Buffer) => {
    text += part.toString('utf8');
    if (text.length > MAX_BODY_BYTES) request.destroy();
  });
  request.on('end', () => {
    const level = LOG_LEVELS.find((known) => text.trim() === known || text.includes(`"${known}"`));
    if (!level) {
      send(response, 400, { code: 'bad_level', expected: LOG_LEVELS });
      return;
    }
    deps.logger.setLevel(level);
    deps.logger.info(MESSAGES.logLevelChanged, { level });
    send(response, 200, { level });
  });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
