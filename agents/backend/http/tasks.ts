// Tasks: list, show, read their output live, cancel.
import * as z from 'zod';
import { http } from '../../protocol/index.ts';
import { viewTask } from '../commands/viewer.ts';
import { MESSAGES } from '../messages.ts';
import { toTaskBody } from './bodies.ts';
import { type App, callerOf, type HttpDeps, requires } from './context.ts';
import { openEventStream, parsePosition } from './stream.ts';

const params = z.object({ taskId: z.string() });
// A query is text: digits become numbers here, and nothing else does.
const count = (max: number): z.ZodType<number | undefined> =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .refine((value) => value <= max)
    .optional();

/** Registers the routes. */
export function taskRoutes(app: App, deps: HttpDeps): void {
  app.get(
    '/api/v1/tasks',
    {
      schema: {
        summary: 'tasks, newest first',
        querystring: z.strictObject({
          gateway: z.string().optional(),
          command: z.string().optional(),
          state: http.taskState.optional(),
          cursor: z.string().optional(),
          limit: count(500),
        }),
        response: { 200: http.taskList },
      },
      onRequest: requires(deps, 'viewer'),
    },
    async (request) => {
      const { gateway, command, state, cursor, limit } = request.query;
      const filter = { gatewayId: gateway, commandId: command, state, cursor, limit: limit ?? 50 };
      const { tasks, next } = await deps.store.tasks(filter);
      return {
        tasks: tasks.map((found) => toTaskBody(deps.engine.current(found.task), found.command)),
        ...(next !== undefined && { next }),
      };
    },
  );

  app.get(
    '/api/v1/tasks/:taskId',
    { schema: { summary: 'one task', params, response: { 200: http.taskBody } }, onRequest: requires(deps, 'viewer') },
    async (request) => {
      const { task, command } = await deps.engine.task(request.params.taskId);
      return toTaskBody(task, command);
    },
  );

  app.get(
    '/api/v1/tasks/:taskId/output',
    {
      schema: {
        summary: 'output as server-sent events, from byte offsets on',
        params,
        querystring: z.strictObject({
          out: count(Number.MAX_SAFE_INTEGER),
          err: count(Number.MAX_SAFE_INTEGER),
          follow: z.enum(['0', '1']).default('1'),
        }),
      },
      onRequest: requires(deps, 'viewer'),
    },
    async (request, reply) => {
      const { taskId } = request.params;
      const { command } = await deps.engine.task(taskId);
      const { out = 0, err = 0, follow } = request.query;
      const from = parsePosition(String(request.headers['last-event-id'] ?? '')) ?? { out, err };
      const stream = openEventStream(reply, { clock: deps.clock, ids: true });
      const signal = AbortSignal.any([stream.gone, deps.draining]);
      try {
        const ended = await viewTask(deps, stream, { taskId, from, follow: follow === '1', signal });
        if (ended) stream.end({ name: 'exit', data: { task: toTaskBody(ended, command) } });
      } catch (error) {
        deps.logger.debug(MESSAGES.streamEnded, { task: taskId, reason: String(error) });
      } finally {
        stream.end();
      }
      return reply;
    },
  );

  app.post(
    '/api/v1/tasks/:taskId/cancel',
    {
      schema: {
        summary: 'end a task; safe to repeat',
        params,
        body: http.cancelRequest.nullish(),
        response: { 200: http.cancelBody },
      },
      onRequest: requires(deps, 'operator'),
    },
    async (request) => {
      const { result, task } = await deps.engine.cancel(request.params.taskId, {
        graceMs: request.body?.graceMs,
        by: callerOf(request).name,
      });
      return { result, task: toTaskBody(task.task, task.command) };
    },
  );
}
