// The engine's stock of signs: sentences about an installation that both checks and causes are built from.
import { backendSigns } from './backend.ts';
import { gatewaySigns } from './gateway.ts';
import { logSigns } from './logs.ts';
import { nginxSigns } from './nginx.ts';
import { partSigns } from './parts.ts';

export const signs = {
  backend: backendSigns,
  gateway: gatewaySigns,
  logs: logSigns,
  nginx: nginxSigns,
  parts: partSigns,
};
