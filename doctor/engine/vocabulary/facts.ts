// The fact vocabulary: every key, what it holds, from where it is seen and by which command it is filled. Probes fill it, checks and causes
// read it. A fact is known, unknown with a reason, or not applicable; absence can therefore never be mistaken for "no".
import type {
  AgentConfig,
  CanaryResult,
  DialRates,
  DiskCertificate,
  DnsAnswer,
  GatewayHealth,
  HttpObservation,
  NginxFiles,
  NginxProcesses,
  NginxTest,
  RegistryEntry,
  TcpConnect,
  TlsObservation,
  UpgradeObservation,
} from './contacts.ts';
import type {
  Connection,
  Container,
  FirewallRule,
  HostAccess,
  HostClock,
  HostIdentity,
  HostsLine,
  ListenCounters,
  Listener,
  LogTail,
  Loopback,
  Mount,
  ProcessState,
  QueueSamples,
  ReplacedFile,
  UnitState,
} from './observations.ts';
import type { RouteFact } from './route.ts';
import type { UnitSetup } from './unit-setup.ts';

/**
 * From where something was seen. `op` = where the doctor runs; `be` = the backend host; `be/ns:nginx`, `be/ns:agent` = the network
 * namespace of nginx's or the backend's container (only filled when it is not the host's own); `gw:ID` = the host of gateway ID.
 */
export type Vantage = 'op' | 'be' | 'be/ns:nginx' | 'be/ns:agent' | `gw:${string}`;

/** Parts that have a unit, a process or a log. */
export type Part =
  | 'backend'
  | 'backend-api-socket'
  | 'backend-agents-socket'
  | 'gateway'
  | 'launcher'
  | 'launcher-socket'
  | 'nginx'
  | 'nginx-error'
  | 'docker';

/**
 * What a dial goes to. `public` = server name : public port, through nginx; `agents` = the WebSocket port itself; `api` = the API port
 * itself; `upstream` = the address that nginx's route of the agent path really names (differs from `agents` when nginx is wrong).
 */
export type Target = 'public' | 'agents' | 'api' | 'upstream';

/**
 * Upgrade probes. `public` = canonical path through nginx; `public-agent-path` = the path that this gateway is configured with, through
 * nginx; `direct` = canonical path on the agents port; `direct-root` = `/` on the agents port; `direct-agent-path` = the gateway's path there;
 * `agent-url` = exactly what the gateway is configured to dial, where that is another host or port than the canonical one.
 */
export type UpgradeTarget =
  | 'public'
  | 'public-agent-path'
  | 'direct'
  | 'direct-root'
  | 'direct-agent-path'
  | 'agent-url';

/** HTTP probes. `api-health` = GET /health on the API port; `agents-health` = GET /health on the agents port; `public-api` = a page of the API (apiPath) through nginx. */
export type HttpTarget = 'api-health' | 'agents-health' | 'public-api';

/**
 * Key → value. The comment of each key says: vantages · subject · filled by.
 * The subject is the part after the key that tells several facts of one key at one vantage apart; '' where there is only one.
 */
export interface FactTypes {
  /** op · subject `be` or `gw:ID` · the SSH connection itself. Only for hosts whose transport is ssh; else not applicable. */
  readonly 'host.access': HostAccess;
  /** be, gw:ID · '' · uname, id, os-release, /proc/stat. */
  readonly 'host.identity': HostIdentity;
  /** be, gw:ID · '' · date beside our clock. */
  readonly 'host.clock': HostClock;
  /** be, gw:ID · '' · df -kP, df -iP, /proc/self/mounts. */
  readonly 'host.mounts': readonly Mount[];
  /** be, gw:ID · '' · ip -o addr | /proc/net/fib_trie: all own addresses, loopback left out. */
  readonly 'host.addresses': readonly string[];
  /** be, gw:ID · '' · the interface lo: whether it is up, and its addresses. */
  readonly 'host.loopback': Loopback;
  /** gw:ID, be · '' · cat /etc/hosts: the lines that name the server name (all lines are fine). */
  readonly 'host.hosts-file': readonly HostsLine[];

  /** be, be/ns:nginx, be/ns:agent, gw:ID · '' · ss -ltn or /proc/net/tcp{,6} (+ owner when visible). An empty list is a known value. */
  readonly 'tcp.listeners': readonly Listener[];
  /** be (be/ns:…) · '' · /proc/net/netstat. */
  readonly 'tcp.listen-counters': ListenCounters;
  /** be or be/ns:agent · `agents` or `api` · ss -ltn around a held dial. */
  readonly 'tcp.queue': QueueSamples;
  /** gw:ID (be) · '' · ss -tn state all / /proc/net/tcp: only rows to the public, agents or API port of the backend's addresses; empty list = none. */
  readonly 'tcp.connections': readonly Connection[];
  /** op, gw:ID, be, be/ns:nginx · Target · a TCP dial through that host's SSH forward (from here for op). */
  readonly 'tcp.connect': TcpConnect;

  /** gw:ID · `public` · several dials at once, sent only where an earlier one was late or lost. */
  readonly 'tcp.dials': DialRates;
  /** gw:ID · `public` · a dial of each address of the server name, where it has several. */
  readonly 'tcp.addresses': readonly TcpConnect[];

  /** be, gw:ID · Part · systemctl show NAME (NAME from the topology). Not applicable where supervision is not systemd. */
  readonly 'unit.state': UnitState;
  /** be, gw:ID · Part · systemctl show and status of the unit, and the files that `systemctl cat` prints. As for unit.state. */
  readonly 'unit.setup': UnitSetup;
  /** be, gw:ID · Part · /proc/PID of the unit's MainPID (or of the container's or hand-started process). */
  readonly 'process.state': ProcessState;
  /** be, gw:ID · Part · journalctl -u, nginx's error log (part `nginx-error`), docker logs. Unknown(no-permission) without the right. */
  readonly 'log.tail': LogTail;

  /** be · '' · cat of nginx.conf and what it includes (from inside the container for Docker), or `nginx -T`. */
  readonly 'nginx.files': NginxFiles;
  /** be · '' · nginx -t (root, or docker exec). */
  readonly 'nginx.test': NginxTest;
  /** be · cause code · nginx -t over a private copy of the files with the cause's edit in it (root). */
  readonly 'nginx.trial': NginxTest;
  /** be, gw:ID · cause code · systemd-analyze verify over a private copy of a unit's files with the cause's edit in it (root). */
  readonly 'unit.trial': NginxTest;
  /** be · '' · /proc/*\/cmdline + stat; version from `nginx -v`. No nginx process = known with masterPid null. */
  readonly 'nginx.processes': NginxProcesses;
  /** be · `agents` (canonical path) | `api` (`/health`) | `gw:ID` (that gateway's configured path) · DERIVED by doctor/nginx from nginx.files; probes never fill it. */
  readonly 'nginx.route': RouteFact;

  /** be: part `backend`; gw:ID: part `gateway` · parse of the TOML that the unit's command line names. */
  readonly 'agent.config': AgentConfig;

  /** op, be, gw:ID · `public` · TLS handshake to server name : public port with that vantage's trust. */
  readonly 'tls.certificate': TlsObservation;
  /** be · '' · openssl-free parse of the file that ssl_certificate names. */
  readonly 'tls.disk-certificate': DiskCertificate;

  /** op, be, gw:ID · '' · getent ahosts SERVER_NAME (dns.lookup for op). */
  readonly 'dns.answer': DnsAnswer;
  /** be: api-health, agents-health; op, be, gw:ID: public-api · one GET over HTTP/1.1. */
  readonly 'http.response': HttpObservation;
  /** be: direct, direct-root, direct-agent-path, public; be/ns:nginx: direct; gw:ID and op: public, public-agent-path; gw:ID: agent-url · raw upgrade. */
  readonly 'ws.upgrade': UpgradeObservation;

  /** gw:ID · '' · GET /api/v1/health on the gateway's local API. */
  readonly 'gateway.health': GatewayHealth;
  /** op (or be, over loopback) stored at `op` · gateway id · GET /api/v1/gateways/ID with a token. */
  readonly 'registry.entry': RegistryEntry;
  /** op · gateway id · canary command through the API. Not applicable for kind `other`; unknown(no-token) without a token,
   *  unknown(peer-unproven) where the API port is not proven to be held by the backend. */
  readonly canary: CanaryResult;

  /** be, gw:ID · '' · docker ps -a + inspect. Not applicable without Docker in the topology. */
  readonly 'docker.containers': readonly Container[];
  /** be · '' · /proc/PID/mountinfo of the containers: files that were put into them and are no longer the host's. */
  readonly 'docker.replaced': readonly ReplacedFile[];
  /** be, gw:ID · '' · iptables-save -c / nft -j list ruleset (root). */
  readonly 'firewall.rules': readonly FirewallRule[];
}

export type FactKey = keyof FactTypes;

/** What a kind of fact is called among people. */
export const factNames: Readonly<Record<FactKey, string>> = {
  'host.access': 'our own way to the host over SSH',
  'host.identity': 'the machine itself',
  'host.clock': "the host's clock beside ours",
  'host.mounts': 'the file systems and the room on them',
  'host.addresses': 'the addresses of the host',
  'host.loopback': 'the loopback interface',
  'host.hosts-file': '/etc/hosts',
  'tcp.listeners': "the kernel's table of listeners",
  'tcp.listen-counters': "the kernel's counters of dropped connections",
  'tcp.queue': 'the accept queue during a dial that is held',
  'tcp.connections': "the gateway's sockets to the backend",
  'tcp.connect': 'a dial of the port',
  'tcp.dials': 'several dials of the port at once',
  'tcp.addresses': 'a dial of each address of the name',
  'unit.state': 'what systemd says of the unit',
  'unit.setup': "the unit's files, conditions and dependencies",
  'process.state': 'the process in /proc',
  'log.tail': 'the log since the last start',
  'nginx.files': "nginx's configuration on disk",
  'nginx.test': 'nginx -t',
  'nginx.trial': 'nginx -t with the proposed edit in place',
  'unit.trial': 'systemd-analyze verify with the proposed edit in place',
  'nginx.processes': "nginx's processes and when they started",
  'nginx.route': 'what the configuration does with this very request',
  'agent.config': "the agent's own configuration",
  'tls.certificate': 'the TLS handshake and the certificate that is served',
  'tls.disk-certificate': 'the certificate file on disk',
  'dns.answer': 'what the server name resolves to',
  'http.response': 'a GET of the HTTP API',
  'ws.upgrade': 'a WebSocket upgrade of our own, through nginx and bypassing it',
  'gateway.health': "the gateway's own health page",
  'registry.entry': "the backend's list of gateways",
  canary: 'a harmless command sent to the gateway',
  'docker.containers': 'the containers',
  'docker.replaced': 'files of the host that a container has from before they were replaced',
  'firewall.rules': 'the rules of the packet filter',
};

/**
 * Why something is not known. `lost`: the way to the host broke while it was looked at; `cut`: the look ended before this part came (run
 * stopped, deadline, shell ended early). Both say something of the look and nothing of what was looked at.
 */
export type UnknownReason =
  | 'lost'
  | 'cut'
  | 'not-run'
  | 'no-permission'
  | 'tool-missing'
  | 'timeout'
  | 'unreachable'
  | 'unparsed'
  | 'no-token'
  /** A token was sent, and the API did not take it. */
  | 'token-refused'
  /** The other end of a connection was not proven to be the backend, so that no token was sent. */
  | 'peer-unproven'
  | 'forward-forbidden';

export type Known<T> = { readonly status: 'known'; readonly value: T };
export type Unknown = { readonly status: 'unknown'; readonly reason: UnknownReason; readonly detail: string };
export type NotApplicable = { readonly status: 'not-applicable'; readonly why: string };
export type Reading<T> = Known<T> | Unknown | NotApplicable;

/** Points at the raw bytes that a fact was read from, well enough to look again by hand. */
export interface Evidence {
  /** Name of the host, for people (`be1`). */
  readonly host: string;
  readonly atMs: number;
  /** A command that somebody can paste to see the same, e.g. `ssh root@192.0.2.10 ss -ltn`. */
  readonly command: string;
  /** The exact lines that matter, at most 5. */
  readonly lines: readonly string[];
  /** SHA-256 of the full raw output, hex; '' when there was none. */
  readonly sha256: string;
}

/** One observation. Immutable; a later fact of the same key, vantage and subject supersedes it, the earlier one stays in the series. */
export type Fact = {
  readonly [K in FactKey]: {
    readonly key: K;
    readonly vantage: Vantage;
    readonly subject: string;
    /** Id of the probe that saw it. */
    readonly probe: string;
    readonly reading: Reading<FactTypes[K]>;
    readonly evidence: Evidence;
  };
}[FactKey];

/** Makes a fact; keeps the pairing of key and value type checked at the place where a probe writes it. */
export function fact<K extends FactKey>(of: {
  readonly key: K;
  readonly vantage: Vantage;
  readonly subject?: string;
  readonly probe: string;
  readonly reading: Reading<FactTypes[K]>;
  readonly evidence: Evidence;
}): Fact {
  return { ...of, subject: of.subject ?? '' } as Fact;
}

export function known<T>(value: T): Known<T> {
  return { status: 'known', value };
}

export function unknown(reason: UnknownReason, detail = ''): Unknown {
  return { status: 'unknown', reason, detail };
}

export function notApplicable(why: string): NotApplicable {
  return { status: 'not-applicable', why };
}
