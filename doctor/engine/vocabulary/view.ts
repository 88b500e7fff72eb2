// How rules look at facts: from the side of one gateway (`gw` = that one), with every read noted, so that a conclusion can name the facts
// that it stands on and the facts that it missed.
import type { Fact, FactKey, FactTypes, Reading, Vantage } from './facts.ts';
import type { FactStore } from './store.ts';
import type { GatewayTopology, Topology } from './topology.ts';

/** A vantage as rules write it: `gw` is the gateway that is being looked at. */
export type Seat = 'op' | 'be' | 'be/ns:nginx' | 'be/ns:agent' | 'gw';

/** One fact that was asked for. */
export interface FactRef {
  readonly key: FactKey;
  readonly vantage: string;
  readonly subject: string;
}

export interface Read extends FactRef {
  readonly fact: Fact | null;
  readonly status: 'known' | 'unknown' | 'not-applicable';
}

export interface View {
  readonly topology: Topology;
  /** Null when the topology has no gateway: everything seen from `gw` is then not applicable. */
  readonly gateway: GatewayTopology | null;
  /** A subject of `gw` means `gw:ID`. */
  read<K extends FactKey>(key: K, seat: Seat, subject?: string): Reading<FactTypes[K]>;
  /** The value, or null when it is not known. For texts and details, never for decisions. */
  value<K extends FactKey>(key: K, seat: Seat, subject?: string): FactTypes[K] | null;
}

export interface RecordingView extends View {
  readonly reads: readonly Read[];
}

export function createView(store: FactStore, topology: Topology, gateway: GatewayTopology | null): RecordingView {
  const reads: Read[] = [];
  const view: RecordingView = {
    topology,
    gateway,
    reads,
    read<K extends FactKey>(key: K, seat: Seat, subject = ''): Reading<FactTypes[K]> {
      if (!gateway && (seat === 'gw' || subject === 'gw')) {
        return { status: 'not-applicable', why: 'no gateway in the topology' };
      }
      const id = `gw:${gateway?.id ?? ''}` as const;
      const vantage: Vantage = seat === 'gw' ? id : seat;
      const named = subject === 'gw' ? id : subject;
      const reading = store.get(key, vantage, named);
      reads.push({ key, vantage, subject: named, fact: store.find(key, vantage, named), status: reading.status });
      return reading;
    },
    value(key, seat, subject = '') {
      const reading = view.read(key, seat, subject);
      return reading.status === 'known' ? reading.value : null;
    },
  };
  return view;
}
