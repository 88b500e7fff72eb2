// `viworks gateway`: the agent of a managed host. Reads the configuration, then hands over to the composition root.
import {
  type CommandSpec,
  configFile as configFileOf,
  configOption,
  createLogger,
  createNotifier,
  listenFds,
  loadConfig,
  runProgram,
} from '../runtime/index.ts';
import { composeGateway } from './compose.ts';
import { configSpec } from './config.ts';

const DRAIN_MS = 5_000; // tasks live on without the agent, so there is nothing to wait for but the goodbye

export const gatewayCommand: CommandSpec = {
  name: 'gateway',
  summary: 'the gateway agent of this host',
  description:
    'Dials out to the backend, runs the commands it is sent through viworks-launcher, and streams their output back. ' +
    'Accepts no control from outside; a small local API shows its health. Tasks survive its restart.',
  options: [configOption('gateway'), { flags: '--check', help: 'only validate the configuration' }],
  examples: [
    { command: 'viworks gateway --config /etc/viworks/gateway.toml', does: 'run it in the foreground' },
    { command: 'viworks gateway --check', does: 'validate what the gateway of this host would read' },
    { command: 'curl -s http://127.0.0.1:8443/api/v1/health', does: 'ask a running one how it is' },
  ],
  exitCodes: [
    { code: 0, means: 'ended as asked, or the configuration is good' },
    { code: 64, means: 'the configuration cannot work' },
    { code: 1, means: 'ended by a failure that a restart may heal' },
  ],
  async run(invocation) {
    const configFile = configFileOf(invocation.options.config, 'gateway');
    const { schema, envPrefix } = configSpec;
    const { value: config } = await loadConfig({
      schema,
      envPrefix,
      file: configFile,
      env: invocation.env,
      check: (value) => configSpec.check?.(value) ?? [],
    });
    if (invocation.options.check === true) {
      invocation.terminal.stdout.write(`the configuration is good: ${configFile}\n`);
      return 0;
    }
    const { clock, env } = invocation;
    const logger = createLogger({ level: config.log_level, stream: invocation.terminal.stdout, name: 'gateway' });
    const notifier = createNotifier(env);
    return runProgram({
      signal: invocation.signal,
      clock,
      logger,
      notifier,
      drainMs: DRAIN_MS,
      compose: (scope, lifetime) =>
        composeGateway(
          {
            config,
            configFile,
            clock,
            logger,
            notifier,
            credentialsDirectory: env.CREDENTIALS_DIRECTORY,
            localApiFd: listenFds(env, process.pid).get('local-api'),
            asked: invocation.signal,
          },
          scope,
          lifetime,
        ),
    });
  },
};
