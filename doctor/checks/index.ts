// Every check, in the order of the path. Checks judge facts and know nothing of causes; they do no I/O.
import type { Check } from '../engine/index.ts';
import { agentChecks } from './agents.ts';
import { hostChecks } from './host.ts';
import { networkChecks } from './network.ts';
import { serviceChecks } from './services.ts';

export const checks: readonly Check[] = [...hostChecks, ...serviceChecks, ...networkChecks, ...agentChecks];
