// Tokens, enrolment tokens, and the enrolment itself.
import * as z from 'zod';
import { http } from '../../protocol/index.ts';
import { fromUnknown } from '../../runtime/index.ts';
import { backendErrors } from '../errors.ts';
import { MESSAGES } from '../messages.ts';
import { type App, callerOf, type HttpDeps, requires } from './context.ts';

/** Enrolment needs no bearer, so guessing is slowed down. */
const ENROL_PER_MINUTE = 120;

/** Registers the routes. */
export function identityRoutes(app: App, deps: HttpDeps): void {
  const { logger } = deps;

  app.post(
    '/api/v1/tokens',
    {
      schema: { summary: 'make a token; it is shown once', body: http.tokenRequest, response: { 201: http.tokenBody } },
      onRequest: requires(deps, 'admin'),
    },
    async (request, reply) => {
      const { record, token } = await deps.tokens.create(request.body);
      const { tokenId, name, role } = record;
      logger.info(MESSAGES.tokenCreated, { by: callerOf(request).name, tokenId, name, role });
      return reply.code(201).send({ tokenId, name, role, token });
    },
  );

  app.get(
    '/api/v1/tokens',
    {
      schema: { summary: 'tokens, without their text', response: { 200: http.tokenList } },
      onRequest: requires(deps, 'admin'),
    },
    async () => ({
      tokens: (await deps.store.tokens()).map(({ tokenId, name, role, createdAt, lastUsedAt }) => ({
        tokenId,
        name,
        role,
        createdAt,
        ...(lastUsedAt !== undefined && { lastUsedAt }),
      })),
    }),
  );

  app.delete(
    '/api/v1/tokens/:tokenId',
    {
      schema: { summary: 'revoke a token', params: z.object({ tokenId: z.string() }), response: { 204: z.null() } },
      onRequest: requires(deps, 'admin'),
    },
    async (request, reply) => {
      const { tokenId } = request.params;
      if (!(await deps.tokens.revoke(tokenId)))
        throw backendErrors.create('VW_BACKEND_NOT_FOUND', { what: 'token', id: tokenId, list: 'gateways' });
      logger.info(MESSAGES.tokenRevoked, { by: callerOf(request).name, tokenId });
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/enrolment-tokens',
    {
      schema: {
        summary: 'make a one-time token with which one gateway enrols',
        body: http.enrolmentTokenRequest,
        response: { 201: http.enrolmentTokenBody },
      },
      onRequest: requires(deps, 'admin'),
    },
    async (request, reply) => {
      const { gatewayId } = request.body;
      const { token, expiresAt } = await deps.enrolment.createToken(request.body);
      logger.info(MESSAGES.enrolmentTokenCreated, { by: callerOf(request).name, gateway: gatewayId });
      return reply.code(201).send({ token, gatewayId, expiresAt });
    },
  );

  app.post(
    '/api/v1/enrol',
    {
      schema: {
        summary: 'register a gateway’s public key',
        body: http.enrolRequest,
        response: { 200: http.enrolBody },
      },
      config: { rateLimit: { max: ENROL_PER_MINUTE, timeWindow: 60_000 } },
    },
    async (request) => {
      try {
        const gatewayId = await deps.enrolment.enrol(request.body);
        await deps.registry.refresh(gatewayId);
        // Whoever held a session with the old key must prove that it has the new one.
        deps.registry.link(gatewayId)?.close('stale_state', 'the gateway was enrolled again');
        logger.info(MESSAGES.gatewayEnrolled, { gateway: gatewayId, remote: request.ip });
        return { gatewayId, serverTime: deps.clock.now() };
      } catch (error) {
        const failure = fromUnknown(error);
        logger.warn(MESSAGES.enrolmentRefused, { code: failure.code, reason: failure.message, remote: request.ip });
        throw failure;
      }
    },
  );
}
