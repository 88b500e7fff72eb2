// The WebSocket server for gateways on a port of its own: exactly one path upgrades, /health answers, everything else is 404.
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { type CloseName, limits, SUBPROTOCOL } from '../../protocol/index.ts';
import type { Timer } from '../../runtime/index.ts';
import { createAdmission } from './admission.ts';
import { type Connection, type ConnectionDeps, createConnection } from './connection.ts';
import { remoteAddress, type Trust } from './proxies.ts';

/** What the listener needs besides what its connections need. */
export interface ListenerDeps extends Omit<ConnectionDeps, 'onBadHello'> {
  readonly path: string;
  readonly trust: Trust;
  /** Proves that a connection is our own self-check. */
  readonly selfCheckSecret: string;
  health(): { readonly status: number; readonly body: unknown };
}

/** The listener; it does not bind by itself. */
export interface Listener {
  readonly server: Server;
  /** Also for upgrades that came through another server of this process. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Says goodbye to every gateway and waits, not for ever, until they are gone. */
  drain(signal: AbortSignal): Promise<void>;
  closeAll(name: CloseName, message: string): void;
  start(): void;
  stop(): void;
}

/** Name of the header that carries the self-check's secret. */
export const SELF_CHECK_HEADER = 'x-viworks-self-check';

const TICK_MS = 500;
/** Gateways come back within this time after a restart, spread so that a thousand do not come at once. */
const SPREAD_MS_PER_SESSION = 3;
const DRAIN_MS = 1_000;

/** Creates the listener. */
export function createListener(deps: ListenerDeps): Listener {
  const { clock, metrics } = deps;
  const connections = new Set<Connection>();
  const admission = createAdmission(clock);
  let ticking: Timer | undefined;
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.MAX_HANDSHAKE_FRAME_BYTES,
    handleProtocols: () => SUBPROTOCOL,
    clientTracking: false,
  });
  const server = createServer(
    {
      headersTimeout: limits.HANDSHAKE_MS,
      requestTimeout: limits.HANDSHAKE_MS,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 16_384,
    },
    (request, response) => {
      const found = pathOf(request) === '/health' && (request.method === 'GET' || request.method === 'HEAD');
      const { status, body } = found ? deps.health() : { status: 404, body: NOT_HERE };
      const text = JSON.stringify(body);
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(request.method === 'HEAD' ? undefined : text);
    },
  );
  server.on('upgrade', upgrade);
  // A peer that talks nonsense gets a short answer and is gone; Node's default leaves the reason out.
  server.on('clientError', (_error, socket) => refuse(socket, 400, 'bad request'));

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const address = remoteAddress(request.socket.remoteAddress, header(request, 'x-forwarded-for'), deps.trust);
    const quiet = header(request, SELF_CHECK_HEADER) === deps.selfCheckSecret;
    const problem = objection(request, { address, quiet });
    if (problem) {
      metrics.upgradesRefused.inc({ reason: problem.reason });
      refuse(socket, problem.status, TURNED_AWAY[problem.reason]);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = createConnection({ ...deps, onBadHello: admission.badHello }, webSocket, { address, quiet });
      connections.add(connection);
      webSocket.on('close', () => connections.delete(connection));
    });
  }

  function objection(
    request: IncomingMessage,
    peer: { address: string; quiet: boolean },
  ): { status: number; reason: keyof typeof TURNED_AWAY } | undefined {
    if (pathOf(request) !== deps.path) return { status: 404, reason: 'path' };
    if (!offersOurs(request)) return { status: 400, reason: 'subprotocol' };
    const verdict = peer.quiet ? 'admit' : admission.judge(peer.address, connections.size - deps.registry.size);
    if (verdict === 'admit') return undefined;
    return { status: verdict === 'blocked' ? 429 : 503, reason: verdict };
  }

  function tick(): void {
    const at = clock.monotonicMs();
    for (const connection of connections) connection.tick(at);
    ticking = clock.after(TICK_MS, tick);
  }

  return {
    server,
    upgrade,
    start() {
      ticking = clock.after(TICK_MS, tick);
    },
    stop() {
      ticking?.cancel();
      server.closeAllConnections();
      sockets.close();
    },
    closeAll(name, message) {
      for (const connection of [...connections]) connection.close(name, message);
    },
    async drain(signal) {
      const spreadMs = Math.min(30_000, connections.size * SPREAD_MS_PER_SESSION);
      for (const connection of connections) connection.goaway('restart', spreadMs);
      for (const connection of [...connections]) connection.close('going_away', 'the backend restarts');
      const until = clock.monotonicMs() + DRAIN_MS;
      while (connections.size > 0 && clock.monotonicMs() < until) await clock.sleep(10, signal);
    },
  };
}

const NOT_HERE = {
  code: 'VW_BACKEND_NO_ROUTE',
  message: 'this port is the WebSocket server for gateways',
  hint: 'the HTTP API is on the other port; here are only the agent path and /health',
  retry: 'never',
  detail: {},
};

const TURNED_AWAY = {
  path: 'there is no WebSocket at this path',
  subprotocol: `ask for the subprotocol ${SUBPROTOCOL}`,
  blocked: 'too many wrong signatures from this address',
  busy: 'too many upgrades at once',
} as const;

function refuse(socket: Duplex, status: number, message: string): void {
  if (!socket.writable) return;
  const body = `${message}\n`;
  const retry = status === 503 || status === 429 ? 'Retry-After: 2\r\n' : '';
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n${retry}Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function offersOurs(request: IncomingMessage): boolean {
  const offered = header(request, 'sec-websocket-protocol') ?? '';
  return offered.split(',').some((name) => name.trim() === SUBPROTOCOL);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}
