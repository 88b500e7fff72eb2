// The table of all faults and traps.
import { backendBreaks } from './backend.ts';
import type { Break } from './break.ts';
import { dockerBreaks } from './docker.ts';
import { gatewayBreaks } from './gateway.ts';
import { listeningBreaks } from './listening.ts';
import { networkBreaks } from './network.ts';
import { networkRuleBreaks } from './network-rules.ts';
import { routeBreaks, runtimeBreaks } from './nginx.ts';
import { frontBreaks } from './nginx-front.ts';
import { nginxLimitBreaks } from './nginx-limits.ts';
import { rateBreaks } from './rates.ts';
import { sshBreaks } from './sight.ts';
import { tlsBreaks, tlsTraps } from './tls.ts';
import { nginxTraps, noiseTraps } from './traps.ts';
import { unitSetupBreaks } from './unit-setup.ts';
import { unitBreaks } from './units.ts';

export const breaks: readonly Break[] = [
  ...backendBreaks,
  ...routeBreaks,
  ...frontBreaks,
  ...nginxLimitBreaks,
  ...runtimeBreaks,
  ...gatewayBreaks,
  ...unitBreaks,
  ...unitSetupBreaks,
  ...networkBreaks,
  ...networkRuleBreaks,
  ...rateBreaks,
  ...listeningBreaks,
  ...tlsBreaks,
  ...sshBreaks,
  ...nginxTraps,
  ...tlsTraps,
  ...noiseTraps,
  ...dockerBreaks,
];

export function findBreak(id: string): Break {
  const found = breaks.find((entry) => entry.id === id.toUpperCase());
  if (!found) throw new Error(`there is no break ${JSON.stringify(id)}; \`npm run -s lab -- breaks\` lists them`);
  return found;
}
