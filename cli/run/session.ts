// The life of one `viworks run`: send, show, cancel when asked to, and end as the task ended.
import type { IncomingMessage } from 'node:http';
import type { http } from '../../agents/protocol/index.ts';
import {
  backoffMs,
  errnoOf,
  type Invocation,
  interruptCode,
  resolveTarget,
  ViworksError,
} from '../../agents/runtime/index.ts';
import { type ApiClient, createClient, noticeOn } from '../api/client.ts';
import { followTask } from '../api/follow.ts';
import { cliErrors } from '../errors.ts';
import { createCancellation } from './cancellation.ts';
import { runEnding } from './exit-code.ts';
import { commandRequest, readStdin } from './request.ts';
import { writeThrough } from './sink.ts';
import { createViewer } from './viewer.ts';
import { describeWait } from './waiting.ts';

/** How long the backend may stay away before the result is given up on (not the task: it goes on). */
const PATIENCE_MS = 60_000;
/** How long a command is sent again whose answer was lost; its idempotency key makes that harmless. */
const SEND_PATIENCE_MS = 10_000;
/** A gateway that is there takes a command in milliseconds; later, somebody waits who wants to know why. */
const QUEUED_MS = 400;
/** How long `--detach` waits for the start; a gateway that is there has answered by then. */
const STARTED_MS = 3_000;
const RETRY = { baseMs: 100, capMs: 2_000, random: Math.random } as const;
/** 128 + SIGPIPE: what the program itself would have ended with here when its reader went away. */
const EXIT_BROKEN_PIPE = 141;

/** Runs the command line; gives the exit code of the task, or one of RUN_EXIT_CODES. */
export async function runOnGateway(invocation: Invocation): Promise<number> {
  const stdin =
    invocation.options.stdin === true ? await readStdin(invocation.terminal.stdin, invocation.signal) : undefined;
  const request = commandRequest(invocation, stdin);
  const target = await resolveTarget(invocation.options, invocation.env);
  const client = createClient(target, noticeOn(invocation.terminal));
  if (invocation.options.detach === true) return await detach(invocation, client, request);
  return await attach(invocation, client, request);
}

// The id is printed as soon as there is one; then the start is waited for, so that a refusal is not taken for success.
async function detach(invocation: Invocation, client: ApiClient, request: http.CommandRequest): Promise<number> {
  const { clock, signal, terminal, options } = invocation;
  const first = await openStream(invocation, client, request);
  const viewer = createViewer(terminal, options.json === true);
  const enough = new AbortController();
  let command: http.CommandBody | undefined;
  let known: http.GatewayBody | undefined;
  // A gateway that is not there will not be there in three seconds either.
  const look = async (): Promise<void> => {
    const [task] = command?.tasks ?? [];
    known = task && (await stateOf(client, task, signal));
    if (known !== undefined && known.state !== 'connected') enough.abort();
  };
  const timers = [clock.after(QUEUED_MS, () => void look()), clock.after(STARTED_MS, () => enough.abort())];
  let end: http.TaskEnd | undefined;
  try {
    const following = AbortSignal.any([signal, enough.signal]);
    following.addEventListener('abort', () => first.destroy());
    for await (const event of followTask({ client, clock, signal: following, first, patienceMs: STARTED_MS })) {
      if (event.kind === 'command') {
        command = event.command;
        // At once: whoever leaves in the middle of the wait needs it all the more.
        const text = options.json === true ? JSON.stringify(command) : idsOf(command);
        await writeThrough(terminal.stdout, `${text}\n`);
      }
      const state = event.kind === 'command' ? event.command.tasks[0]?.state : event.kind === 'state' && event.state;
      if (event.kind === 'exit') end = event.task.end;
      if (event.kind === 'exit' || event.kind === 'output' || state === 'running') break;
    }
  } catch (error) {
    if (signal.aborted && command === undefined) tellLeftEarly(terminal);
    if (signal.aborted || !enough.signal.aborted) throw error;
    if (command === undefined) throw unnamed(client);
    const [task] = command.tasks;
    if (task) viewer.note(`not started yet: ${describeWait(task, known)}`);
  } finally {
    for (const timer of timers) timer.cancel();
  }
  if (end === undefined || !NEVER_RAN.has(end.outcome)) return 0;
  const { code, note } = runEnding(end, undefined);
  if (note !== undefined) viewer.note(note);
  return code;
}

// The backend took it and does not say as what: it is not known whether it runs.
function unnamed({ target }: ApiClient): ViworksError {
  const reason = `it took the command and did not name its task within ${STARTED_MS / 1000} s; it may still run: viworks tasks`;
  return cliErrors.create('VW_CLI_UNREACHABLE', { url: target.url.origin, reason });
}

const NEVER_RAN: ReadonlySet<http.TaskEnd['outcome']> = new Set(['refused', 'expired', 'cancelled_before_start']);

function idsOf(command: http.CommandBody): string {
  return command.tasks.map((task) => task.taskId).join('\n');
}

async function attach(invocation: Invocation, client: ApiClient, request: http.CommandRequest): Promise<number> {
  const { clock, signal } = invocation;
  const first = await openStream(invocation, client, request);
  // Following goes on after Ctrl-C, since the result of the cancellation is waited for; only leaving ends it.
  const leaving = invocation.leaving ?? new AbortController().signal;
  const viewer = createViewer(invocation.terminal, invocation.options.json === true);
  const cancellation = createCancellation({ client, clock, signal, leaving, terminal: invocation.terminal });
  let task: http.TaskBody | undefined;
  let queued = true;
  const tellWait = async (): Promise<void> => {
    const known = task && (await stateOf(client, task, leaving));
    if (task && queued && !signal.aborted) viewer.note(describeWait(task, known));
  };
  const timer = clock.after(QUEUED_MS, () => void tellWait());
  try {
    for await (const event of followTask({ client, clock, signal: leaving, first, patienceMs: PATIENCE_MS })) {
      if (event.kind === 'command') {
        [task] = event.command.tasks;
        cancellation.aim(task?.taskId);
        queued = task?.state === 'queued' || task?.state === 'sent';
      } else queued &&= event.kind === 'state' && (event.state === 'queued' || event.state === 'sent');
      if (!queued) timer.cancel();
      await viewer.show(event);
      if (event.kind !== 'exit') continue;
      const ending = runEnding(event.task.end, signal.aborted ? interruptCode(signal) : undefined);
      if (ending.note !== undefined) viewer.note(ending.note);
      return ending.code;
    }
  } catch (error) {
    if (!(error instanceof ViworksError) || error.code !== 'VW_CLI_BROKEN_PIPE') throw error;
    await cancellation.cancel();
    return EXIT_BROKEN_PIPE;
  } finally {
    timer.cancel();
    cancellation.close();
  }
  throw cliErrors.create('VW_CLI_RESULT_NOT_SEEN', { task: '', seconds: 0 });
}

// Only for a word to the operator: what cannot be known is left out of it.
async function stateOf(
  client: ApiClient,
  task: http.TaskBody,
  signal: AbortSignal,
): Promise<http.GatewayBody | undefined> {
  const path = `/api/v1/gateways/${encodeURIComponent(task.gatewayId)}`;
  return client.json<http.GatewayBody>({ method: 'GET', path, signal }).catch(() => undefined);
}

// An interrupt ends the wait for the answer; once there is one, the stream outlives it, since the cancellation is to be seen.
async function openStream(
  invocation: Invocation,
  client: ApiClient,
  request: http.CommandRequest,
): Promise<IncomingMessage> {
  const { signal, terminal } = invocation;
  const opening = new AbortController();
  const stop = (): void => opening.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await sent(invocation, (headers) =>
      client.open({
        method: 'POST',
        path: '/api/v1/commands',
        body: request,
        headers: { ...headers, accept: 'text/event-stream' },
        signal: opening.signal,
      }),
    );
  } catch (error) {
    if (signal.aborted) tellLeftEarly(terminal);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function tellLeftEarly({ stderr }: Invocation['terminal']): void {
  stderr.write('viworks: left before there was an answer; it may still run: viworks tasks\n');
}

// Tried again when the answer was lost on the way, with the same key, so that the command is made once.
async function sent<T>(invocation: Invocation, send: (headers: Record<string, string>) => Promise<T>): Promise<T> {
  const { clock, signal } = invocation;
  const began = clock.monotonicMs();
  const headers = { 'idempotency-key': uniqueKey(began) };
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await send(headers);
    } catch (error) {
      if (!(error instanceof ViworksError)) throw error;
      if (error.code === 'VW_CLI_REFUSED') {
        throw cliErrors.create('VW_CLI_NOT_STARTED', error.detail, error);
      }
      const over = clock.monotonicMs() - began > SEND_PATIENCE_MS;
      if (error.code !== 'VW_CLI_UNREACHABLE' || neverArrived(error) || over) throw error;
    }
    await clock.sleep(backoffMs(attempt, RETRY), signal);
  }
}

// Unique is enough, nobody has to be kept from guessing it: loading node:crypto for it would cost as much as the whole request.
function uniqueKey(moment: number): string {
  const part = (): string => Math.random().toString(36).slice(2).padEnd(11, '0');
  return `run-${process.pid.toString(36)}-${Math.round(moment * 1000).toString(36)}-${part()}${part()}`;
}

// Nobody listens or the name is unknown: an operator is told at once rather than after ten seconds.
function neverArrived(error: ViworksError): boolean {
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(errnoOf(error.cause) ?? '');
}
