// The engine's stock of signs: sentences about an installation that both checks and causes are built from.
import { madeByNginx } from './author.ts';
import { backendSigns } from './backend.ts';
import { gatewaySigns } from './gateway.ts';
import { identitySigns } from './identity.ts';
import { logSigns } from './logs.ts';
import { nginxSigns } from './nginx.ts';
import { partSigns } from './parts.ts';
import { sessionSigns } from './sessions.ts';
import { setupSigns } from './setup.ts';

export { answerThrough, refusedAtRoute } from './author.ts';
export type { UrlParts } from './gateway.ts';
export { partsOfUrl } from './gateway.ts';
export type { Program } from './identity.ts';
export { isItself, strangerText } from './identity.ts';
export { excerpt } from './logs.ts';

export const signs = {
  author: { madeByNginx },
  backend: backendSigns,
  gateway: gatewaySigns,
  identity: identitySigns,
  logs: logSigns,
  nginx: nginxSigns,
  parts: partSigns,
  sessions: sessionSigns,
  setup: setupSigns,
};
