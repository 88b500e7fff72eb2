// A healthy installation as facts, to be broken one fact at a time by the tests of checks, causes and outputs.
import {
  type AgentConfig,
  createFactStore,
  type Evidence,
  exampleTopology,
  type Fact,
  type FactKey,
  type FactStore,
  type FactTypes,
  type Reading,
  type Report,
  type RunMeta,
  type Topology,
  type UnitSetup,
  type UnitState,
  type UpgradeObservation,
  type Vantage,
} from '../../../doctor/engine/index.ts';
import { judgeFacts } from '../../../doctor/judge.ts';

const now = Date.UTC(2026, 10, 20, 3, 12, 7);
const day = 86_400_000;

export const topology: Topology = exampleTopology;

export const gw = 'gw:gw-berlin-1' as const;
export const gatewayId = 'gw-berlin-1';

export const meta: RunMeta = {
  run: 'r1',
  version: '0.1.0',
  startedAtMs: now,
  milliseconds: 900,
  probes: 64,
  complete: true,
};

export const goodServer = `map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      close;
}
server {
    listen 443 ssl;
    server_name agents.example.test;
    ssl_certificate /etc/viworks/cert.pem;
    location /ws/ {
        proxy_pass http://127.0.0.1:8081;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header Host $host;
        proxy_read_timeout 3600s;
        proxy_send_timeout 3600s;
    }
    location / {
        proxy_pass http://127.0.0.1:8080;
        proxy_set_header Host $host;
    }
}
`;

/** Fact value of nginx.files with the given text as the one site. */
export function nginxSite(text: string, mtimeMs = now - day): FactTypes['nginx.files'] {
  const main = 'worker_shutdown_timeout 60s;\nevents {}\nhttp {\n    include /etc/nginx/sites-enabled/*;\n}\n';
  return {
    entry: '/etc/nginx/nginx.conf',
    files: [
      { path: '/etc/nginx/nginx.conf', text: main, mtimeMs: now - 30 * day },
      { path: '/etc/nginx/sites-enabled/agents.conf', text, mtimeMs },
    ],
    unreadable: [],
  };
}

export function unit(name: string, change: Partial<UnitState> = {}): UnitState {
  return {
    name,
    loadState: 'loaded',
    unitFileState: 'enabled',
    activeState: 'active',
    subState: 'running',
    result: 'success',
    restarts: 0,
    mainStatus: 0,
    mainCode: '',
    mainPid: 500,
    execStart: '/usr/bin/perl /opt/viworks/current/app/notify.pl node main.js',
    needDaemonReload: false,
    fragmentPath: `/etc/systemd/system/${name}`,
    mainStartedAtMs: now - day,
    activeSinceMs: now - day,
    inactiveSinceMs: null,
    changedAtMs: now - day,
    user: 'viworks',
    restartPolicy: 'always',
    type: 'notify',
    ...change,
  };
}

/** A unit that systemd has nothing to say about. */
export function setup(change: Partial<UnitSetup> = {}): UnitSetup {
  return {
    loadError: '',
    dropIns: [],
    unmet: [],
    conditionsMet: true,
    assertsMet: true,
    checkedAtMs: now - day,
    frozen: false,
    statusErrno: 0,
    job: null,
    failedCommands: [],
    environmentFiles: [],
    settings: [],
    unreadable: [],
    variables: [],
    related: [],
    ...change,
  };
}

export const stopped: Partial<UnitState> = {
  activeState: 'inactive',
  subState: 'dead',
  mainPid: null,
  activeSinceMs: null,
};
export const failed: Partial<UnitState> = {
  activeState: 'failed',
  subState: 'failed',
  result: 'exit-code',
  mainCode: 'exited',
  mainStatus: 1,
  mainPid: null,
};
export const missing: Partial<UnitState> = {
  loadState: 'not-found',
  unitFileState: '',
  activeState: 'inactive',
  subState: 'dead',
  mainPid: null,
  fragmentPath: '',
};

export function upgrade(change: Partial<UpgradeObservation> = {}): UpgradeObservation {
  return {
    url: topology.url,
    address: '192.0.2.10',
    port: 443,
    path: '/ws/agent',
    reached: 'closed',
    ended: 'ok',
    status: 101,
    headers: {},
    body: '',
    acceptKeyOk: true,
    challenged: true,
    hello: 'refused',
    refusalCode: 'unauthenticated',
    pongReceived: null,
    closeCode: 1000,
    tlsError: null,
    milliseconds: { tcp: 1, tls: 3, response: 5 },
    attempts: 1,
    failures: 0,
    ...change,
  };
}

export const nothing: Partial<UpgradeObservation> = {
  status: null,
  acceptKeyOk: null,
  challenged: null,
  hello: 'not-sent',
  refusalCode: null,
  closeCode: null,
};
export const answered = (status: number): Partial<UpgradeObservation> => ({
  ...nothing,
  reached: 'response',
  ended: 'status',
  status,
});
export const refused: Partial<UpgradeObservation> = { ...nothing, reached: 'none', ended: 'refused' };
export const silent: Partial<UpgradeObservation> = { ...nothing, reached: 'tcp', ended: 'timeout' };
export const direct: Partial<UpgradeObservation> = {
  url: 'ws://127.0.0.1:8081/ws/agent',
  address: '127.0.0.1',
  port: 8081,
};

export function listener(
  port: number,
  owner: string | null,
  change: Partial<FactTypes['tcp.listeners'][number]> = {},
): FactTypes['tcp.listeners'][number] {
  return {
    address: '127.0.0.1',
    port,
    recvQ: 0,
    sendQ: 511,
    uid: 999,
    pid: 500,
    process: 'node',
    unit: owner,
    ownership: 'observed',
    ...change,
  };
}

export const backendUnit = 'viworks-backend-agent.service';
export const sshd = listener(22, 'ssh.service', { address: '0.0.0.0', process: 'sshd', uid: 0 });
export const https = listener(443, 'nginx.service', { address: '0.0.0.0', process: 'nginx', uid: 0 });

export function config(change: Partial<AgentConfig> = {}): AgentConfig {
  return {
    path: '/opt/viworks/current/etc/gateway.toml',
    parsed: true,
    error: null,
    values: {},
    url: null,
    gatewayId: null,
    apiPort: null,
    agentsPort: null,
    agentsBind: null,
    heartbeatSeconds: null,
    mtimeMs: now - day,
    ...change,
  };
}

export function log(...lines: readonly string[]): FactTypes['log.tail'] {
  return {
    source: 'journal',
    sinceMs: now - day,
    lines: lines.map((text) => ({ atMs: now - 1000, text })),
    truncated: false,
  };
}

/** A line of one of our agents. Its words are not the ones it uses, so that a rule that reads them is found out. */
export function said(message: { readonly code: string }, fields: object = {}): string {
  return JSON.stringify({ event: message.code, ...fields, msg: 'in other words' });
}

export function certificate(change: Partial<FactTypes['tls.certificate']> = {}): FactTypes['tls.certificate'] {
  const leaf = {
    subject: 'CN=agents.example.test',
    issuer: 'CN=acme ca',
    names: ['agents.example.test'],
    notBeforeMs: now - 30 * day,
    notAfterMs: now + 60 * day,
    serial: '01',
    sha256: 'aa',
    selfSigned: false,
  };
  const [first = leaf] = change.chain ?? [leaf];
  const isGood = (change.verification ?? 'OK') === 'OK';
  return {
    address: '192.0.2.10',
    port: 443,
    serverName: 'agents.example.test',
    handshake: 'ok',
    error: null,
    protocol: 'TLSv1.3',
    chain: [leaf],
    verification: 'OK',
    culprit: isGood ? null : { depth: 0, place: 'served', certificate: first },
    trust: 'ca.pem',
    ...change,
  };
}

export interface World {
  topology: Topology;
  put<K extends FactKey>(key: K, vantage: Vantage, subject: string, value: FactTypes[K]): World;
  write<K extends FactKey>(key: K, vantage: Vantage, subject: string, reading: Reading<FactTypes[K]>): World;
  facts(): readonly Fact[];
  store(): FactStore;
  report(): Report;
}

export function emptyWorld(from: Topology = topology): World {
  const facts = new Map<string, Fact>();
  const world: World = {
    topology: from,
    put: (key, vantage, subject, value) => world.write(key, vantage, subject, { status: 'known', value }),
    write(key, vantage, subject, reading) {
      const host = vantage === 'op' ? 'here' : vantage.startsWith('be') ? 'be1' : 'gw1';
      const evidence: Evidence = {
        host,
        atMs: now,
        command: `probe ${key} ${subject}`.trim(),
        lines: [`${key} at ${vantage}`],
        sha256: 'f00d',
      };
      facts.set(`${key} ${vantage} ${subject}`, { key, vantage, subject, probe: 'test', reading, evidence } as Fact);
      return world;
    },
    facts: () => [...facts.values()],
    store: () => createFactStore(facts.values()),
    report: () => judgeFacts(world.store(), world.topology, meta),
  };
  return world;
}
