// The probes that look at a host in its one round, in the order in which they are asked. A new probe is a row here.

import type { Ask, Probe } from './define-probe.ts';
import { addressesProbe, firewallProbe, hostsFileProbe, identityProbe, mountsProbe, nameProbe } from './host.ts';
import type { Section } from './script.ts';
import { countersProbe } from './sockets.ts';
import { setupProbe } from './unit-setup.ts';

export const hostProbes: readonly Probe[] = [
  identityProbe,
  addressesProbe,
  hostsFileProbe,
  nameProbe,
  mountsProbe,
  firewallProbe,
  countersProbe,
  setupProbe,
];

export function probesOf(seat: 'be' | 'gw'): readonly Probe[] {
  return hostProbes.filter((probe) => probe.seats.includes(seat));
}

/** What a round asks of one kind of host. */
export function sectionsOf(seat: 'be' | 'gw', ask: Ask): readonly Section[] {
  return probesOf(seat).map((probe) => probe.section(ask));
}
