// `viworks backend`: the daemon, and the two commands that make secrets straight on its store.
import {
  type CommandSpec,
  configFile,
  configOption,
  createLogger,
  createNotifier,
  type Invocation,
  type LoadedConfig,
  loadConfig,
  runProgram,
} from '../runtime/index.ts';
import { composeBackend } from './compose.ts';
import { type BackendConfig, configSpec } from './config.ts';
import { secretCommands } from './secret-commands.ts';

/** Sessions are told to come back, what is written is flushed; nothing else may take longer. */
const DRAIN_MS = 10_000;

const CONFIG_OPTION = configOption('backend');

/** `viworks backend`. */
export const backendCommand: CommandSpec = {
  name: 'backend',
  summary: 'the backend agent: HTTP API, gateways’ WebSocket, storage',
  description: [
    'Runs until SIGTERM, which drains it: readiness off, listeners closed, gateways told to come back, writes flushed.',
    'The log level can be changed while it runs: PUT /api/v1/log-level with {"level":"debug"} and an admin token.',
  ].join('\n'),
  options: [CONFIG_OPTION, { flags: '--check', help: 'only judge the configuration, then end' }],
  examples: [
    { command: 'viworks backend --config /etc/viworks/backend.toml', does: 'run the backend' },
    { command: 'viworks backend --check', does: 'judge what the backend of this host would read' },
    {
      command: 'viworks backend token create --role operator --name alice',
      does: 'make a token and print it',
    },
  ],
  exitCodes: [
    { code: 0, means: 'ended as asked, or the configuration is good' },
    { code: 1, means: 'a listener, the store or the self-check failed' },
    { code: 64, means: 'the configuration or the arguments are wrong' },
    { code: 70, means: 'a bug' },
  ],
  subcommands: secretCommands(CONFIG_OPTION, loadBackendConfig),
  async run(invocation) {
    const { value: config, file } = await loadBackendConfig(invocation);
    if (invocation.options.check === true) {
      invocation.terminal.stdout.write(`the configuration is good: ${file}\n`);
      return 0;
    }
    const { clock, env, signal, terminal } = invocation;
    const logger = createLogger({ level: config.log_level, stream: terminal.stdout, name: 'viworks-backend' });
    const notifier = createNotifier(env);
    return runProgram({
      signal,
      clock,
      logger,
      notifier,
      drainMs: DRAIN_MS,
      compose: (scope, lifetime) =>
        composeBackend({ config, clock, logger, notifier, env, processMetrics: true }, scope, lifetime),
    });
  },
};

async function loadBackendConfig(invocation: Invocation): Promise<LoadedConfig<BackendConfig>> {
  const file = configFile(invocation.options.config, 'backend');
  const { schema, envPrefix } = configSpec;
  return loadConfig({
    schema,
    envPrefix,
    file,
    env: invocation.env,
    check: (value) => configSpec.check?.(value) ?? [],
  });
}
