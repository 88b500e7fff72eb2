// What every process stands on: errors, clock, scope, loops, configuration, log, commands, the service manager.
// No room's business lives here, and nothing here knows a room.
export { ASSETS, assetFile } from './assets.ts';
export { type BackoffOptions, backoffMs, type Clock, systemClock, type Timer, withDeadline } from './clock.ts';
export type { ArgumentSpec, CommandSpec, ConfigSpec, Invocation, OptionSpec, Terminal } from './command.ts';
export {
  type ConfigComplaint,
  type ConfigSources,
  type LoadedConfig,
  loadConfig,
  type Provenance,
  parseConfig,
  schemaPaths,
  unwrap,
} from './config.ts';
export {
  type ApiTarget,
  operatorDirectory,
  readContexts,
  resolveTarget,
  saveContext,
} from './contexts.ts';
export {
  defineErrors,
  describe,
  type ErrorCatalogue,
  type ErrorDetail,
  type ErrorSpec,
  errnoOf,
  fromUnknown,
  isAbort,
  type Retry,
  runtimeErrors,
  ViworksError,
} from './errors.ts';
export { createLogger, LOG_LEVELS, type LogFields, type Logger, type LogLevel, silentLogger } from './log.ts';
export { createNotifier, listenFds, type Notifier } from './notify.ts';
export { type Lifetime, type ProgramOptions, type ProgramParts, runProgram } from './program.ts';
export { BUILD } from './revision.ts';
export { createScope, type Scope } from './scope.ts';
export { readSecretFile, Secret } from './secret.ts';
export { type Loop, supervise } from './supervise.ts';
export { type Place, type Problem, parseToml, type TomlDocument } from './toml.ts';
