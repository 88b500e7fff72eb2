// Outputs: projections of the Report and of the event stream. They decide nothing and write nowhere.
export { explainCause } from './explain.ts';
export { renderJson } from './json.ts';
export { renderPlain } from './plain.ts';
export { type Recording, readRecording, writeEvent } from './recording.ts';
export { renderShort } from './short.ts';
