// `viworks tasks`: what ran, what runs, its output, and its end.
import { type CommandSpec, type Invocation, runtimeErrors } from '../../agents/runtime/index.ts';
import { CLIENT_EXIT_CODES, TARGET_OPTIONS } from '../api/options.ts';

const TASK = { name: 'task', help: 'the task’s id' } as const;
const JSON_OPTION = { flags: '--json', help: 'the answer of the API, as JSON' } as const;
const NOT_FOUND = { code: 1, means: 'there is no such task' } as const;

type Action = 'listTasks' | 'showTask' | 'followLogs' | 'cancelTask';

// The client is loaded by the command that runs, not by its help.
const action =
  (name: Action) =>
  async (invocation: Invocation): Promise<number> =>
    (await import('./actions.ts'))[name](invocation);

const listCommand: CommandSpec = {
  name: 'list',
  summary: 'the latest tasks, newest first',
  options: [
    { flags: '--gateway <id>', help: 'only those of this gateway' },
    { flags: '--state <state>', help: 'only those in this state, e.g. running' },
    { flags: '--limit <count>', help: 'at most this many', default: '20' },
    JSON_OPTION,
    ...TARGET_OPTIONS,
  ],
  examples: [{ command: 'viworks tasks list --state running', does: 'what is running now' }],
  exitCodes: [{ code: 0, means: 'shown' }, ...CLIENT_EXIT_CODES],
  run: action('listTasks'),
};

export const tasksCommand: CommandSpec = {
  name: 'tasks',
  summary: 'list, show, follow and cancel tasks',
  description: 'Tasks: one run of a command on one gateway. Without a subcommand: the latest ones.',
  options: listCommand.options,
  examples: [
    { command: 'viworks tasks', does: 'the latest tasks' },
    { command: 'viworks tasks show ID', does: 'one task, and how it ended' },
    { command: 'viworks tasks logs -f ID', does: 'its output from the first byte on, live' },
    { command: 'viworks tasks cancel ID', does: 'end it with its whole process tree' },
  ],
  exitCodes: [{ code: 0, means: 'done' }, NOT_FOUND, ...CLIENT_EXIT_CODES],
  subcommands: [
    listCommand,
    {
      name: 'show',
      summary: 'one task: what it is, where it is, how it ended',
      arguments: [TASK],
      options: [JSON_OPTION, ...TARGET_OPTIONS],
      examples: [{ command: 'viworks tasks show ID --json', does: 'everything the backend knows of it' }],
      exitCodes: [{ code: 0, means: 'shown' }, NOT_FOUND, ...CLIENT_EXIT_CODES],
      run: action('showTask'),
    },
    {
      name: 'logs',
      summary: 'its output, stdout and stderr apart, byte for byte',
      arguments: [TASK],
      options: [
        { flags: '-f, --follow', help: 'go on until the task ends' },
        { flags: '--json', help: 'print the events as JSON lines instead of the bytes' },
        ...TARGET_OPTIONS,
      ],
      examples: [
        { command: 'viworks tasks logs ID > out 2> err', does: 'what there is now' },
        { command: 'viworks tasks logs -f ID', does: 'live; Ctrl-C stops looking, not the task' },
      ],
      exitCodes: [
        { code: 0, means: 'shown' },
        NOT_FOUND,
        { code: 75, means: 'the backend went away and did not come back' },
        ...CLIENT_EXIT_CODES,
      ],
      run: action('followLogs'),
    },
    {
      name: 'cancel',
      summary: 'end a task with its whole process tree',
      arguments: [TASK],
      options: [
        { flags: '--grace <duration>', help: 'from the polite signal to the forced end (default: the task’s own)' },
        JSON_OPTION,
        ...TARGET_OPTIONS,
      ],
      examples: [{ command: 'viworks tasks cancel ID --grace 1s', does: 'forced after a second' }],
      exitCodes: [{ code: 0, means: 'asked for, or it had ended already' }, NOT_FOUND, ...CLIENT_EXIT_CODES],
      run: action('cancelTask'),
    },
  ],
  async run(invocation) {
    const [word] = invocation.args;
    if (word === undefined) return await action('listTasks')(invocation);
    throw runtimeErrors.create('VW_RUNTIME_USAGE', { problem: `there is no ${word}`, command: 'viworks tasks' });
  },
};
