// Gateways as the registry knows them.
import * as z from 'zod';
import { http } from '../../protocol/index.ts';
import { backendErrors } from '../errors.ts';
import { type App, type HttpDeps, requires } from './context.ts';

/** Registers the routes. */
export function gatewayRoutes(app: App, deps: HttpDeps): void {
  const bodyOf = (gatewayId: string): http.GatewayBody | undefined =>
    deps.registry.body(gatewayId, deps.engine.count('running', gatewayId));

  app.get(
    '/api/v1/gateways',
    { schema: { summary: 'every gateway', response: { 200: http.gatewayList } }, onRequest: requires(deps, 'probe') },
    async () => {
      const gateways = deps.registry.ids().flatMap((id) => bodyOf(id) ?? []);
      return { gateways, total: gateways.length };
    },
  );

  app.get(
    '/api/v1/gateways/:gatewayId',
    {
      schema: {
        summary: 'one gateway',
        params: z.object({ gatewayId: z.string() }),
        response: { 200: http.gatewayBody },
      },
      onRequest: requires(deps, 'probe'),
    },
    async (request) => {
      const { gatewayId } = request.params;
      const body = bodyOf(gatewayId);
      if (!body) throw backendErrors.create('VW_BACKEND_UNKNOWN_GATEWAY', { gateway: gatewayId });
      return body;
    },
  );
}
