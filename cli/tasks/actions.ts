// What the subcommands of `viworks tasks` do: one call each, or the resumable stream.
import type { http } from '../../agents/protocol/index.ts';
import { type Invocation, resolveTarget, runtimeErrors, ViworksError } from '../../agents/runtime/index.ts';
import { type ApiClient, createClient, noticeOn } from '../api/client.ts';
import { followTask } from '../api/follow.ts';
import { parseDuration } from '../duration.ts';
import { cliErrors } from '../errors.ts';
import { knownGateway } from '../gateways/command.ts';
import { createViewer } from '../run/viewer.ts';
import { renderTask, renderTasks } from './render.ts';

/** The API gives no more at once. */
const MAX_LIMIT = 500;
/** Followed streams wait this long for a backend that went away. */
const PATIENCE_MS = 60_000;

export async function listTasks(invocation: Invocation): Promise<number> {
  const { options, clock } = invocation;
  const query = new URLSearchParams();
  for (const key of ['gateway', 'state', 'limit']) {
    const value = options[key];
    if (typeof value === 'string') query.set(key, value);
  }
  const limit = query.get('limit') ?? '20';
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > MAX_LIMIT)
    throw usage(`--limit: ${JSON.stringify(limit)} is not a number from 1 to ${MAX_LIMIT}`);
  const client = await connect(invocation);
  const list = await client.json<{ tasks: readonly http.TaskBody[] }>({
    method: 'GET',
    path: `/api/v1/tasks?${query}`,
    signal: invocation.signal,
  });
  const { gateway, state } = options;
  if (list.tasks.length === 0 && typeof gateway === 'string') await knownGateway(client, gateway, invocation.signal);
  const filtered = [gateway && ` of ${gateway}`, state && ` in state ${state}`].filter(Boolean).join('');
  print(invocation, list, () => renderTasks(list.tasks, clock.now(), filtered));
  return 0;
}

export async function showTask(invocation: Invocation): Promise<number> {
  const client = await connect(invocation);
  const task = await knownTask(invocation, (path) =>
    client.json<http.TaskBody>({ method: 'GET', path, signal: invocation.signal }),
  );
  print(invocation, task, () => renderTask(task, invocation.clock.now()));
  return 0;
}

export async function followLogs(invocation: Invocation): Promise<number> {
  const { options, clock, signal, terminal } = invocation;
  const client = await connect(invocation);
  const [taskId = ''] = invocation.args;
  // Asked for first, so that an unknown id is told before the stream is opened.
  await knownTask(invocation, (path) => client.json<http.TaskBody>({ method: 'GET', path, signal }));
  const viewer = createViewer(terminal, options.json === true);
  const follow = options.follow === true;
  for await (const event of followTask({ client, clock, signal, taskId, follow, patienceMs: PATIENCE_MS })) {
    await viewer.show(event);
  }
  return 0;
}

export async function cancelTask(invocation: Invocation): Promise<number> {
  const { grace } = invocation.options;
  const body =
    typeof grace === 'string'
      ? { graceMs: parseDuration(grace, { flag: '--grace', command: 'viworks tasks cancel' }) }
      : {};
  const client = await connect(invocation);
  const answer = await knownTask(invocation, (path) =>
    client.json<{ result: string; task: http.TaskBody }>({
      method: 'POST',
      path: `${path}/cancel`,
      body,
      signal: invocation.signal,
    }),
  );
  const said: Readonly<Record<string, string>> = {
    requested: `asked to end; watch it with: viworks tasks show ${answer.task.taskId}`,
    already_finished: 'had ended already',
    cancelled_before_start: 'will not be started',
  };
  print(invocation, answer, () => `${answer.task.taskId} ${said[answer.result] ?? answer.result}\n`);
  return 0;
}

async function connect(invocation: Invocation): Promise<ApiClient> {
  return createClient(await resolveTarget(invocation.options, invocation.env), noticeOn(invocation.terminal));
}

async function knownTask<T>(invocation: Invocation, call: (path: string) => Promise<T>): Promise<T> {
  const [task = ''] = invocation.args;
  try {
    return await call(`/api/v1/tasks/${encodeURIComponent(task)}`);
  } catch (error) {
    const unknown = error instanceof ViworksError && error.code === 'VW_CLI_REFUSED' && error.detail.status === 404;
    throw unknown ? cliErrors.create('VW_CLI_UNKNOWN_TASK', { task }, error) : error;
  }
}

function print(invocation: Invocation, value: unknown, render: () => string): void {
  invocation.terminal.stdout.write(invocation.options.json === true ? `${JSON.stringify(value)}\n` : render());
}

function usage(problem: string): Error {
  return runtimeErrors.create('VW_RUNTIME_USAGE', { problem, command: 'viworks tasks' });
}
