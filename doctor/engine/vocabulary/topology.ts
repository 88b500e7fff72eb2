// The intent that a run is judged against: which hosts, names, ports and units are meant to make up the installation.
// Written from the inventory, or discovered (then `inferred` names what was guessed). Holds no observation.

/** One machine that the doctor can try to see. `local` means: the machine that the doctor itself runs on, no SSH. */
export interface HostRef {
  /** The inventory's name of the host, or what was typed after --backend / --gateway. */
  readonly name: string;
  /** Address or name that is dialled; for display and for comparing with DNS answers. */
  readonly address: string;
  readonly transport: 'ssh' | 'local';
}

/** How a part is kept running. `process`: started by hand or by `viworks up`; `none`: this installation has no such part. */
export type Supervision = 'systemd' | 'docker' | 'process' | 'none';

export interface BackendTopology {
  readonly host: HostRef;
  readonly supervision: Supervision;
  /** Unit that is expected to run it, e.g. `viworks-backend-agent.service`; null when not systemd. */
  readonly unit: string | null;
  /** Socket units that may own the listeners on the backend's behalf; empty when there are none. */
  readonly sockets: readonly string[];
  /** Container that is expected to run it; null when not Docker. */
  readonly container: string | null;
  readonly apiPort: number;
  readonly agentsPort: number;
  readonly heartbeatSeconds: number;
}

export interface NginxTopology {
  readonly supervision: Supervision;
  readonly unit: string | null;
  readonly container: string | null;
}

export interface GatewayTopology {
  readonly id: string;
  readonly host: HostRef;
  readonly supervision: Supervision;
  readonly unit: string | null;
  readonly container: string | null;
  /** `viworks-launcher.service`, or null where tasks are not started by a unit of their own (other installations, `viworks up`). */
  readonly launcherUnit: string | null;
}

export interface Topology {
  readonly name: string;
  /** `viworks`: our own agents (HELLO, registry, canary apply); `other`: an installation of the same shape that we did not make. */
  readonly kind: 'viworks' | 'other';
  /** The canonical URL that gateways are meant to dial, e.g. `wss://agents.example.test/ws/agent`. */
  readonly url: string;
  readonly serverName: string;
  readonly publicPort: number;
  readonly path: string;
  readonly backend: BackendTopology;
  readonly nginx: NginxTopology;
  readonly gateways: readonly GatewayTopology[];
  /** Dotted names of the fields that were discovered or defaulted rather than told, e.g. `backend.unit`. */
  readonly inferred: readonly string[];
}
