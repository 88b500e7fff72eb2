// The shapes of what live probes get back from the network: names, TCP, TLS, HTTP, the WebSocket upgrade, registry and canary; and of
// what configuration files say. Values only, no judgement.

/** `getent ahosts NAME` (gateway, backend) or the operator's resolver. A name that does not resolve is a known value with `error`. */
export interface DnsAnswer {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly error: 'nxdomain' | 'temporary' | 'timeout' | 'other' | null;
  /** Where the answer came from, when it is certain: a line of /etc/hosts, else the resolver. */
  readonly source: 'hosts-file' | 'resolver' | 'unknown';
  readonly milliseconds: number | null;
}

/** One TCP dial. Through an SSH forward: reason 2 = refused, timeout = dropped; a forward the server forbids is Unknown, not an outcome. */
export interface TcpConnect {
  readonly address: string;
  readonly port: number;
  readonly outcome: 'connected' | 'refused' | 'timeout' | 'unreachable' | 'reset';
  readonly milliseconds: number;
}

/** Several dials of one port: those that came late needed a packet to be sent twice, those that were lost got no answer in time. */
export interface DialRates {
  readonly attempts: number;
  readonly late: number;
  readonly lost: number;
}

export interface Certificate {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly serial: string;
  readonly sha256: string;
  readonly selfSigned: boolean;
}

/** The certificate that a verification code speaks of: 0 is the leaf; `trust` means that it stands in the trust file, not in what was served. */
export interface Culprit {
  readonly depth: number;
  readonly place: 'served' | 'trust';
  readonly certificate: Certificate;
}

/** A TLS handshake with SNI = server name. `verification` is Node's code (`OK`, `CERT_HAS_EXPIRED`, …) with the vantage's own trust. */
export interface TlsObservation {
  readonly address: string;
  readonly port: number;
  readonly serverName: string;
  readonly handshake: 'ok' | 'failed' | 'timeout';
  /** Node's error code when the handshake itself failed, e.g. `ERR_SSL_WRONG_VERSION_NUMBER`, `ECONNRESET`. */
  readonly error: string | null;
  readonly protocol: string | null;
  /** Leaf first, as served. */
  readonly chain: readonly Certificate[];
  readonly verification: string;
  /** Null where the code is about no certificate; left out by recordings that are older than this field. */
  readonly culprit?: Culprit | null;
  /** What it was judged with: `gateway bundle /etc/viworks/ca.pem`, `system roots of gw1`, `operator roots`. */
  readonly trust: string;
}

/** A certificate file on disk that nginx names (root, or world-readable). */
export interface DiskCertificate {
  readonly path: string;
  readonly certificate: Certificate;
  readonly mtimeMs: number;
}

/** One HTTP/1.1 request. */
export interface HttpObservation {
  readonly url: string;
  readonly outcome: 'response' | 'refused' | 'timeout' | 'reset' | 'closed' | 'unreachable' | 'tls-error';
  /** Whether the port took the connection; left out by recordings that are older than this field. */
  readonly connected?: boolean;
  readonly status: number | null;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** First 2000 characters. */
  readonly body: string;
  readonly milliseconds: number;
  /** Requests sent and failed, where it was repeated. */
  readonly attempts?: number;
  readonly failures?: number;
}

/** How far an upgrade came. Each stage includes those before it. `101` is reached at `accepted`. */
export const upgradeStages = [
  ...(['none', 'tcp', 'tls', 'response', 'accepted'] as const),
  ...(['challenge', 'hello', 'ping', 'closed'] as const),
];
export type UpgradeStage = (typeof upgradeStages)[number];

/** One raw WebSocket upgrade (HTTP/1.1, random key) and what the server said afterwards. */
export interface UpgradeObservation {
  readonly url: string;
  readonly address: string;
  readonly port: number;
  readonly path: string;
  /** The last stage that succeeded. */
  readonly reached: UpgradeStage;
  /** Why it ended there; `ok` = everything that this probe may do was done. */
  readonly ended:
    | 'ok'
    | 'refused'
    | 'unreachable'
    | 'timeout'
    | 'reset'
    | 'closed'
    | 'tls-error'
    | 'status'
    | 'bad-accept-key'
    /** 101 in every other respect, and without the subprotocol that the agents insist on: they leave at once. */
    | 'no-subprotocol'
    | 'protocol'
    | 'not-sent';
  /** Status line's code, null when no response came. */
  readonly status: number | null;
  readonly headers: Readonly<Record<string, string>>;
  /** First 500 characters of a non-101 answer's body. */
  readonly body: string;
  readonly acceptKeyOk: boolean | null;
  /** After 101: the server sent its CHALLENGE. Null for installations whose protocol has none. */
  readonly challenged: boolean | null;
  /** Coded answer to our HELLO: `accepted` (probe token), `refused` (also proves the server loop), `silent`, or not sent. */
  readonly hello: 'accepted' | 'refused' | 'silent' | 'not-sent';
  readonly refusalCode: string | null;
  readonly pongReceived: boolean | null;
  readonly closeCode: number | null;
  readonly tlsError: string | null;
  readonly milliseconds: { readonly tcp: number | null; readonly tls: number | null; readonly response: number | null };
  /** Attempts made and failed; of several that end differently this is one that failed. */
  readonly attempts: number;
  readonly failures: number;
}

/** One file of nginx's configuration. */
export interface NginxFile {
  readonly path: string;
  readonly text: string;
  readonly mtimeMs: number | null;
}

/** Every readable file that nginx.conf includes, or the parts of `nginx -T`. */
export interface NginxFiles {
  readonly entry: string;
  readonly files: readonly NginxFile[];
  /** Files that were named by an include and could not be read. */
  readonly unreadable: readonly string[];
}

/** `nginx -t` (root). */
export interface NginxTest {
  readonly ok: boolean;
  readonly output: string;
}

/** Master and workers from /proc/*\/cmdline (`nginx: worker process`). */
export interface NginxProcesses {
  readonly version: string | null;
  readonly masterPid: number | null;
  readonly masterStartedAtMs: number | null;
  readonly workers: readonly {
    readonly pid: number;
    readonly startedAtMs: number | null;
    readonly shuttingDown: boolean;
    /** As in /proc/PID/status; left out by recordings that are older than this field. */
    readonly state?: string;
  }[];
}

/** A backend or gateway configuration file as the agent on that host would read it. */
export interface AgentConfig {
  readonly path: string;
  readonly parsed: boolean;
  /** Parse or validation error, as precise as known. */
  readonly error: { readonly line: number | null; readonly key: string | null; readonly message: string } | null;
  /** Dotted keys → scalar as text (`agents.port` → `8081`); lists joined by `, `; secrets left out. */
  readonly values: Readonly<Record<string, string>>;
  /** Normalised by the probe from whatever names the installation uses; null = not in the file. */
  readonly url: string | null;
  readonly gatewayId: string | null;
  readonly apiPort: number | null;
  readonly agentsPort: number | null;
  readonly agentsBind: string | null;
  readonly heartbeatSeconds: number | null;
  readonly mtimeMs: number | null;
  /** Where the URL stands in the file; left out by recordings that are older than this field, and where the format has no lines. */
  readonly urlPlace?: { readonly key: string; readonly line: number };
}

/** The gateway's own health page (8443, loopback) in short. */
export interface GatewayHealth {
  readonly status: number;
  readonly healthy: boolean;
  /** The link part's state: `up`, `down`, `connecting`, …; null when the page does not say. */
  readonly link: string | null;
  readonly launcher: string | null;
  readonly version: string | null;
  /** What its journal and its spool complain of; left out by recordings that are older than this field. */
  readonly storage?: readonly string[];
}

/** GET /api/v1/gateways/:id. */
export interface RegistryEntry {
  readonly listed: boolean;
  /** `online`, `offline`, … as the API says it; empty when not listed. */
  readonly state: string;
  readonly online: boolean;
  readonly lastSeenAtMs: number | null;
  readonly address: string | null;
  /** Since when its session lasts, by the backend's clock; left out by recordings that are older than this field. */
  readonly connectedAtMs?: number;
  /** How the session before it ended. */
  readonly lastClose?: { readonly code: number; readonly name: string };
}

/** The canary command's end: exit code 0 and equal hash = `ok`. */
export interface CanaryResult {
  readonly outcome: 'ok' | 'refused' | 'failed' | 'mismatch' | 'timeout' | 'offline' | 'forbidden';
  /** The wire or API code of a refusal, e.g. `start_failed`, `denied`, `expired`. */
  readonly code: string | null;
  readonly message: string;
  /** What stood in the way, as the gateway says it; absent where it says none (older releases, other programs). */
  readonly obstacle?: { readonly stage: string; readonly errno?: string | undefined };
  /** A small canary came back where this one did not; and on which way it was lost, where that was seen. */
  readonly onlySmall?: {
    readonly bytes: number;
    readonly lostBytes: number;
    readonly lostOn?: 'to-gateway' | 'from-gateway';
  };
  readonly exitCode: number | null;
  readonly milliseconds: number;
}
