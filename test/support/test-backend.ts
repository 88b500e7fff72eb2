// A backend inside the test's process: real sockets on free ports, a store in a temporary directory that outlives it.
import { PassThrough } from 'node:stream';
import { type Backend, composeBackend } from '../../agents/backend/compose.ts';
import { type BackendConfig, configSpec } from '../../agents/backend/config.ts';
import { createEnrolment } from '../../agents/backend/identity/enrolment.ts';
import { createTokens } from '../../agents/backend/identity/tokens.ts';
import { openSqliteStore } from '../../agents/backend/storage/sqlite.ts';
import type { http } from '../../agents/protocol/index.ts';
import { type Clock, createLogger, parseConfig, runProgram, systemClock } from '../../agents/runtime/index.ts';
import type { FakeIdentity } from './fake-gateway.ts';

/** A running backend. */
export interface TestBackend {
  readonly api: string;
  readonly agents: string;
  readonly backend: Backend;
  /** Lines of its log so far. */
  readonly log: readonly Record<string, unknown>[];
  /** Orderly: drains, closes the store. */
  stop(): Promise<number>;
}

/** Starts one. `toml` is added to a configuration with free ports. */
export async function startBackend(options: { directory: string; toml?: string; clock?: Clock }): Promise<TestBackend> {
  const config: BackendConfig = parseConfig({
    schema: configSpec.schema as never,
    text: `state_dir = ${JSON.stringify(options.directory)}\n${options.toml ?? '[api]\nport = 0\n[agents]\nport = 0\n'}`,
  }).value as BackendConfig;
  const clock = options.clock ?? systemClock;
  const stream = new PassThrough();
  const log: Record<string, unknown>[] = [];
  let rest = '';
  stream.on('data', (data: Buffer) => {
    const lines = (rest + data.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) log.push(JSON.parse(line) as Record<string, unknown>);
  });
  const controller = new AbortController();
  const composed = Promise.withResolvers<Backend>();
  const logger = createLogger({ level: 'debug', stream });
  const notifier = { ready() {}, stopping() {}, status() {}, watchdog() {}, watchdogMs: undefined };
  const done = runProgram({
    signal: controller.signal,
    clock,
    logger,
    notifier,
    drainMs: 5_000,
    async compose(scope, lifetime) {
      const backend = await composeBackend(
        { config, clock, logger, notifier, env: {}, processMetrics: false },
        scope,
        lifetime,
      );
      composed.resolve(backend);
      return backend;
    },
  });
  void done.then((code) => composed.reject(new Error(`the backend ended with ${code}: ${JSON.stringify(log.at(-1))}`)));
  const backend = await composed.promise;
  return {
    backend,
    log,
    api: `http://127.0.0.1:${backend.api.port}`,
    agents: `ws://127.0.0.1:${backend.agents.port}/ws/agent`,
    async stop() {
      controller.abort();
      return done;
    },
  };
}

/** Puts tokens and gateways into a store, as the command line and enrolment would. */
export async function seedStore(
  directory: string,
  seed: { roles?: readonly http.Role[]; gateways?: readonly FakeIdentity[] },
): Promise<Record<http.Role, string>> {
  await using store = openSqliteStore({ directory, clock: systemClock });
  const tokens = createTokens({ store, clock: systemClock });
  const enrolment = createEnrolment({ store, clock: systemClock });
  const made: Partial<Record<http.Role, string>> = {};
  for (const role of seed.roles ?? ['admin', 'operator', 'viewer', 'probe'])
    made[role] = (await tokens.create({ name: `${role}-1`, role })).token;
  for (const { gatewayId, publicKey } of seed.gateways ?? []) {
    const { token } = await enrolment.createToken({ gatewayId, ttlSeconds: 60 });
    await enrolment.enrol({ token, publicKey, fingerprint: 'machine-1' });
  }
  return made as Record<http.Role, string>;
}
