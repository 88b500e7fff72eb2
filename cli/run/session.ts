// The life of one `viworks run`: send, show, cancel when asked to, and end as the task ended.
import type { IncomingMessage } from 'node:http';
import type { http } from '../../agents/protocol/index.ts';
import { backoffMs, errnoOf, type Invocation, resolveTarget, ViworksError } from '../../agents/runtime/index.ts';
import { type ApiClient, createClient } from '../api/client.ts';
import { followTask } from '../api/follow.ts';
import { cliErrors } from '../errors.ts';
import { createCancellation } from './cancellation.ts';
import { runEnding } from './exit-code.ts';
import { commandRequest, readStdin } from './request.ts';
import { writeThrough } from './sink.ts';
import { createViewer } from './viewer.ts';

/** How long the backend may stay away before the result is given up on (not the task: it goes on). */
const PATIENCE_MS = 60_000;
/** How long a command is sent again whose answer was lost; its idempotency key makes that harmless. */
const SEND_PATIENCE_MS = 10_000;
/** A command that nobody took for this long has somebody waiting who wants to know why. */
const QUEUED_MS = 2_000;
const RETRY = { baseMs: 100, capMs: 2_000, random: Math.random } as const;
/** 128 + SIGPIPE: what the program itself would have ended with here when its reader went away. */
const EXIT_BROKEN_PIPE = 141;
const EXIT_INTERRUPTED = 130;

/** Runs the command line; gives the exit code of the task, or one of RUN_EXIT_CODES. */
export async function runOnGateway(invocation: Invocation): Promise<number> {
  const stdin =
    invocation.options.stdin === true ? await readStdin(invocation.terminal.stdin, invocation.signal) : undefined;
  const request = commandRequest(invocation, stdin);
  const client = createClient(await resolveTarget(invocation.options, invocation.env));
  if (invocation.options.detach === true) return await detach(invocation, client, request);
  return await attach(invocation, client, request);
}

async function detach(invocation: Invocation, client: ApiClient, request: http.CommandRequest): Promise<number> {
  const answer = await sent(invocation, (headers) =>
    client.json<http.CommandBody>({ method: 'POST', path: '/api/v1/commands', body: request, headers }),
  );
  const json = invocation.options.json === true;
  const text = json ? JSON.stringify(answer) : answer.tasks.map((task) => task.taskId).join('\n');
  await writeThrough(invocation.terminal.stdout, `${text}\n`);
  return 0;
}

async function attach(invocation: Invocation, client: ApiClient, request: http.CommandRequest): Promise<number> {
  const { clock, signal } = invocation;
  const first: IncomingMessage = await sent(invocation, (headers) =>
    client.open({
      method: 'POST',
      path: '/api/v1/commands',
      body: request,
      headers: { ...headers, accept: 'text/event-stream' },
    }),
  );
  // Following goes on after Ctrl-C, since the result of the cancellation is waited for; only leaving ends it.
  const leaving = invocation.leaving ?? new AbortController().signal;
  const viewer = createViewer(invocation.terminal, invocation.options.json === true);
  const cancellation = createCancellation({ client, clock, signal, leaving, terminal: invocation.terminal });
  const queued = clock.after(QUEUED_MS, () =>
    viewer.waiting(
      `${invocation.args[0] ?? 'the gateway'} has not taken the command; waiting for it, up to --ttl (viworks gateways)`,
    ),
  );
  try {
    for await (const event of followTask({ client, clock, signal: leaving, first, patienceMs: PATIENCE_MS })) {
      if (event.kind === 'command') cancellation.aim(event.command.tasks[0]?.taskId);
      else if (event.kind !== 'state' || event.state !== 'queued') queued.cancel();
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
    queued.cancel();
    cancellation.close();
  }
  throw cliErrors.create('VW_CLI_RESULT_NOT_SEEN', { task: '', seconds: 0 });
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

function interruptCode(signal: AbortSignal): number {
  const reason: unknown = signal.reason;
  const name = reason instanceof ViworksError ? reason.detail.signal : undefined;
  return name === 'SIGTERM' ? 143 : name === 'SIGHUP' ? 129 : EXIT_INTERRUPTED;
}
