// viworks.toml → the typed, frozen inventory that plans, the deployer and the doctor work with.
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type LoadedConfig, loadConfig } from '../../agents/runtime/index.ts';
import type { InventoryFile } from './schema.ts';
import { configSpec } from './spec.ts';

/** Where TLS comes from. Paths are absolute. */
export type TlsSource =
  | { readonly source: 'built-in-ca'; readonly caDir: string }
  | {
      readonly source: 'files';
      readonly certificate: string;
      readonly key: string;
      readonly chain: string | undefined;
      readonly trust: string | undefined;
    }
  | { readonly source: 'acme' };

/** A listener. */
export interface Listen {
  readonly bind: string;
  readonly port: number;
}

/** The backend and the nginx in front of it. */
export interface BackendPlan {
  readonly host: string;
  readonly store: 'sqlite' | 'postgres';
  readonly api: Listen;
  readonly agents: Listen & { readonly path: string; readonly maxConnections: number };
  readonly heartbeatSeconds: number;
  /** How long finished tasks are kept; 0: no limit. */
  readonly retention: { readonly days: number; readonly storeMib: number };
  readonly logLevel: string;
  readonly container: string | undefined;
  readonly nginx: {
    readonly mode: 'own-vhost' | 'join' | 'container';
    readonly install: boolean;
    readonly port: number;
    readonly http2: boolean;
    readonly clientCertificates: 'off' | 'optional' | 'required';
    readonly container: string | undefined;
    readonly configPath: string | undefined;
  };
}

/** One gateway. */
export interface GatewayPlan {
  readonly id: string;
  readonly host: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taskUser: string;
  readonly verbs: readonly string[];
  readonly localApi: Listen;
  readonly maxConcurrentTasks: number;
  readonly logLevel: string;
}

/** One host, as the SSH transport wants it, and how programs run there. */
export interface HostPlan {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeys: readonly string[];
  readonly identityFile: string | undefined;
  readonly jump: string | undefined;
  readonly machineId: string | undefined;
  readonly runtime: 'systemd' | 'docker';
}

/** What is where. */
export interface Inventory {
  readonly file: string;
  readonly project: { readonly name: string; readonly serverName: string; readonly release: string | undefined };
  readonly tls: TlsSource;
  readonly backend: BackendPlan;
  readonly gateways: readonly GatewayPlan[];
  readonly hosts: Readonly<Record<string, HostPlan>>;
  readonly deploy: {
    readonly waves: InventoryFile['deploy']['waves'];
    readonly soakSeconds: number;
    readonly windowSeconds: number;
  };
}

/**
 * Loads and judges an inventory. Throws VW_RUNTIME_CONFIG with every problem as file:line:col.
 * `unpinned` lets malformed pins pass as absent, for the command that writes them.
 */
export async function loadInventory(file: string, options: { readonly unpinned?: boolean } = {}): Promise<Inventory> {
  const loaded: LoadedConfig<InventoryFile> = await loadConfig({
    schema: configSpec.schema,
    file,
    check: (value) =>
      (configSpec.check?.(value) ?? []).filter(
        (complaint) => !options.unpinned || complaint.path.at(-1) !== 'host_key',
      ),
  });
  return toInventory(loaded.value, file);
}

/** The pure part: names in the project's own case, paths made absolute, defaults that depend on other keys. */
export function toInventory(raw: InventoryFile, file: string): Inventory {
  const base = dirname(resolve(file));
  const absolute = (path: string): string =>
    path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(base, path);
  const optional = (path: string | undefined): string | undefined => (path === undefined ? undefined : absolute(path));
  const { backend } = raw;
  return {
    file: resolve(file),
    project: { name: raw.project.name, serverName: raw.project.server_name, release: optional(raw.project.release) },
    tls: toTls(raw.tls, absolute),
    backend: {
      host: backend.host,
      store: backend.store,
      api: backend.api,
      agents: {
        bind: backend.agents.bind,
        port: backend.agents.port,
        path: backend.agents.path,
        maxConnections: backend.agents.max_connections,
      },
      heartbeatSeconds: backend.heartbeat_seconds,
      retention: { days: backend.retention.days, storeMib: backend.retention.store_mib },
      logLevel: backend.log_level,
      container: backend.container,
      nginx: {
        mode: backend.nginx.mode,
        install: backend.nginx.install,
        port: backend.nginx.port,
        http2: backend.nginx.http2,
        clientCertificates: backend.nginx.client_certificates,
        container: backend.nginx.name,
        configPath: backend.nginx.config_path,
      },
    },
    gateways: raw.gateways.map((gateway) => ({
      id: gateway.id ?? gateway.host,
      host: gateway.host,
      labels: gateway.labels,
      taskUser: gateway.task_user,
      verbs: gateway.verbs,
      localApi: gateway.local_api,
      maxConcurrentTasks: gateway.max_concurrent_tasks,
      logLevel: gateway.log_level,
    })),
    hosts: Object.fromEntries(
      Object.entries(raw.hosts).map(([name, host]) => [
        name,
        {
          name,
          address: host.address,
          port: host.port,
          user: host.user,
          hostKeys: host.host_key === undefined ? [] : [host.host_key].flat(),
          identityFile: optional(host.identity_file),
          jump: host.jump,
          machineId: host.machine_id,
          runtime: host.runtime,
        },
      ]),
    ),
    deploy: {
      waves: raw.deploy.waves,
      soakSeconds: raw.deploy.soak_seconds,
      windowSeconds: raw.deploy.window_seconds,
    },
  };
}

function toTls(tls: InventoryFile['tls'], absolute: (path: string) => string): TlsSource {
  if (tls.source === 'built-in-ca') return { source: tls.source, caDir: absolute(tls.ca_dir) };
  if (tls.source === 'acme') return { source: tls.source };
  return {
    source: tls.source,
    certificate: absolute(tls.certificate),
    key: absolute(tls.key),
    chain: tls.chain === undefined ? undefined : absolute(tls.chain),
    trust: tls.trust === undefined ? undefined : absolute(tls.trust),
  };
}
