// From a topology to facts: one connection and one round a host, then our own client at every hop. Knows no options and prints nothing.
export { collect } from './collect.ts';
export { type EarlyLinks, openEarly } from './early.ts';
export { type Hints, noHints } from './hints.ts';
export { refineTopology } from './refine.ts';
export { createRunLog } from './run-log.ts';
export { SSH_LIMITS } from './sites.ts';
