// What turns facts, checks and causes into a report: candidates, verdicts, the state of every hop, and the choice between look-alikes.
export type { CauseDefaults, CauseRow, CauseRule } from './cause.ts';
export { causesOf } from './cause.ts';
export type { Check, Verdict } from './check.ts';
export { checksOf } from './check.ts';
export type { RunMeta } from './diagnose.ts';
export { diagnose, verdictsOf } from './diagnose.ts';
