// `viworks config`: are these files right, and what does every key mean.
import type { CommandSpec, Invocation } from '../../agents/runtime/index.ts';

const NAMES = ['inventory', 'backend', 'gateway', 'launcher'] as const;
const KIND = {
  flags: '--kind <name>',
  help: 'what kind of file it is, when its name does not say',
  choices: NAMES,
} as const;

export const configCommand: CommandSpec = {
  name: 'config',
  summary: 'check configuration files and explain every key',
  examples: [
    { command: 'viworks config check viworks.toml', does: 'all problems at once, each with its place' },
    { command: 'viworks config explain backend', does: 'every key of backend.toml' },
  ],
  exitCodes: [
    { code: 0, means: 'right, or explained' },
    { code: 64, means: 'a file has problems, or there is no such file' },
  ],
  subcommands: [
    {
      name: 'check',
      summary: 'are these files right? All problems at once, as file:line:column',
      arguments: [{ name: 'file', help: 'configuration files of any kind', optional: true, variadic: true }],
      options: [{ flags: '-i, --inventory <file>', help: 'an inventory, whatever its name' }, KIND],
      examples: [
        { command: 'viworks config check /etc/viworks/*.toml', does: 'several files' },
        { command: 'viworks config check -i .lab/viworks.toml', does: 'an inventory' },
      ],
      exitCodes: [
        { code: 0, means: 'all are right' },
        { code: 64, means: 'at least one has problems' },
      ],
      run: async (invocation: Invocation) => (await import('./actions.ts')).checkFiles(invocation),
    },
    {
      name: 'explain',
      summary:
        'every key: type, default, variable, meaning; with --config also the value in force and where it came from',
      arguments: [{ name: 'kind', help: `${NAMES.join(', ')} (default: all of them)`, optional: true }],
      options: [
        { flags: '-c, --config <file>', help: 'show the values of this file, variables included' },
        { flags: '--json', help: 'as JSON' },
      ],
      examples: [
        { command: 'viworks config explain gateway', does: 'every key of gateway.toml' },
        { command: 'viworks config explain backend -c /etc/viworks/backend.toml', does: 'what is in force, and why' },
      ],
      exitCodes: [
        { code: 0, means: 'explained' },
        { code: 64, means: 'no such kind, or the file has problems' },
      ],
      run: async (invocation: Invocation) => (await import('./actions.ts')).explain(invocation),
    },
  ],
};
