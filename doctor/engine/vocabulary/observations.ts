// The shapes of what probes find on hosts: machine, sockets, processes, units, logs, containers, firewall. Values only, no judgement.
// Times are milliseconds since the epoch by the observed host's clock unless the name says otherwise; null = that detail was not available.

/** How the doctor's own way to a host went. Probe: the SSH connection itself (vantage `op`). */
export interface HostAccess {
  readonly outcome:
    | 'ok'
    | 'name-unresolved'
    | 'refused'
    | 'timeout'
    | 'unreachable'
    /** Connected, and closed again before or during the login. */
    | 'cut-off'
    | 'protocol-error'
    | 'host-key-unknown'
    | 'host-key-changed'
    /** Another type of key is known than those that the host has. */
    | 'host-key-other-type'
    /** A key with a passphrase that nobody unlocked. */
    | 'key-not-offered'
    | 'auth-denied'
    /** A key was accepted, and a second factor is asked for. */
    | 'more-wanted'
    | 'too-many-keys'
    /** A key was accepted, and the account is not let in. */
    | 'account-closed'
    /** Something is missing on this machine; the host was not asked. */
    | 'not-tried'
    /** Logged in, and none of our commands ever ran: a forced command, nologin, a restricted shell. */
    | 'no-shell'
    /** Logged in, and the connection broke before everything was looked at. */
    | 'cut';
  readonly user: string;
  readonly address: string;
  readonly port: number;
  readonly message: string;
  readonly milliseconds: number | null;
  /** Host key fingerprints, `SHA256:…`: the pinned or known one, and the one that was offered. */
  readonly expectedKey: string | null;
  readonly offeredKey: string | null;
  /** What the transport advises for this end; absent in recordings of older versions. */
  readonly remedy?: string | undefined;
}

/** `uname -sr; id -u; id -un; cat /etc/os-release; /proc/stat btime; test -d /run/systemd/system`. */
export interface HostIdentity {
  readonly hostname: string;
  readonly kernel: string;
  readonly system: string;
  readonly user: string;
  readonly root: boolean;
  readonly systemd: boolean;
  readonly bootedAtMs: number | null;
}

/** `date +%s.%N` beside the operator's clock. `offsetMs` = host minus operator, half the round trip taken off; true within ±`errorMs`. */
export interface HostClock {
  readonly epochMs: number;
  readonly offsetMs: number;
  readonly errorMs: number;
}

/** One line of `df -kP` and `df -iP` joined with `/proc/self/mounts`. */
export interface Mount {
  readonly path: string;
  readonly fileSystem: string;
  readonly usedPercent: number;
  readonly availableBytes: number;
  readonly inodesUsedPercent: number | null;
  readonly readOnly: boolean;
}

/** The interface lo. */
export interface Loopback {
  readonly up: boolean;
  readonly addresses: readonly string[];
}

/** A name line of /etc/hosts (comments left out). */
export interface HostsLine {
  readonly line: number;
  readonly address: string;
  readonly names: readonly string[];
  readonly text: string;
}

/** A LISTEN row of `ss -ltn` or /proc/net/tcp{,6}, with its owner as far as this user may see it. */
export interface Listener {
  /** `127.0.0.1`, `0.0.0.0`, `::`, `::1`, … (no brackets, no zone). */
  readonly address: string;
  readonly port: number;
  /** Connections that wait to be accepted, and the backlog. */
  readonly recvQ: number;
  readonly sendQ: number;
  readonly uid: number | null;
  readonly pid: number | null;
  /** Command name of the owner, e.g. `node`, `nginx`, `docker-proxy`, `systemd`. */
  readonly process: string | null;
  /** Last part of the owner's cgroup: `viworks-backend-agent.service`, `session-3.scope`, `docker-<id>.scope`, `init.scope`. */
  readonly unit: string | null;
  /** `observed`: by inode → pid; `inferred`: guessed from uid and command lines; `unknown`: not visible to this user. */
  readonly ownership: 'observed' | 'inferred' | 'unknown';
  /** R, S, D, T, t, Z of the owner as in /proc/PID/status; left out where it was not examined. */
  readonly state?: string;
}

/** `TcpExt: ListenOverflows, ListenDrops` of /proc/net/netstat (counted since boot, per network namespace). */
export interface ListenCounters {
  readonly listenOverflows: number;
  readonly listenDrops: number;
}

/** Recv-Q of one LISTEN row before, during and after an extra dial that stays open for `heldMs` and is then closed. */
export interface QueueSamples {
  readonly address: string;
  readonly port: number;
  readonly backlog: number;
  readonly before: number;
  readonly during: number;
  /** After the close; null when it was not read again. */
  readonly after: number | null;
  readonly dialConnected: boolean;
  readonly heldMs: number;
}

/** A row of `ss -tn state all` that is not LISTEN: our connections to the backend. */
export interface Connection {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** `ESTABLISHED`, `SYN-SENT`, `CLOSE-WAIT`, `TIME-WAIT`, … */
  readonly state: string;
  readonly uid: number | null;
  readonly pid: number | null;
  /** Owner's unit as in Listener.unit; null when not visible. */
  readonly unit: string | null;
}

/** `systemctl show UNIT -p …`. A unit that does not exist is a known value with loadState `not-found`, not an unknown. */
export interface UnitState {
  readonly name: string;
  /** `loaded`, `not-found`, `masked`, `bad-setting`, `error`. */
  readonly loadState: string;
  /** `enabled`, `disabled`, `static`, `masked`, `generated`, `alias`, … or empty. */
  readonly unitFileState: string;
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`. */
  readonly activeState: string;
  /** `running`, `dead`, `auto-restart`, `listening`, `start-limit-hit` is in `result`. */
  readonly subState: string;
  /** `success`, `exit-code`, `signal`, `timeout`, `watchdog`, `oom-kill`, `resources`, `start-limit-hit`, … */
  readonly result: string;
  readonly restarts: number;
  /** ExecMainStatus: exit status (203 = EXEC, 200 = CHDIR, 226 = NAMESPACE …) or signal number, by `mainCode` (`exited`, `killed`, `dumped`). */
  readonly mainStatus: number;
  readonly mainCode: string;
  readonly mainPid: number | null;
  /** The command line of ExecStart as systemd holds it in memory (`argv[]=…`). */
  readonly execStart: string;
  readonly needDaemonReload: boolean;
  readonly fragmentPath: string;
  /** ExecMainStartTimestamp, ActiveEnterTimestamp, InactiveEnterTimestamp, StateChangeTimestamp. */
  readonly mainStartedAtMs: number | null;
  readonly activeSinceMs: number | null;
  readonly inactiveSinceMs: number | null;
  readonly changedAtMs: number | null;
  readonly user: string;
  /** Restart= (`no`, `always`, `on-failure`, …) and Type= (`simple`, `notify`, …). */
  readonly restartPolicy: string;
  readonly type: string;
}

/** /proc/PID/{status,stat,cmdline,cgroup,limits,exe} of a part's main process. `running: false` = known to have no process. */
export type ProcessState =
  | { readonly running: false }
  | {
      readonly running: true;
      readonly pid: number;
      /** R, S, D, T, t, Z as in /proc/PID/status. */
      readonly state: string;
      readonly startedAtMs: number | null;
      readonly commandLine: string;
      readonly unit: string | null;
      /** /proc/PID/exe ends in ` (deleted)`; null without the right to read it. */
      readonly binaryDeleted: boolean | null;
      /** mtime of the program file on disk. */
      readonly binaryMtimeMs: number | null;
      /** CPU share over the probe's sampling time, 0 to 100 a core. */
      readonly cpuPercent: number | null;
      readonly openFiles: number | null;
      readonly openFilesLimit: number | null;
    };

export interface LogLine {
  readonly atMs: number | null;
  readonly text: string;
  /** Written after the first look at the log, hence while our own dials went on. */
  readonly late?: true;
}

/** The tail of one log, only lines since the last start of the part (journalctl -u U --since …, tail of error.log, docker logs --since …). */
export interface LogTail {
  readonly source: 'journal' | 'file' | 'docker';
  /** Where the window begins: the last state change (start or stop) of the part; null = could not be bounded (then lines support, never prove). */
  readonly sinceMs: number | null;
  /** Oldest first; JSON log lines are left as they are. */
  readonly lines: readonly LogLine[];
  /** Older lines of the window were cut off. */
  readonly truncated: boolean;
  /** It was looked at once more when our dials had ended: what they led to is in it, marked `late`. */
  readonly again?: true;
}

/** One container of `docker ps -a` + `docker inspect`. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** `running`, `exited`, `restarting`, `created`, `paused`, `dead`. */
  readonly state: string;
  readonly exitCode: number;
  readonly restartPolicy: string;
  readonly restartCount: number;
  /** `healthy`, `unhealthy`, `starting`, or null without a health check. */
  readonly health: string | null;
  readonly startedAtMs: number | null;
  /** Host pid of its main process, null when not running. */
  readonly pid: number | null;
  /** `host`, `bridge`, or a network's name. */
  readonly networkMode: string;
  readonly networks: readonly {
    readonly name: string;
    readonly address: string;
    readonly aliases: readonly string[];
  }[];
  readonly ports: readonly {
    readonly hostAddress: string;
    readonly hostPort: number;
    readonly containerPort: number;
  }[];
}

/** A single file that is mounted into a container, and that somebody replaced on the host since: the container keeps the old one. */
export interface ReplacedFile {
  /** Host pid of the container's main process. */
  readonly pid: number;
  /** As the kernel has it: the path within its file system. */
  readonly source: string;
  readonly destination: string;
}

/**
 * One rule of `iptables-save -c` / `nft list ruleset` (root), reduced to what a TCP path can meet. In the order in which they are asked.
 * `redirect` sends a connection elsewhere (DNAT, REDIRECT): it stands in a chain of its own kind, and stops nothing.
 */
export interface FirewallRule {
  readonly chain: string;
  readonly direction: 'in' | 'out' | 'forward';
  readonly action: 'drop' | 'reject' | 'accept' | 'other' | 'redirect';
  /** Of a redirect: where to, `192.0.2.1:8443` or `:8443`. */
  readonly to?: string;
  /** Destination port it is limited to; null = any, or those of `ports`. */
  readonly port: number | null;
  /** Several ports, or a range of them. */
  readonly ports?: readonly (readonly [from: number, to: number])[];
  /** An address, a network, several with commas; with `!` in front: all but these. */
  readonly source: string | null;
  readonly destination: string | null;
  /** With `!` in front: all but this one. */
  readonly interface: string | null;
  /** Whose packets it is about, as the rule has it: `uid 998`, `gid 998`, `cgroup system.slice/x.service`; with `!` in front: all but theirs. */
  readonly owner?: string;
  /** Whether it demands more of a new TCP connection than this row says. Left out by recordings that are older than this field. */
  readonly narrowed?: 'none' | 'some' | 'never';
  /** The base chain that it is reached from: an accept there ends the chain, and no other one. */
  readonly base?: string;
  readonly packets: number | null;
  readonly text: string;
}
