// `viworks tasks`: what ran, what runs, its output, and its end.
import type { http } from '../../agents/protocol/index.ts';
import type { CommandSpec, Invocation } from '../../agents/runtime/index.ts';
import { CLIENT_EXIT_CODES, TARGET_OPTIONS } from '../api/options.ts';

const TASK = { name: 'task', help: 'the task’s id' } as const;
const JSON_OPTION = { flags: '--json', help: 'the answer of the API, as JSON' } as const;
const NOT_FOUND = { code: 1, means: 'there is no such task' } as const;

/** The protocol's states, spelled out: help must not load the protocol. */
export const TASK_STATES = [
  'queued',
  'sent',
  'accepted',
  'running',
  'finishing',
  'unknown',
  'finished',
] as const satisfies readonly http.TaskState[];

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
    { flags: '--state <state>', help: 'only those in this state', choices: TASK_STATES },
    { flags: '--limit <count>', help: 'at most this many, 1 to 500', default: '20' },
    JSON_OPTION,
    ...TARGET_OPTIONS,
  ],
  examples: [{ command: 'viworks tasks list --state running', does: 'what is running now' }],
  exitCodes: [{ code: 0, means: 'shown' }, { code: 1, means: 'there is no such gateway' }, ...CLIENT_EXIT_CODES],
  run: action('listTasks'),
};

export const tasksCommand: CommandSpec = {
  name: 'tasks',
  summary: 'list, show, follow and cancel tasks',
  description: 'A task is one run of a command on one gateway. Without a subcommand: the latest ones, newest first.',
  options: listCommand.options,
  examples: [
    { command: 'viworks tasks', does: 'the latest tasks' },
    { command: 'viworks tasks show ID', does: 'one task, and how it ended' },
    { command: 'viworks tasks logs -f ID', does: 'its output from the first byte on, live' },
    { command: 'viworks tasks cancel ID', does: 'end it with its whole process tree' },
  ],
  seeAlso: ['viworks run --detach', 'viworks gateways'],
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
        { command: 'viworks tasks logs -f ID', does: 'live; Ctrl-C stops following, not the task' },
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
        { flags: '--grace <duration>', help: 'time between SIGTERM and SIGKILL (default: the task’s own)' },
        JSON_OPTION,
        ...TARGET_OPTIONS,
      ],
      examples: [{ command: 'viworks tasks cancel ID --grace 1s', does: 'forced after a second' }],
      exitCodes: [{ code: 0, means: 'requested, or it had already ended' }, NOT_FOUND, ...CLIENT_EXIT_CODES],
      run: action('cancelTask'),
    },
  ],
  run: action('listTasks'),
};
