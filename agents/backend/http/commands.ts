// POST and GET of commands. With `Accept: text/event-stream` the answer to a new command is its live output.
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { BUILT_IN_VERBS, http, limits } from '../../protocol/index.ts';
import type { CreatedCommand, NewCommand } from '../commands/engine.ts';
import { viewTask } from '../commands/viewer.ts';
import { backendErrors } from '../errors.ts';
import { demandRole } from '../identity/tokens.ts';
import { MESSAGES } from '../messages.ts';
import { toCommandBody, toTaskBody } from './bodies.ts';
import { type App, callerOf, type HttpDeps, requires } from './context.ts';
import { openEventStream } from './stream.ts';

type Request = z.output<typeof http.commandRequest>;

/** A run frame is one frame; what is left for its other fields is plenty. */
const MAX_WORK_BYTES = limits.MAX_FRAME_BYTES - 16_384;

/** What a probe's canary may print, and may be given, in bytes: what the deployer asks for, several packets and less than a credit. */
const PROBE_BYTES = 65_536;
/** How long a probe's canary may wait and run, in ms: it must not pile up for a gateway that is away. */
const PROBE_MS = 30_000;

/** Registers the routes. */
export function commandRoutes(app: App, deps: HttpDeps): void {
  app.post(
    '/api/v1/commands',
    {
      schema: {
        summary: 'run a verb on gateways',
        body: http.commandRequest,
        headers: z.object({ 'idempotency-key': z.string().min(1).max(255).optional(), accept: z.string().optional() }),
        response: { 200: http.commandBody, 201: http.commandBody },
      },
      onRequest: requires(deps, 'probe'),
    },
    async (request, reply) => {
      if (!isProbesCanary(request.body)) demandRole(callerOf(request), 'operator');
      if (deps.draining.aborted) throw backendErrors.create('VW_BACKEND_DRAINING');
      const wanted = toNewCommand(deps, request.body, {
        caller: callerOf(request),
        key: request.headers['idempotency-key'],
      });
      const created = await deps.engine.create(wanted);
      if (wantsStream(request)) {
        await streamCommand(deps, reply, created);
        return reply;
      }
      await created.durable;
      const tasks = created.tasks.map((task) => deps.engine.current(task));
      return reply.code(created.created ? 201 : 200).send(toCommandBody(created.command, tasks));
    },
  );

  app.get(
    '/api/v1/commands/:commandId',
    {
      schema: {
        summary: 'one command',
        params: z.object({ commandId: z.string() }),
        response: { 200: http.commandBody },
      },
      onRequest: requires(deps, 'viewer'),
    },
    async (request) => {
      const { commandId } = request.params;
      const found = await deps.store.command(commandId);
      if (!found) throw backendErrors.create('VW_BACKEND_NOT_FOUND', { what: 'command', id: commandId, list: 'tasks' });
      return toCommandBody(
        found.command,
        found.tasks.map((task) => deps.engine.current(task)),
      );
    },
  );
}

async function streamCommand(deps: HttpDeps, reply: FastifyReply, created: CreatedCommand): Promise<void> {
  const { command, tasks } = created;
  const stream = openEventStream(reply, { clock: deps.clock, ids: tasks.length === 1 });
  const signal = AbortSignal.any([stream.gone, deps.draining]);
  // What comes in before `command` is out is not lost: a viewer reads what it missed from the store.
  try {
    await created.durable;
    stream.event(
      'command',
      toCommandBody(
        command,
        tasks.map((task) => deps.engine.current(task)),
      ),
    );
    let open = tasks.length;
    await Promise.all(
      tasks.map(async ({ taskId }) => {
        const ended = await viewTask(deps, stream, { taskId, from: { out: 0, err: 0 }, follow: true, signal });
        if (!ended) return;
        open -= 1;
        const data = { task: toTaskBody(ended, command) };
        if (open === 0) stream.end({ name: 'exit', data });
        else stream.event('exit', data);
      }),
    );
  } catch (error) {
    // The headers are out: all that is left is to end without `exit`, which a client reads as "resume".
    deps.logger.debug(MESSAGES.streamEnded, { command: command.commandId, reason: String(error) });
  } finally {
    stream.end();
  }
}

/** All that the role `probe` may run: one small canary on one gateway, with nothing beside it that could change what runs. */
function isProbesCanary({ verb, args, gateways, timeoutMs, ttlMs, ...rest }: Request): boolean {
  if (verb !== 'canary' || gateways.length !== 1) return false;
  if (Object.keys(rest.env).length > 0 || rest.cwd !== undefined) return false;
  // It reads none of it: it only has to get there.
  if (rest.stdin !== undefined && Buffer.byteLength(rest.stdin, 'base64') > PROBE_BYTES) return false;
  if (timeoutMs === 0 || timeoutMs > PROBE_MS || ttlMs > PROBE_MS) return false;
  const parsed = BUILT_IN_VERBS.canary.args.safeParse(args);
  return parsed.success && parsed.data.bytes <= PROBE_BYTES;
}

function wantsStream(request: FastifyRequest): boolean {
  return (request.headers.accept ?? '').includes('text/event-stream');
}

function toNewCommand(
  deps: HttpDeps,
  body: Request,
  by: { caller: ReturnType<typeof callerOf>; key: string | undefined },
): NewCommand {
  const gateways = [...new Set(body.gateways)];
  for (const gateway of gateways) requireVerb(deps, gateway, body.verb);
  const args = checkedArgs(body);
  if (body.stdin !== undefined && Buffer.byteLength(body.stdin, 'base64') > limits.MAX_STDIN_BYTES)
    throw backendErrors.create('VW_BACKEND_TOO_LARGE', { limitBytes: limits.MAX_STDIN_BYTES });
  if (JSON.stringify({ args, env: body.env }).length + (body.stdin?.length ?? 0) > MAX_WORK_BYTES)
    throw backendErrors.create('VW_BACKEND_TOO_LARGE', { limitBytes: MAX_WORK_BYTES });
  return {
    gateways,
    ttlMs: body.ttlMs,
    request: {
      verb: body.verb,
      args,
      env: body.env,
      cwd: body.cwd,
      stdin: body.stdin,
      timeoutMs: body.timeoutMs,
      graceMs: body.graceMs,
      createdBy: by.caller.name,
      owner: by.caller.tokenId,
      idempotencyKey: by.key,
      bodyHash: createHash('sha256').update(JSON.stringify(body)).digest('hex'),
    },
  };
}

// Refused here already where the gateway said what it offers; the gateway judges again by its own policy.
function requireVerb(deps: HttpDeps, gateway: string, verb: string): void {
  const record = deps.registry.get(gateway);
  if (!record) throw backendErrors.create('VW_BACKEND_UNKNOWN_GATEWAY', { gateway });
  const offered = record.hello ? Object.hasOwn(record.hello.verbs, verb) : Object.hasOwn(BUILT_IN_VERBS, verb);
  if (!offered) throw backendErrors.create('VW_BACKEND_UNKNOWN_VERB', { verb, gateway });
}

function checkedArgs(body: Request): Record<string, unknown> {
  if (!Object.hasOwn(BUILT_IN_VERBS, body.verb)) return body.args;
  const parsed = BUILT_IN_VERBS[body.verb as keyof typeof BUILT_IN_VERBS].args.safeParse(body.args);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${['args', ...issue.path].join('.')}: ${issue.message}`);
  throw backendErrors.create('VW_BACKEND_INVALID', { problems: problems.join('; ') });
}
