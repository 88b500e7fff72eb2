// All cases: the test list of the catalogue.
import { backendCases } from './backend.ts';
import type { Case } from './case.ts';
import { combinedCases, trapCases } from './combined.ts';
import { gatewayCases } from './gateway.ts';
import { networkCases } from './network.ts';
import { networkRuleCases } from './network-rules.ts';
import { nginxCases } from './nginx.ts';
import { nginxAnswersCases } from './nginx-answers.ts';
import { nginxFrontCases } from './nginx-front.ts';
import { nginxHeaderCases } from './nginx-headers.ts';
import { ownWordsCases } from './own-words.ts';
import { protocolCases } from './protocol.ts';
import { rateCases } from './rates.ts';
import { rightsCases } from './rights.ts';
import { strangerCases } from './strangers.ts';
import { telltaleCases } from './telltale.ts';
import { unitSetupCases } from './unit-setup.ts';

export const cases: readonly Case[] = [
  ...backendCases,
  ...nginxCases,
  ...gatewayCases,
  ...nginxAnswersCases,
  ...nginxFrontCases,
  ...nginxHeaderCases,
  ...protocolCases,
  ...ownWordsCases,
  ...networkCases,
  ...networkRuleCases,
  ...rateCases,
  ...rightsCases,
  ...telltaleCases,
  ...unitSetupCases,
  ...combinedCases,
  ...trapCases,
  ...strangerCases,
];
