// The door of the doctor's engine. The engine is pure: facts and rules in, a Report out; it imports nothing outside this folder, does no
// I/O and reads no clock. Probes write facts against these types, checks and causes read them, outputs print the Report.

export type { CauseDefaults, CauseRow, CauseRule } from './cause.ts';
export { causesOf } from './cause.ts';
export type { Check, Verdict } from './check.ts';
export { defineCheck } from './check.ts';
export type {
  AgentConfig,
  CanaryResult,
  Certificate,
  Culprit,
  DnsAnswer,
  GatewayHealth,
  HttpObservation,
  NginxFile,
  NginxFiles,
  NginxProcesses,
  NginxTest,
  RegistryEntry,
  TcpConnect,
  TlsObservation,
  UpgradeObservation,
  UpgradeStage,
} from './contacts.ts';
export type { RunMeta } from './diagnose.ts';
export { diagnose } from './diagnose.ts';
export type { RunEvent } from './events.ts';
export { exampleTopology } from './example.ts';
export type {
  Evidence,
  Fact,
  FactKey,
  FactTypes,
  HttpTarget,
  Part,
  Reading,
  Target,
  Unknown,
  UnknownReason,
  UpgradeTarget,
  Vantage,
} from './facts.ts';
export { fact, factNames, known, notApplicable, unknown } from './facts.ts';
export type {
  Connection,
  Container,
  FirewallRule,
  HostAccess,
  HostIdentity,
  HostsLine,
  ListenCounters,
  Listener,
  LogLine,
  LogTail,
  Mount,
  ProcessState,
  UnitState,
} from './observations.ts';
export type { HopId } from './path.ts';
export { apiPath, hops } from './path.ts';
export type {
  CauseReport,
  EvidenceStep,
  HopReport,
  HopState,
  Remedy,
  Report,
  UnknownReport,
  VerdictReport,
} from './report.ts';
export { verdictWords } from './report.ts';
export type { ForwardedHeader, Place, RouteAdvice, RouteFact } from './route.ts';
export type { Claim, Sign } from './sign.ts';
export { allOf, anyOf, judge, not, sign } from './sign.ts';
export type { UrlParts } from './signs/gateway.ts';
export { partsOfUrl } from './signs/gateway.ts';
export { signs } from './signs/index.ts';
export type { FactStore } from './store.ts';
export { createFactStore } from './store.ts';
export type { GatewayTopology, HostRef, Supervision, Topology } from './topology.ts';
export type { Tri } from './tri.ts';
export { every, negate, some, tri } from './tri.ts';
export type { RelatedUnit, RuntimeVariable, UnitSetting, UnitSetup } from './unit-setup.ts';
export type { Seat, View } from './view.ts';
export { createView } from './view.ts';
