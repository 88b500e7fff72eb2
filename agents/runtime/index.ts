// What every process stands on: errors, clock, scope, loops, configuration, log, commands, the service manager.
// No room's business lives here, and nothing here knows a room.
export { ASSETS, assetFile, LAUNCHER_FILES } from './assets.ts';
export { backoffMs, type Clock, systemClock, type Timer, withDeadline } from './clock.ts';
export type { ArgumentSpec, CommandSpec, ConfigSpec, Invocation, OptionSpec, Terminal } from './command.ts';
export {
  type ConfigComplaint,
  type LoadedConfig,
  loadConfig,
  parseConfig,
} from './config.ts';
export { configFile, configOption } from './config-file.ts';
export { readConfigText } from './config-text.ts';
export {
  type ApiTarget,
  operatorDirectory,
  readContexts,
  resolveTarget,
  saveContext,
  saveProbeToken,
} from './contexts.ts';
export { Credential, type PeerLook, PROBE_PREFIX, ProbeCredential, VerifiedStream } from './credential.ts';
export {
  defineErrors,
  describe,
  type ErrorCatalogue,
  type ErrorDetail,
  type ErrorSpec,
  errnoOf,
  fromUnknown,
  isAbort,
  runtimeErrors,
  ViworksError,
} from './errors.ts';
export { errnoText, exists, replaceFile, syncDirectory, systemText, whyUnread } from './files.ts';
export { INTERRUPT_CODES, interruptCode } from './interrupt.ts';
export { kernelSockets, shortenV6 } from './kernel-sockets.ts';
export { createLogger, LOG_LEVELS, type Logger, silentLogger } from './log.ts';
export { NODE_FLAGS } from './node-flags.ts';
export { createNotifier, listenFds, type Notifier } from './notify.ts';
export { type Dialled, type PortOwner, peerScript } from './peer.ts';
export { parseProcStat } from './proc-stat.ts';
export { type Lifetime, type ProgramParts, runProgram } from './program.ts';
export { type RemoteText, redactText } from './redact.ts';
export { BUILD } from './revision.ts';
export type { Scope } from './scope.ts';
export { readSecretFile, Secret } from './secret.ts';
export { quoteWord } from './shell.ts';
export type { Loop } from './supervise.ts';
export { rewriting, screenOf, terminalText, visibleText } from './terminal-text.ts';
export { parseToml } from './toml.ts';
