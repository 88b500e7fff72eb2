// The probes that look at a host in its one round, in the order in which they are asked. A new probe is a row here.
import { configProbes, trustProbe } from './agents.ts';
import type { Ask } from './ask.ts';
import type { Probe } from './define-probe.ts';
import { containerLogsProbe, containersProbe, insideProbe, replacedProbe } from './docker.ts';
import {
  addressesProbe,
  clockProbe,
  firewallProbe,
  hostsFileProbe,
  identityProbe,
  mountsProbe,
  nameProbe,
} from './host.ts';
import { logsProbe } from './journals.ts';
import { loopbackProbe } from './loopback.ts';
import { nginxProbes } from './nginx.ts';
import { cpuProbe, processesProbe } from './processes.ts';
import { connectionsProbe, countersProbe, listenersProbe } from './sockets.ts';
import { setupProbe } from './unit-setup.ts';
import { unitsProbe } from './units.ts';

export const hostProbes: readonly Probe[] = [
  clockProbe,
  identityProbe,
  addressesProbe,
  loopbackProbe,
  hostsFileProbe,
  nameProbe,
  mountsProbe,
  firewallProbe,
  countersProbe,
  setupProbe,
  listenersProbe,
  connectionsProbe,
  unitsProbe,
  processesProbe,
  logsProbe,
  containersProbe,
  insideProbe,
  replacedProbe,
  containerLogsProbe,
  ...nginxProbes,
  ...configProbes,
  trustProbe,
  // Last: it is compared with what processesProbe saw.
  cpuProbe,
];

export function probesOf(seat: Ask['seat']): readonly Probe[] {
  return hostProbes.filter((probe) => probe.seats.includes(seat));
}

/** What a round asks of a host. */
export function sectionsOf(ask: Ask) {
  return probesOf(ask.seat).flatMap((probe) => probe.sections(ask));
}
