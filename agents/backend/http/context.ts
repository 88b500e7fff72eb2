// What every route is handed, and the guard in front of those that need a token.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { http } from '../../protocol/index.ts';
import type { Clock, Logger } from '../../runtime/index.ts';
import type { Engine } from '../commands/engine.ts';
import { backendErrors } from '../errors.ts';
import type { Health } from '../health.ts';
import type { Enrolment } from '../identity/enrolment.ts';
import type { Tokens } from '../identity/tokens.ts';
import type { Metrics } from '../metrics.ts';
import type { Registry } from '../registry/registry.ts';
import type { TokenRecord } from '../storage/records.ts';
import type { Store } from '../storage/store.ts';

/** Parts of the backend that routes use. */
export interface HttpDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly store: Store;
  readonly engine: Engine;
  readonly registry: Registry;
  readonly tokens: Tokens;
  readonly enrolment: Enrolment;
  readonly health: Health;
  readonly metrics: Metrics;
  /** Aborted when the backend drains: nothing new is taken, streams end. */
  readonly draining: AbortSignal;
}

/** The application as routes see it: schemas are zod. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyRequest {
    caller: TokenRecord | undefined;
  }
}

/** A hook that lets only tokens with at least this role pass. */
export function requires(
  deps: HttpDeps,
  role: http.Role,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request) => {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ', 2);
    request.caller = await deps.tokens.require(scheme?.toLowerCase() === 'bearer' ? token : undefined, role);
  };
}

/** The token behind a guarded request. */
export function callerOf(request: FastifyRequest): TokenRecord {
  if (!request.caller) throw backendErrors.create('VW_BACKEND_UNAUTHENTICATED', { problem: 'none was sent' });
  return request.caller;
}
