// The words that the doctor speaks in: facts and what is read in them, the topology, hops, signs and the report. Every room of the doctor
// may use all of them; nothing here knows a cause or a check.
export * from './contacts.ts';
export * from './events.ts';
export * from './example.ts';
export * from './facts.ts';
export * from './observations.ts';
export * from './path.ts';
export * from './report.ts';
export * from './route.ts';
export * from './sharers.ts';
export * from './sign.ts';
export * from './store.ts';
export * from './topology.ts';
export * from './tri.ts';
export * from './unit-setup.ts';
export * from './view.ts';
