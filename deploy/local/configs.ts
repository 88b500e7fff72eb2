// The three configuration files of the local system, rendered from the same templates as on a managed host.
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { renderBackendToml, renderGatewayToml, renderLauncherToml, type Templates } from '../plan/render.ts';
import type { Places } from './places.ts';

/** What differs between two starts. */
export interface ConfigOptions {
  readonly templates: Templates;
  readonly releaseId: string;
  /** No nginx here: the backend terminates TLS itself. */
  readonly ownFront: boolean;
}

export async function writeBackendConfig(places: Places, options: ConfigOptions): Promise<void> {
  const { api, agents, tls } = places.ports;
  const front = { certificate: places.certificate, key: places.key, bind: '127.0.0.1', port: tls };
  const text = renderBackendToml(options.templates, {
    stateDir: places.states.backend,
    releaseId: options.releaseId,
    logLevel: 'info',
    maxConnections: 100,
    heartbeatSeconds: 10,
    retention: { days: 7, storeMib: 1_024 },
    api: { bind: '127.0.0.1', port: api },
    agents: { bind: '127.0.0.1', port: agents, path: '/ws/agent' },
    ...(options.ownFront ? { tls: front } : {}),
  });
  await writeFile(places.configs.backend, text, { mode: 0o600 });
}

export async function writeGatewayConfigs(
  places: Places,
  options: ConfigOptions & { readonly enrolmentTokenFile: string | undefined },
): Promise<void> {
  const gateway = renderGatewayToml(options.templates, {
    gatewayId: places.gatewayId,
    url: `wss://localhost:${places.ports.tls}/ws/agent`,
    logLevel: 'info',
    stateDir: places.states.gateway,
    trustFile: places.trust,
    enrolmentTokenFile: options.enrolmentTokenFile,
    launcherSocket: places.socket,
    tasksDir: places.tasks,
    maxConcurrentTasks: 100,
    localApi: { bind: '127.0.0.1', port: places.ports.local },
    labels: { site: 'local' },
    verbs: ['core'],
  });
  await writeFile(places.configs.gateway, gateway, { mode: 0o600 });
  const launcher = renderLauncherToml(options.templates, {
    socket: places.socket,
    tasksDir: places.tasks,
    agentUser: userInfo().username,
    taskUser: '',
  });
  await writeFile(places.configs.launcher, launcher, { mode: 0o600 });
}
