// What stands around a run: the options, which installation they mean, the deadline of the whole, its recording, and who is told what.
export { announce, examine } from './examine.ts';
export { findInstallation, type Installation } from './installation.ts';
export { type DoctorOptions, OUTPUTS, readOptions } from './options.ts';
export { createPrinter } from './printer.ts';
export { createProgress } from './progress.ts';
export { loadRecording, recordingPath, writeRecording } from './recording.ts';
export { withThreshold } from './threshold.ts';
