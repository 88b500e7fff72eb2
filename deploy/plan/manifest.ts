// What a release is and what a host remembers: the shapes that the deployer and the host helper agree on. No code but checks
// of what came over the wire.

/** One file of a release, relative to its directory. */
export interface ReleaseFile {
  readonly path: string;
  readonly sha256: string;
  readonly mode: number;
}

/** One file of a layer; its bytes follow in this order. */
export interface LayerFile extends ReleaseFile {
  readonly size: number;
}

/** Something outside of /opt/viworks that belongs to a release. What `yields` leaves its place to whatever stands there already. */
export type OuterEntry =
  | { readonly kind: 'link'; readonly path: string; readonly target: string; readonly yields?: boolean }
  | { readonly kind: 'file'; readonly path: string; readonly content: string; readonly mode: number };

/** A unit of a release. A unit whose fingerprint is the one that it was started with is not restarted. */
export interface ReleaseUnit {
  readonly name: string;
  readonly part: 'backend' | 'gateway';
  readonly kind: 'socket' | 'service';
  readonly fingerprint: string;
}

/** An account that the units need. */
export interface ReleaseAccount {
  readonly name: string;
  readonly home: string;
  /** Only a group, no user. */
  readonly groupOnly: boolean;
}

/** What the gates of a host look at. */
export interface ReleaseGates {
  readonly backend?: {
    readonly api: string;
    readonly agents: string;
    readonly path: string;
    readonly protocol: string;
    readonly tls: { readonly port: number; readonly serverName: string; readonly trust: string | null };
  };
  readonly gateway?: { readonly id: string; readonly localApi: string };
}

/** manifest.json of a release: everything that activating it, checking it and going back to it need. */
export interface Manifest {
  readonly schema: 1;
  readonly id: string;
  /** SHA-256 of the content, without the id itself. */
  readonly digest: string;
  readonly version: string;
  readonly revision: string;
  readonly app: string;
  readonly runtime: string;
  readonly files: readonly ReleaseFile[];
  readonly outer: readonly OuterEntry[];
  readonly units: readonly ReleaseUnit[];
  readonly accounts: readonly ReleaseAccount[];
  readonly secrets: readonly string[];
  readonly nginx: boolean;
  readonly gates: ReleaseGates;
}

/** A release as sent: its manifest, and the texts of its files. Secrets travel apart. */
export interface ReleaseParcel {
  readonly manifest: Manifest;
  readonly contents: Readonly<Record<string, string>>;
}

/** A thing that stood where one of ours stands now; kept so that it can be put back. */
export interface Foreign {
  readonly path: string;
  readonly kept: string;
}

/** state.json: the truth about a host. */
export interface HostState {
  readonly schema: 1;
  readonly phase: 'empty' | 'activating' | 'committed' | 'hold';
  readonly current: string | null;
  readonly previous: string | null;
  /** While activating: where to go back to. */
  readonly way: { readonly from: string | null; readonly to: string } | null;
  readonly bootId: string;
  readonly epoch: number;
  /** Fingerprint and release that each unit was last started with. */
  readonly started: Readonly<Record<string, { readonly fingerprint: string; readonly release: string }>>;
  readonly foreign: readonly Foreign[];
  readonly made: {
    readonly accounts: readonly string[];
    readonly groups: readonly string[];
    readonly packages: readonly string[];
    readonly directories: readonly string[];
  };
}

/** A managed file that is not what was shipped. */
export interface Drift {
  readonly path: string;
  readonly what: 'edited' | 'missing' | 'replaced' | 'mode';
}

/** What the helper sees on its host. */
export interface HostFacts {
  readonly hostname: string;
  readonly machineId: string;
  readonly architecture: string;
  readonly os: string;
  readonly osVersion: string;
  readonly systemd: number;
  readonly nginx: { readonly version: string; readonly active: boolean } | null;
  readonly ipv6: boolean;
  readonly perl: boolean;
  readonly state: HostState;
  readonly manifest: Manifest | null;
  readonly drift: readonly Drift[];
  /** Places that ours yielded to something foreign; an older helper does not say. */
  readonly yielded?: readonly string[];
  /** Units of the current release that are not active. */
  readonly inactive: readonly string[];
  readonly runtimes: readonly string[];
  readonly apps: readonly string[];
  readonly bad: readonly { readonly id: string; readonly reason: string }[];
  readonly freeBytes: number;
  readonly helper: string;
  readonly gatewayEnrolled: boolean;
  readonly sessions: number | null;
  /** Gateways that are linked to the backend of this host, where it can be asked. */
  readonly connected?: readonly string[];
}

const SAFE_PATH = /^(?!.*(^|\/)\.\.?(\/|$))[A-Za-z0-9._@-][A-Za-z0-9._@/-]*$/;

/** Whether a relative path stays inside its directory; everything that is unpacked goes through here. */
export function isSafePath(path: string): boolean {
  return path.length < 512 && SAFE_PATH.test(path) && !path.includes('//') && !path.endsWith('/');
}

/** Whether a string is a SHA-256 in hex. */
export function isDigest(value: string): boolean {
  return /^[0-9a-f]{64}$/.test(value);
}

/** Whether a string is the id of a release. */
export function isReleaseId(value: string): boolean {
  return /^\d{8}T\d{6}Z-[0-9a-f]{12}$/.test(value);
}
