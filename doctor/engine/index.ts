// The door of the doctor's engine. The engine is pure: facts and rules in, a Report out; it imports nothing outside this folder, does no
// I/O and reads no clock. Probes write facts against these types, checks and causes read them, outputs print the Report.
export * from './machinery/index.ts';
export type { UrlParts } from './signs/index.ts';
export { partsOfUrl, signs } from './signs/index.ts';
export * from './vocabulary/index.ts';
