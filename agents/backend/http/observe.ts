// Health, metrics, the API's own description, and the log level.
import * as z from 'zod';
import { http } from '../../protocol/index.ts';
import { LOG_LEVELS } from '../../runtime/index.ts';
import { MESSAGES } from '../messages.ts';
import { type App, callerOf, type HttpDeps, requires } from './context.ts';

const logLevel = z.strictObject({ level: z.enum(LOG_LEVELS) });
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/** Registers the routes. */
export function observeRoutes(app: App, deps: HttpDeps): void {
  app.get(
    '/health',
    {
      schema: {
        summary: 'health; 503 when any part is not up',
        response: { 200: http.healthBody, 503: http.healthBody },
      },
      config: { rateLimit: false },
    },
    async (_request, reply) => {
      const { status, body } = deps.health.report();
      return reply.code(status).send(body);
    },
  );

  app.get(
    '/metrics',
    {
      schema: { summary: 'Prometheus metrics; from loopback, or with a viewer’s token', hide: true },
      config: { rateLimit: false },
      async onRequest(request, reply) {
        if (!LOOPBACK.has(request.ip)) await requires(deps, 'viewer')(request, reply);
      },
    },
    async (_request, reply) => {
      return reply.type(deps.metrics.contentType).send(await deps.metrics.scrape());
    },
  );

  app.get('/api/v1/openapi.json', { schema: { hide: true } }, async () => app.swagger());

  app.put(
    '/api/v1/log-level',
    {
      schema: { summary: 'change the log level until the next start', body: logLevel, response: { 200: logLevel } },
      onRequest: requires(deps, 'admin'),
    },
    async (request) => {
      const { level } = request.body;
      deps.logger.setLevel(level);
      deps.logger.info(MESSAGES.logLevelChanged, { by: callerOf(request).name, level });
      return { level };
    },
  );
}
