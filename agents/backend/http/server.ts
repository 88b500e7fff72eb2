// The HTTP API: Fastify with the limits it needs, one error shape, and every route. It does not bind by itself.
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import fastify, { type FastifyError, type FastifyReply } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { http } from '../../protocol/index.ts';
import { BUILD, fromUnknown, ViworksError } from '../../runtime/index.ts';
import { backendErrors, statusOf } from '../errors.ts';
import { MESSAGES } from '../messages.ts';
import { commandRoutes } from './commands.ts';
import type { App, HttpDeps } from './context.ts';
import { gatewayRoutes } from './gateways.ts';
import { identityRoutes } from './identity.ts';
import { observeRoutes } from './observe.ts';
import { taskRoutes } from './tasks.ts';

const BODY_BYTES = 4 * 1024 * 1024;
/** Per address and second: far above any person or dashboard, far below what would hurt. */
const REQUESTS_PER_SECOND = 2_000;
/** Longer than nginx keeps an idle upstream connection (60 s), so that it is never the backend that hangs up first. */
const KEEP_ALIVE_MS = 75_000;

/** Creates the application; `ready` has been awaited. */
export async function createApi(deps: HttpDeps, options: { trustedProxies: readonly string[] }): Promise<App> {
  const base = fastify({
    bodyLimit: BODY_BYTES,
    requestTimeout: 30_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    trustProxy: [...options.trustedProxies],
    logger: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 256 },
  });
  base.setValidatorCompiler(validatorCompiler);
  base.setSerializerCompiler(serializerCompiler);
  const app: App = base.withTypeProvider<ZodTypeProvider>();
  app.decorateRequest('caller', undefined);
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const failure = toFailure(error);
    const status = statusOf(failure.code);
    if (status >= 500)
      deps.logger.failure(MESSAGES.requestFailed, failure, { method: request.method, url: request.url });
    return answer(reply, status, failure);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0];
    return answer(reply, 404, backendErrors.create('VW_BACKEND_NO_ROUTE', { method: request.method, path }));
  });
  await app.register(helmet, { global: true });
  await app.register(rateLimit, { global: true, max: REQUESTS_PER_SECOND, timeWindow: 1_000 });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'viworks backend', version: BUILD.version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  observeRoutes(app, deps);
  gatewayRoutes(app, deps);
  commandRoutes(app, deps);
  taskRoutes(app, deps);
  identityRoutes(app, deps);
  await app.ready();
  return app;
}

function answer(reply: FastifyReply, status: number, failure: ViworksError): FastifyReply {
  const { code, message, hint, retry, detail } = failure;
  const body: http.ErrorBody = { code, message, hint, retry, detail: { ...detail } };
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 503) reply.header('retry-after', '2');
  // Not through a response schema: an error may be the answer of any route.
  return reply
    .code(status)
    .type('application/json')
    .serializer((value: unknown) => JSON.stringify(value))
    .send(body);
}

// Fastify's own failures are known by their code, never by their text.
function toFailure(error: FastifyError): ViworksError {
  if (error instanceof ViworksError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const problems = error.validation.map(({ instancePath, message }) => {
      const path = instancePath.slice(1).replaceAll('/', '.');
      return path === '' ? message : `${path}: ${message}`;
    });
    return backendErrors.create('VW_BACKEND_INVALID', { problems: problems.join('; ') });
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return backendErrors.create('VW_BACKEND_TOO_LARGE', { limitBytes: BODY_BYTES });
  if (error.statusCode === 429) return backendErrors.create('VW_BACKEND_TOO_MANY_REQUESTS');
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return backendErrors.create('VW_BACKEND_INVALID', { problems: error.message });
  return fromUnknown(error);
}
