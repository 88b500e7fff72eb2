// The intent that a run is judged against: from an inventory, from the options alone, or from the state of `viworks up`. Pure.
import type { Inventory } from '../../../deploy/inventory/index.ts';
import type { GatewayTopology, HostRef, Supervision, Topology } from '../../engine/index.ts';

const BACKEND_UNIT = 'viworks-backend-agent.service';
const GATEWAY_UNIT = 'viworks-gateway-agent.service';
const LAUNCHER_UNIT = 'viworks-launcher.service';
const SOCKETS = ['viworks-backend-api.socket', 'viworks-backend-agents.socket'] as const;
/** What our backend expects of its gateways when nobody says otherwise. */
const HEARTBEAT_SECONDS = 10;

export function topologyOfInventory(inventory: Inventory): Topology {
  const { backend, project } = inventory;
  const host = (name: string): HostRef => ({ name, address: inventory.hosts[name]?.address ?? name, transport: 'ssh' });
  const docker = inventory.hosts[backend.host]?.runtime === 'docker';
  const supervision: Supervision = docker ? 'docker' : 'systemd';
  const nginxDocker = backend.nginx.mode === 'container';
  const guessed: string[] = [];
  if (docker && backend.container === undefined) guessed.push('backend.container');
  if (nginxDocker && backend.nginx.container === undefined) guessed.push('nginx.container');
  const port = backend.nginx.port === 443 ? '' : `:${backend.nginx.port}`;
  return {
    name: project.name,
    kind: 'viworks',
    url: `wss://${project.serverName}${port}${backend.agents.path}`,
    serverName: project.serverName,
    publicPort: backend.nginx.port,
    path: backend.agents.path,
    backend: {
      host: host(backend.host),
      supervision,
      unit: docker ? null : BACKEND_UNIT,
      sockets: docker ? [] : SOCKETS,
      container: docker ? (backend.container ?? null) : null,
      apiPort: backend.api.port,
      agentsPort: backend.agents.port,
      heartbeatSeconds: backend.heartbeatSeconds,
    },
    nginx: {
      supervision: nginxDocker ? 'docker' : 'systemd',
      unit: nginxDocker ? null : 'nginx.service',
      container: nginxDocker ? (backend.nginx.container ?? null) : null,
    },
    gateways: inventory.gateways.map((gateway) => ({
      id: gateway.id,
      host: host(gateway.host),
      supervision: 'systemd',
      unit: GATEWAY_UNIT,
      container: null,
      launcherUnit: LAUNCHER_UNIT,
    })),
    inferred: guessed,
  };
}

/** What `--backend HOST --gateway HOST… --url WSS` says, and what has to be assumed with it. */
export function topologyOfOptions(options: {
  readonly backend: { readonly name: string; readonly address: string };
  readonly gateways: readonly { readonly name: string; readonly address: string }[];
  readonly url: URL;
}): Topology {
  const { backend, url } = options;
  const secure = url.protocol === 'wss:';
  const ssh = (ref: { name: string; address: string }): HostRef => ({ ...ref, transport: 'ssh' });
  return {
    name: url.hostname,
    kind: 'other',
    url: url.href,
    serverName: url.hostname,
    publicPort: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: url.pathname,
    backend: {
      host: ssh(backend),
      supervision: 'systemd',
      unit: BACKEND_UNIT,
      sockets: SOCKETS,
      container: null,
      apiPort: 8080,
      agentsPort: 8081,
      heartbeatSeconds: HEARTBEAT_SECONDS,
    },
    nginx: { supervision: 'systemd', unit: 'nginx.service', container: null },
    gateways: options.gateways.map(
      (gateway): GatewayTopology => ({
        id: gateway.name,
        host: ssh(gateway),
        supervision: 'systemd',
        unit: GATEWAY_UNIT,
        container: null,
        launcherUnit: LAUNCHER_UNIT,
      }),
    ),
    inferred: [
      'kind',
      'backend.supervision',
      'backend.unit',
      'backend.apiPort',
      'backend.agentsPort',
      'backend.heartbeatSeconds',
      'nginx.supervision',
      'nginx.unit',
      'gateways.unit',
    ],
  };
}

/** What `viworks up` runs on this machine: no SSH, no systemd, perhaps an nginx of its own. */
export function topologyOfLocal(state: {
  readonly apiPort: number;
  readonly agentsPort: number;
  readonly url: URL;
  readonly gatewayId: string;
  readonly nginx: boolean;
}): Topology {
  const host: HostRef = { name: 'this machine', address: '127.0.0.1', transport: 'local' };
  return {
    name: 'viworks up',
    kind: 'viworks',
    url: state.url.href,
    serverName: state.url.hostname,
    publicPort: Number(state.url.port) || 443,
    path: state.url.pathname,
    backend: {
      host,
      supervision: 'process',
      unit: null,
      sockets: [],
      container: null,
      apiPort: state.apiPort,
      agentsPort: state.agentsPort,
      heartbeatSeconds: HEARTBEAT_SECONDS,
    },
    nginx: { supervision: state.nginx ? 'process' : 'none', unit: null, container: null },
    gateways: [{ id: state.gatewayId, host, supervision: 'process', unit: null, container: null, launcherUnit: null }],
    inferred: [],
  };
}
