// The way to a host: one verified SSH connection each, commands with deadlines, forwards. It knows nothing of releases or
// checks; the deployer and the doctor's probes use the same door.
export { endOf } from './ends.ts';
export { remoteErrors } from './errors.ts';
export { type TerminalQuestions, terminalQuestions } from './questions.ts';
export { openRemote, readHostKey } from './ssh.ts';
export { parseSshConfig } from './ssh-config.ts';
export type { Questions, Remote, RemoteProcess, RemoteTarget } from './target.ts';
