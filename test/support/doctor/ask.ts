// What a run asks of a gateway's host and of the backend's, for tests of the probes.
import type { Ask } from '../../../doctor/probes/ask.ts';

export const gatewayAsk: Ask = {
  seat: 'gw',
  serverName: 'agents.example.test',
  units: [{ part: 'gateway', unit: 'viworks-gateway-agent.service' }],
  elsewhere: [],
  ports: [8443],
  dialled: [443, 8081],
  docker: false,
  containers: [],
  nginx: null,
  config: { part: 'gateway', unit: null, file: null, container: null },
};

export const backendAsk: Ask = {
  ...gatewayAsk,
  seat: 'be',
  units: [
    { part: 'backend', unit: 'viworks-backend-agent.service' },
    { part: 'gateway', unit: null },
  ],
  ports: [8080, 8081],
  docker: true,
  nginx: { container: null, unit: 'nginx.service', entry: null },
  config: { part: 'backend', unit: 'viworks-backend-agent.service', file: null, container: null },
};
