// The installation that examples are written with: what `doctor explain` names in its commands, and what tests start from. Holds no observation.
import type { Topology } from './topology.ts';

export const exampleTopology: Topology = {
  name: 'acme',
  kind: 'viworks',
  url: 'wss://agents.example.test/ws/agent',
  serverName: 'agents.example.test',
  publicPort: 443,
  path: '/ws/agent',
  backend: {
    host: { name: 'be1', address: '192.0.2.10', transport: 'ssh' },
    supervision: 'systemd',
    unit: 'viworks-backend-agent.service',
    sockets: ['viworks-backend-api.socket', 'viworks-backend-agents.socket'],
    container: null,
    apiPort: 8080,
    agentsPort: 8081,
    heartbeatSeconds: 10,
  },
  nginx: { supervision: 'systemd', unit: 'nginx.service', container: null },
  gateways: [
    {
      id: 'gw-berlin-1',
      host: { name: 'gw1', address: '192.0.2.20', transport: 'ssh' },
      supervision: 'systemd',
      unit: 'viworks-gateway-agent.service',
      container: null,
      launcherUnit: 'viworks-launcher.service',
    },
  ],
  inferred: [],
};
