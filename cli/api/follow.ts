// One task's events, from the first byte to its end, over as many connections as it takes. Offsets make it exact:
// what was seen is never given again, and nothing is skipped without a gap saying so.
import type { IncomingMessage } from 'node:http';
import type { http, StreamName } from '../../agents/protocol/index.ts';
import { createEventParser, type ServerEvent } from '../../agents/protocol/index.ts';
import { backoffMs, type Clock, fromUnknown } from '../../agents/runtime/index.ts';
import { cliErrors } from '../errors.ts';
import { type ApiClient, connectionError } from './client.ts';

/** What a viewer of a task is told. */
export type TaskEvent =
  | { readonly kind: 'command'; readonly command: http.CommandBody }
  | { readonly kind: 'output'; readonly stream: StreamName; readonly offset: number; readonly bytes: Buffer }
  | {
      readonly kind: 'gap';
      readonly stream: StreamName;
      readonly from: number;
      readonly to: number;
      readonly reason: string;
    }
  | { readonly kind: 'state'; readonly state: http.TaskState }
  | { readonly kind: 'exit'; readonly task: http.TaskBody }
  | { readonly kind: 'interrupted'; readonly reason: string }
  | { readonly kind: 'resumed' };

/** How to begin and how long to try. */
export interface FollowOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The response of POST /commands, or the id of a task that exists already. */
  readonly first?: IncomingMessage | undefined;
  readonly taskId?: string | undefined;
  readonly from?: Readonly<Record<StreamName, number>> | undefined;
  /** false: only what is there now. */
  readonly follow?: boolean | undefined;
  /** Given up after this long without a connection. */
  readonly patienceMs: number;
}

const RECONNECT = { baseMs: 100, capMs: 2_000, random: Math.random } as const;

/** Yields until `exit` (or, without `follow`, until the server ends the answer). Throws when the backend stays away. */
export async function* followTask(options: FollowOptions): AsyncGenerator<TaskEvent, void, void> {
  const seen: Record<StreamName, number> = { out: 0, err: 0, ...options.from };
  let taskId = options.taskId;
  let response = options.first;
  let attempt = 0;
  // When contact was lost, counted from the break and not from the last event: a task may be silent for hours.
  let lostAt: number | undefined;
  const alive = (): void => {
    lostAt = undefined;
    attempt = 0;
  };
  let broken = false;
  for (;;) {
    options.signal.throwIfAborted();
    try {
      if (!response) {
        if (taskId === undefined)
          throw cliErrors.create('VW_CLI_UNREACHABLE', {
            url: options.client.target.url.origin,
            reason: 'the connection broke before the command was known',
          });
        response = await openOutput(options, taskId, seen);
      }
      for await (const event of taskEvents(response, { client: options.client, seen, alive })) {
        if (broken) {
          broken = false;
          yield { kind: 'resumed' };
        }
        if (event.kind === 'command') taskId = event.command.tasks[0]?.taskId ?? taskId;
        yield event;
        if (event.kind === 'exit') return;
      }
      if (options.follow === false) return;
      throw connectionError(new Error('the stream ended early'), options.client.target);
    } catch (error) {
      options.signal.throwIfAborted();
      const failure = fromUnknown(error);
      if (failure.retry !== 'later' || taskId === undefined) throw failure;
      if (!broken) yield { kind: 'interrupted', reason: failure.message };
      broken = true;
      lostAt ??= options.clock.monotonicMs();
      if (options.clock.monotonicMs() - lostAt > options.patienceMs) {
        const seconds = Math.round(options.patienceMs / 1000);
        throw cliErrors.create('VW_CLI_RESULT_NOT_SEEN', { task: taskId, seconds }, failure);
      }
    } finally {
      response?.destroy();
      response = undefined;
    }
    await options.clock.sleep(backoffMs(attempt++, RECONNECT), options.signal);
  }
}

function openOutput(
  options: FollowOptions,
  taskId: string,
  seen: Record<StreamName, number>,
): Promise<IncomingMessage> {
  const query = `out=${seen.out}&err=${seen.err}&follow=${options.follow === false ? 0 : 1}`;
  return options.client.open({
    method: 'GET',
    path: `/api/v1/tasks/${encodeURIComponent(taskId)}/output?${query}`,
    headers: { accept: 'text/event-stream' },
    signal: options.signal,
  });
}

async function* taskEvents(
  response: IncomingMessage,
  options: { client: ApiClient; seen: Record<StreamName, number>; alive: () => void },
): AsyncGenerator<TaskEvent, void, void> {
  const parser = createEventParser();
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      options.alive();
      for (const event of parser.push(chunk)) {
        const known = understand(event, options.seen);
        if (known) yield known;
      }
    }
  } catch (error) {
    throw error instanceof Error && error.name === 'ViworksError'
      ? error
      : connectionError(error, options.client.target);
  }
}

/** One server event as a task event; advances `seen`. Undefined for repeats and for events of a newer server. */
export function understand(event: ServerEvent, seen: Record<StreamName, number>): TaskEvent | undefined {
  switch (event.name) {
    case 'command':
      return { kind: 'command', command: JSON.parse(event.data) as http.CommandBody };
    case 'state':
      return { kind: 'state', state: (JSON.parse(event.data) as { state: http.TaskState }).state };
    case 'exit':
      return { kind: 'exit', task: (JSON.parse(event.data) as { task: http.TaskBody }).task };
    case 'gap':
      return gap(JSON.parse(event.data) as Gap, seen);
    case 'output':
      return output(JSON.parse(event.data) as Output, seen);
    default:
      return undefined;
  }
}

interface Gap {
  readonly stream: StreamName;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

interface Output {
  readonly stream: StreamName;
  readonly offset: number;
  readonly data: string;
}

function gap(data: Gap, seen: Record<StreamName, number>): TaskEvent | undefined {
  if (data.to <= seen[data.stream]) return undefined;
  const from = Math.max(data.from, seen[data.stream]);
  seen[data.stream] = data.to;
  return { kind: 'gap', stream: data.stream, from, to: data.to, reason: data.reason };
}

function output(data: Output, seen: Record<StreamName, number>): TaskEvent | undefined {
  const bytes = Buffer.from(data.data, 'base64');
  const have = seen[data.stream];
  const end = data.offset + bytes.length;
  if (end <= have) return undefined;
  if (data.offset > have) {
    // Never shown as if it were whole: the stream is asked for again from what we have.
    const reason = `${data.stream} jumped from byte ${have} to ${data.offset}`;
    throw cliErrors.create('VW_CLI_STREAM_HOLE', { reason });
  }
  seen[data.stream] = end;
  return { kind: 'output', stream: data.stream, offset: have, bytes: bytes.subarray(have - data.offset) };
}
