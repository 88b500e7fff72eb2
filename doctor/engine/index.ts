// The door of the doctor's engine. The engine is pure: facts and rules in, a Report out; it imports nothing outside this folder, does no
// I/O and reads no clock. Probes write facts against these types, checks and causes read them, outputs print the Report.
export type {
  AgentConfig,
  CanaryResult,
  Certificate,
  DiskCertificate,
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
export type { RunEvent } from './events.ts';
export type {
  Evidence,
  Fact,
  FactKey,
  FactTypes,
  HttpTarget,
  Known,
  NotApplicable,
  Part,
  Reading,
  Target,
  Unknown,
  UnknownReason,
  UpgradeTarget,
  Vantage,
} from './facts.ts';
export { fact, known, notApplicable, unknown } from './facts.ts';
export type {
  Connection,
  Container,
  FirewallRule,
  HostAccess,
  HostClock,
  HostIdentity,
  HostsLine,
  ListenCounters,
  Listener,
  LogLine,
  LogTail,
  Mount,
  ProcessState,
  QueueSamples,
  UnitState,
} from './observations.ts';
export type {
  CauseReport,
  EvidenceStep,
  HopReport,
  HopState,
  Remedy,
  Report,
  RuledOut,
  UnknownReport,
  VerdictReport,
} from './report.ts';
export type { ForwardedHeader, Place, RouteAdvice, RouteFact } from './route.ts';
export type { FactStore } from './store.ts';
export { createFactStore } from './store.ts';
export type { BackendTopology, GatewayTopology, HostRef, NginxTopology, Supervision, Topology } from './topology.ts';
