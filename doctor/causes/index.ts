// The catalogue: every cause that the doctor can name, as data. The rule set, the offline help and the list of tests in one.
import type { CauseRule } from '../engine/index.ts';
import { accessCauses } from './access.ts';
import { backendCauses } from './backend.ts';
import { commandCauses } from './commands.ts';
import { dockerCauses } from './docker.ts';
import { gatewayConfigCauses } from './gateway-config.ts';
import { gatewayDownCauses } from './gateway-down.ts';
import { gatewayUnitCauses } from './gateway-unit.ts';
import { gatewayUrlCauses } from './gateway-url.ts';
import { hostCauses } from './host.ts';
import { listeningCauses } from './listening.ts';
import { lossCauses } from './loss.ts';
import { nameCauses } from './names.ts';
import { networkCauses } from './network.ts';
import { networkRuleCauses } from './network-rules.ts';
import { nginxAnswersCauses } from './nginx-answers.ts';
import { nginxConfigCauses } from './nginx-config.ts';
import { nginxFrontCauses } from './nginx-front.ts';
import { nginxHeaderCauses } from './nginx-headers.ts';
import { nginxLimitCauses } from './nginx-limits.ts';
import { nginxRuntimeCauses } from './nginx-runtime.ts';
import { nginxTargetCauses } from './nginx-target.ts';
import { ownWordsCauses } from './own-words.ts';
import { portSharerCauses } from './port-sharers.ts';
import { rightsCauses } from './rights.ts';
import { tlsCauses } from './tls.ts';
import { tlsKeyCauses } from './tls-keys.ts';
import { unitHeldCauses } from './unit-held.ts';
import { unitResultCauses } from './unit-results.ts';
import { unitRunCauses } from './unit-run.ts';
import { unitSandboxCauses } from './unit-sandbox.ts';
import { websocketCauses } from './websocket.ts';

export const causes: readonly CauseRule[] = [
  ...hostCauses,
  ...backendCauses,
  ...dockerCauses,
  ...nginxConfigCauses,
  ...nginxLimitCauses,
  ...nginxTargetCauses,
  ...nginxAnswersCauses,
  ...nginxFrontCauses,
  ...nginxHeaderCauses,
  ...nginxRuntimeCauses,
  ...portSharerCauses,
  ...tlsCauses,
  ...tlsKeyCauses,
  ...nameCauses,
  ...networkCauses,
  ...listeningCauses,
  ...lossCauses,
  ...networkRuleCauses,
  ...gatewayDownCauses,
  ...gatewayUnitCauses,
  ...unitHeldCauses,
  ...unitResultCauses,
  ...unitRunCauses,
  ...unitSandboxCauses,
  ...gatewayConfigCauses,
  ...gatewayUrlCauses,
  ...ownWordsCauses,
  ...websocketCauses,
  ...rightsCauses,
  ...commandCauses,
  ...accessCauses,
];
