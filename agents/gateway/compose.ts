// The composition root of the gateway agent: opens every part in order, joins them, and says which loops run.
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { CLOSE } from '../protocol/index.ts';
import {
  BUILD,
  type Clock,
  describe,
  fromUnknown,
  type Lifetime,
  type Logger,
  type Loop,
  type Notifier,
  type ProgramParts,
  type Scope,
  type ViworksError,
} from '../runtime/index.ts';
import type { GatewayConfig } from './config.ts';
import { gatewayErrors } from './errors.ts';
import { ensureEnrolled, findToken, requireEnrolment } from './identity/enrolment.ts';
import { markEnrolled, openIdentity, readMachine } from './identity/identity.ts';
import { openJournal } from './journal/journal.ts';
import { lockDirectory } from './journal/lock.ts';
import { createLinkClient, type LinkClient } from './link/client.ts';
import { type GatewaySnapshot, healthOf, metricsOf } from './local-api/health.ts';
import { renderMetrics } from './local-api/metrics.ts';
import { openLocalApi } from './local-api/server.ts';
import { MESSAGES } from './messages.ts';
import { createExecutor } from './tasks/executor.ts';
import { createLauncher } from './tasks/launcher-client.ts';
import { createLauncherWatch, type LauncherWatch } from './tasks/launcher-watch.ts';
import { enabledVerbs, offeredVerbs } from './tasks/verbs.ts';
import { createSampler } from './telemetry/sampler.ts';

/** What the root is given by the command. */
export interface ComposeOptions {
  readonly config: GatewayConfig;
  readonly configFile: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly notifier: Notifier;
  readonly credentialsDirectory: string | undefined;
  /** A socket for the local API that the service manager opened. */
  readonly localApiFd: number | undefined;
  /** Aborted when the program is asked to end, also while parts are still being opened. */
  readonly asked: AbortSignal;
}

const NOT_KNOWN: ReadonlySet<number> = new Set([CLOSE.not_enrolled.code, CLOSE.bad_signature.code]);
const REVIEW_MS = 1_000; // the slow look for what no event told
const LAUNCHER_PING_MS = 5_000; // how soon health tells that nothing can be started
const LAUNCHER_RETRY_MS = 500;
const LAG_RESOLUTION_MS = 100;

/** Opens everything; READY is said once the journal is open, the past is cleared up and the launcher has answered. */
export async function composeGateway(options: ComposeOptions, scope: Scope, lifetime: Lifetime): Promise<ProgramParts> {
  const { config, clock, logger, notifier, asked } = options;
  const startedAt = clock.now();
  const ca = config.trust_file === undefined ? undefined : await readTrust(config.trust_file, asked);
  scope.use('state lock', await lockDirectory(config.state_dir, asked));
  const machine = await readMachine(asked);
  const identity = await openIdentity({ stateDir: config.state_dir, gatewayId: config.gateway_id }, asked);
  const credentials = { configured: config.enrolment_token_file, credentialsDirectory: options.credentialsDirectory };
  const tokenFile = identity.enrolled ? undefined : await findToken(credentials, asked);
  requireEnrolment({ identity, tokenFile, configFile: options.configFile });
  const journalDir = join(config.state_dir, 'journal');
  const journal = scope.use(
    'journal',
    await openJournal({ dir: journalDir, bootId: machine.bootId, clock, logger, signal: asked }),
  );

  const launcher = createLauncher({ socketPath: config.launcher_socket, clock });
  const watch = createLauncherWatch({ launcher, clock, logger, tasksDir: config.tasks_dir });

  const verbs = enabledVerbs(config.verbs.enabled);
  const executor = createExecutor({
    clock,
    logger,
    journal,
    launcher,
    link: {
      send: (frame) => link.send(frame),
      pump: () => link.pump(),
      violation: (message) => link.violation(message),
    },
    tasksDir: config.tasks_dir,
    verbs,
    policy: config.policy,
    maxConcurrent: config.max_concurrent_tasks,
    spoolCapBytes: config.spool_cap_bytes,
    stopping: lifetime.stopping,
  });
  let enrolmentRefusal: ViworksError | undefined;
  const link: LinkClient = createLinkClient({
    clock,
    logger,
    url: config.url,
    ca,
    random: Math.random,
    async prepare(signal) {
      const { url, state_dir: stateDir } = config;
      const { fingerprint } = machine;
      const { configFile } = options;
      enrolmentRefusal = await ensureEnrolled(
        { clock, logger, url, ca, identity, fingerprint, stateDir, tokenFile, configFile, random: Math.random },
        signal,
      );
    },
    refused(code) {
      if (enrolmentRefusal && NOT_KNOWN.has(code)) throw enrolmentRefusal;
    },
    sign: (text) => identity.sign(text),
    helloBody: () => ({
      gatewayId: config.gateway_id,
      incarnation: journal.ledger.incarnation,
      bootId: machine.bootId,
      fingerprint: machine.fingerprint,
      version: BUILD.version,
      revision: BUILD.revision,
      labels: config.labels,
      verbs: offeredVerbs(verbs),
      kernel: { cgroup: watch.abilities.cgroup, subreaper: watch.abilities.subreaper, limits: [] },
      maxConcurrentTasks: config.max_concurrent_tasks,
      tasks: executor.helloTasks(),
    }),
    opened(welcome) {
      // The token was used by an earlier start of this agent, which could not write it down.
      if (enrolmentRefusal) void markEnrolled(config.state_dir, clock.now(), lifetime.stopping).catch(() => undefined);
      enrolmentRefusal = undefined;
      executor.opened(welcome);
    },
    closed: () => executor.closed(),
    work: (frame) => executor.receive(frame),
    next: () => executor.nextOutput(),
    status: (text) => notifier.status(text),
  });

  const sampler = createSampler({
    clock,
    diskPath: dirname(config.tasks_dir),
    tasks: () => executor.counts(),
    taken: (sample) => {
      if (link.status().up) link.send({ type: 'telemetry.samples', samples: [sample] });
    },
  });
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  scope.add('loop lag', () => void lag.disable());
  const snapshot = (): GatewaySnapshot => ({
    now: clock.now(),
    startedAt,
    ...BUILD,
    releaseId: config.release_id,
    link: link.status(),
    launcher: watch.launcher,
    spool: watch.spool,
    journal,
    tasks: executor.counts(),
    sample: sampler.last,
    resources: {
      rssBytes: process.memoryUsage.rss(),
      loopLagMs: Math.max(0, lag.percentile(99) / 1e6 - LAG_RESOLUTION_MS),
      openFiles: readdirSync('/proc/self/fd').length,
    },
  });
  // Before the launcher is asked: while this agent waits for it, its health says so.
  const api = scope.use(
    'local API',
    await openLocalApi(
      {
        ...config.local_api,
        fd: options.localApiFd,
        logger,
        health: () => healthOf(snapshot()),
        metrics: () => renderMetrics(metricsOf(snapshot())),
      },
      asked,
    ),
  );
  logger.info(MESSAGES.apiListening, { bind: config.local_api.bind, port: api.port });

  await launcherAnswers({ config, clock, logger, notifier, watch }, asked);
  await executor.recover(asked);
  logger.info(MESSAGES.ready, {
    gateway: config.gateway_id,
    incarnation: journal.ledger.incarnation,
    cgroup: watch.abilities.cgroup,
    tasks: executor.counts().running,
  });
  notifier.ready(`connecting to ${config.url}`);

  const every = (name: string, ms: number, step: (signal: AbortSignal) => Promise<void>): Loop => ({
    name,
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(ms, signal);
        await step(signal);
      }
    },
  });
  return {
    loops: [
      { name: 'link', run: (signal) => link.run(signal) },
      { name: 'telemetry', run: (signal) => sampler.run(signal) },
      every('review', REVIEW_MS, (signal) => executor.review(signal)),
      every('launcher', LAUNCHER_PING_MS, (signal) => watch.ping(signal).catch(() => signal.throwIfAborted())),
    ],
    async drain() {
      logger.info(MESSAGES.draining, { running: executor.counts().running });
      executor.drain();
      link.goodbye();
    },
  };
}

async function readTrust(file: string, signal: AbortSignal): Promise<string> {
  const text = await readFile(file, { encoding: 'utf8', signal }).catch((error: unknown) => {
    throw gatewayErrors.create('VW_GATEWAY_TRUST_UNREADABLE', { file, reason: describe(error) }, error);
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw gatewayErrors.create('VW_GATEWAY_TRUST_UNREADABLE', { file, reason: 'it holds no PEM certificate' });
}

// Each part may start first: a launcher that is not there yet is waited for; one that refuses us will not change its mind.
async function launcherAnswers(
  deps: {
    readonly config: GatewayConfig;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly notifier: Notifier;
    readonly watch: LauncherWatch;
  },
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await deps.watch.ping(signal);
      break;
    } catch (error) {
      signal.throwIfAborted();
      const failure = fromUnknown(error);
      if (failure.retry === 'never') throw failure;
      if (attempt === 0) deps.logger.failure(MESSAGES.launcherAwaited, failure);
      deps.notifier.status(`waiting for the launcher on ${deps.config.launcher_socket}`);
      await deps.clock.sleep(LAUNCHER_RETRY_MS, signal);
    }
  }
  const theirs = deps.watch.abilities.tasksDir;
  if (theirs === deps.config.tasks_dir) return;
  throw gatewayErrors.create('VW_GATEWAY_LAUNCHER_MISMATCH', { theirs, ours: deps.config.tasks_dir });
}
