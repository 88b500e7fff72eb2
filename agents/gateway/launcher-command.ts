// `viworks launcher`: validates its configuration, then becomes the perl program (same pid): perl can setsid, flock and check who asks.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import {
  assetFile,
  type CommandSpec,
  type ConfigComplaint,
  configFile,
  configOption,
  describe,
  loadConfig,
} from '../runtime/index.ts';
import { gatewayErrors } from './errors.ts';
import { type LauncherConfig, launcherConfigSpec } from './launcher-config.ts';

const PERL = '/usr/bin/perl';

export const launcherCommand: CommandSpec = {
  name: 'launcher',
  summary: 'starts the gateway’s tasks, outside of its sandbox',
  description:
    'Listens on a unix socket and starts each task at most once, in a group of its own. Its restart ends no task. ' +
    'After validation the process becomes perl (launcher.pl) with the same process id.',
  options: [configOption('launcher'), { flags: '--check', help: 'only validate the configuration' }],
  examples: [
    { command: 'viworks launcher --config /etc/viworks/launcher.toml', does: 'run it in the foreground' },
    { command: 'viworks launcher --check', does: 'validate what the launcher of this host would read' },
  ],
  exitCodes: [
    { code: 0, means: 'ended as asked, or the configuration is good' },
    { code: 64, means: 'the configuration cannot work' },
  ],
  async run(invocation) {
    const file = configFile(invocation.options.config, 'launcher');
    const { value } = await loadConfig({
      schema: launcherConfigSpec.schema,
      envPrefix: launcherConfigSpec.envPrefix,
      file,
      env: invocation.env,
      check: unknownUsers,
    });
    const script = assetFile('launcher.pl');
    for (const needed of [PERL, script]) {
      try {
        accessSync(needed, needed === PERL ? constants.X_OK : constants.R_OK);
      } catch (error) {
        throw gatewayErrors.create('VW_GATEWAY_NO_PERL', { file: needed, reason: describe(error) }, error);
      }
    }
    if (invocation.options.check === true) {
      invocation.terminal.stdout.write(`the configuration is good: ${file}\n`);
      return 0;
    }
    const argv = [PERL, script, '--socket', value.socket, '--tasks-dir', value.tasks_dir];
    if (value.agent_user !== '') argv.push('--agent-user', value.agent_user);
    if (value.task_user !== '') argv.push('--task-user', value.task_user);
    become(argv, invocation.env);
    return 70;
  },
};

// Node marks every inherited descriptor close-on-exec; NOTIFY_SOCKET stays in the environment, and launcher.pl dials it itself.
function become(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): void {
  const kept = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  delete kept.VIWORKS_NOTIFY_FD;
  process.execve?.(PERL, argv, kept);
}

function unknownUsers(value: LauncherConfig): ConfigComplaint[] {
  return (['agent_user', 'task_user'] as const).flatMap((key) => {
    const user = value[key];
    // getent asks every source of users that the system has; only its "not found" (2) is an answer.
    if (user === '' || spawnSync('/usr/bin/getent', ['passwd', user], { stdio: 'ignore' }).status !== 2) return [];
    const remedy = `create it (useradd --system ${user}) or correct ${key}`;
    return [{ path: [key], message: `there is no user ${user} on this host`, remedy }];
  });
}
