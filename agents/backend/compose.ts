// The composition root of the backend: the only place that builds its parts and says in which order they open and close.
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import {
  type Clock,
  fromUnknown,
  type Lifetime,
  type Logger,
  listenFds,
  type Notifier,
  type ProgramParts,
  type Scope,
} from '../runtime/index.ts';
import { createEngine, type Engine } from './commands/engine.ts';
import { type RetentionDeps, runRetentionLoop } from './commands/retention.ts';
import type { BackendConfig } from './config.ts';
import { backendErrors } from './errors.ts';
import { createHealth, type Health } from './health.ts';
import { createApi } from './http/server.ts';
import { createEnrolment } from './identity/enrolment.ts';
import { createTokens } from './identity/tokens.ts';
import { type Bound, bindServer, dialable } from './link/bind.ts';
import { createListener, type Listener } from './link/listener.ts';
import { createTrust } from './link/proxies.ts';
import { checkListener, runSelfCheckLoop, type SelfCheck } from './link/self-check.ts';
import { createTlsFront } from './link/tls-front.ts';
import { MESSAGES } from './messages.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createRegistry, type Registry } from './registry/registry.ts';
import { createStoreGuard } from './storage/guard.ts';
import { openSqliteStore } from './storage/sqlite.ts';
import type { Store } from './storage/store.ts';

/** What a backend is made from. */
export interface BackendDeps {
  readonly config: BackendConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly notifier: Notifier;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** False where several backends live in one process, as in tests. */
  readonly processMetrics: boolean;
}

/** A composed backend. */
export interface Backend extends ProgramParts {
  readonly api: Bound;
  readonly agents: Bound;
  readonly tls: Bound | undefined;
}

/** Opens everything, and is ready only after its own WebSocket server has answered over a real socket. */
export async function composeBackend(deps: BackendDeps, scope: Scope, lifetime: Lifetime): Promise<Backend> {
  const { config, clock, logger, notifier, env } = deps;
  const metrics = createMetrics({ processMetrics: deps.processMetrics });
  const health: Health = createHealth({
    clock,
    releaseId: config.release_id,
    figures: () => ({
      runningTasks: engine.count('running'),
      sessions: registry.size,
      lastHeartbeat: registry.lastHeartbeat(),
    }),
  });
  scope.add('health', () => health.stop());
  const guard = createStoreGuard({
    clock,
    logger,
    health,
    metrics,
    store: () => store,
    onDown: () => listener.closeAll('storage_unavailable', 'the backend cannot write its store'),
    onUp: () => engine.load(),
  });
  const store: Store = openSqliteStore({
    directory: config.state_dir,
    clock,
    observe: (step, seconds) => (step === 'commit' ? metrics.storeCommit : metrics.storeSync).observe(seconds),
    onFailure: (error) => guard.failed(error),
  });
  scope.use('store', store);
  health.set('store', 'up');

  const registry: Registry = createRegistry({ store, clock });
  await registry.load();
  const engine: Engine = createEngine({ store, clock, logger, metrics, linkOf: (id) => registry.link(id) });
  await engine.load();
  scope.add('engine', () => engine.stop());
  health.set('engine', 'up');

  const tokens = createTokens({ store, clock });
  const selfCheckSecret = randomBytes(16).toString('hex');
  const listener: Listener = createListener({
    registry,
    work: engine,
    tokens,
    clock,
    logger,
    metrics,
    heartbeatMs: config.agents.heartbeat_seconds * 1000,
    maxConnections: config.max_agent_connections,
    releaseId: config.release_id,
    storeAvailable: () => guard.available,
    path: config.agents.path,
    trust: createTrust(config.api.trusted_proxies),
    selfCheckSecret,
    health: () => health.report(),
  });
  const api = await createApi(
    {
      clock,
      logger,
      store,
      engine,
      registry,
      tokens,
      enrolment: createEnrolment({ store, clock }),
      health,
      metrics,
      draining: lifetime.draining,
    },
    { trustedProxies: config.api.trusted_proxies },
  );
  scope.add('api', () => api.close());
  watchFigures({ metrics, health, registry, engine, store });

  const fds = listenFds(env, process.pid);
  const servers: Server[] = [];
  const listen = async (
    server: Server,
    place: { what: string; bind: string; port: number; fd?: number | undefined },
  ) => {
    const bound = await bindServer(server, place, lifetime.stopping);
    servers.push(server);
    return bound;
  };
  scope.add('listeners', () => {
    listener.stop();
    api.server.closeAllConnections();
    for (const server of servers) server.close();
  });
  listener.start();
  const agents = await listen(listener.server, { what: 'gateways', ...config.agents, fd: fds.get('agents') });
  logger.info(MESSAGES.agentsListening, { ...agents, path: config.agents.path });
  const bound = await listen(api.server, { what: 'the HTTP API', ...config.api, fd: fds.get('api') });
  logger.info(MESSAGES.apiListening, { ...bound });
  const tls = config.tls.certificate === '' ? undefined : await listenTls();
  health.set('api-listener', 'up');

  async function listenTls(): Promise<Bound> {
    const { certificate, key } = config.tls;
    const front = createTlsFront({ certificate, key, request: api.routing, upgrade: listener.upgrade });
    scope.add('tls-front', () => front.closeAllConnections());
    const place = await listen(front, { what: 'the TLS front', ...config.tls });
    logger.info(MESSAGES.tlsListening, { ...place });
    return place;
  }

  const check: SelfCheck = { address: dialable(agents), path: config.agents.path, secret: selfCheckSecret, clock };
  await checkListener(check, lifetime.stopping);
  health.set('agents-listener', 'up');
  health.set('serving', 'up');
  logger.info(MESSAGES.ready, { api: bound.port, agents: agents.port });
  notifier.ready(`serving on ${bound.port} and ${agents.port}`);

  const retention: RetentionDeps = {
    store,
    clock,
    logger,
    metrics,
    retention: { days: config.retention.days, maxBytes: config.retention.store_mib * 2 ** 20 },
    available: () => guard.available,
  };
  return {
    api: bound,
    agents,
    tls,
    loops: [
      {
        name: 'self-check',
        run: (signal) => runSelfCheckLoop(check, { health, logger, draining: lifetime.draining }, signal),
      },
      { name: 'store-guard', run: (signal) => guard.run(signal) },
      { name: 'retention', run: (signal) => runRetentionLoop(retention, signal) },
      ...servers.map((server, index) => ({
        name: `listener-${index}`,
        run: (signal: AbortSignal) => untilClosed(server, { signal, draining: lifetime.draining }),
      })),
    ],
    async drain(signal) {
      health.set('serving', 'down', 'draining');
      logger.info(MESSAGES.draining, { sessions: registry.size });
      const closing = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
      await listener.drain(signal);
      await finishRequests(servers, { closed: Promise.all(closing), clock, signal });
      engine.stop();
      await store.flush().catch((error: unknown) => logger.failure(MESSAGES.storeDown, fromUnknown(error)));
    },
  };
}

/** Requests under way get this long; a connection that was accepted but has not asked yet is one of them. */
const REQUESTS_MS = 1_000;

// Whoever was accepted is answered: only what is idle is closed, until nothing is left or the time is over.
async function finishRequests(
  servers: readonly Server[],
  until: { closed: Promise<unknown>; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const { clock, signal } = until;
  const end = clock.monotonicMs() + REQUESTS_MS;
  let closed = false;
  void until.closed.then(() => {
    closed = true;
  });
  while (!closed && clock.monotonicMs() < end) {
    for (const server of servers) server.closeIdleConnections();
    await clock.sleep(10, signal);
  }
}

// A listener that dies unasked takes the process down, visibly: an accept loop that is gone must not look like a healthy one.
function untilClosed(server: Server, until: { signal: AbortSignal; draining: AbortSignal }): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = (): boolean => until.signal.aborted || until.draining.aborted;
    const fail = (reason: string): void => {
      if (!asked()) reject(backendErrors.create('VW_BACKEND_SELF_CHECK', { address: 'the listener', reason }));
    };
    server.on('error', (error) => fail(error.message));
    server.on('close', () => fail('it was closed'));
    until.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const OPEN_STATES = ['queued', 'sent', 'accepted', 'running', 'finishing', 'unknown'] as const;

// Gauges are read when somebody asks, not kept up to date all the time.
function watchFigures(parts: {
  metrics: Metrics;
  health: Health;
  registry: Registry;
  engine: Engine;
  store: Store;
}): void {
  const { metrics, health, registry, engine, store } = parts;
  metrics.onScrape(() => {
    metrics.storeBytes.set(store.usedBytes());
    metrics.agentSessions.set({ state: 'connected' }, registry.size);
    metrics.agentSessions.set({ state: 'disconnected' }, registry.ids().length - registry.size);
    for (const state of OPEN_STATES) metrics.tasks.set({ state }, engine.count(state));
    for (const [part, { state }] of Object.entries(health.parts()))
      metrics.partUp.set({ part }, state === 'up' ? 1 : 0);
    metrics.loopLag.set(health.loopLagMs() / 1000);
  });
}
