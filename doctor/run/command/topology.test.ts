// The intent of a run: what an inventory says, what options leave to be assumed, what the hosts add to it.
import { expect, test } from 'vitest';
import { inventorySchema, toInventory } from '../../../deploy/inventory/index.ts';
import type { Topology } from '../../engine/index.ts';
import { Sections } from '../../probes/sections.ts';
import { refineTopology } from '../collecting/refine.ts';
import type { SiteView } from '../collecting/rounds.ts';
import { targetOfName } from './targets.ts';
import { topologyOfInventory, topologyOfLocal, topologyOfOptions } from './topology.ts';

const raw = {
  project: { name: 'acme', server_name: 'agents.example.test' },
  backend: { host: 'be1', agents: { port: 9081 }, nginx: { port: 9443 } },
  gateways: [{ host: 'gw1' }, { id: 'gw-two', host: 'gw2' }],
  hosts: { be1: { address: '192.0.2.10' }, gw1: { address: '192.0.2.20' }, gw2: { address: '192.0.2.30' } },
};
const inventory = (change: object = {}) => toInventory(inventorySchema.parse({ ...raw, ...change }), '/x/viworks.toml');

test('an inventory is the whole intent', () => {
  expect(topologyOfInventory(inventory())).toMatchObject({
    kind: 'viworks',
    url: 'wss://agents.example.test:9443/ws/agent',
    publicPort: 9443,
    backend: { supervision: 'systemd', agentsPort: 9081, host: { address: '192.0.2.10', transport: 'ssh' } },
    gateways: [{ id: 'gw1' }, { id: 'gw-two', host: { name: 'gw2' } }],
    inferred: [],
  });
});

test('containers whose names are not given are marked as guessed, and named by what runs', () => {
  const hosts = { ...raw.hosts, be1: { address: '192.0.2.10', runtime: 'docker' } };
  const topology = topologyOfInventory(inventory({ hosts }));
  expect(topology).toMatchObject({
    inferred: ['backend.container'],
    backend: { unit: null, sockets: [], container: null },
  });
  const container = { name: 'acme-backend', image: 'x', state: 'running', ports: [] };
  const view = {
    site: { id: 'be' },
    containers: [container],
    round: { sections: new Sections([]) },
  } as unknown as SiteView;
  expect(refineTopology(topology, [view]).backend.container).toBe('acme-backend');
});

const typed = (url: string): Topology =>
  topologyOfOptions({
    backend: { name: 'be1', address: '192.0.2.10' },
    gateways: [{ name: 'gw1', address: '192.0.2.20' }],
    url: new URL(url),
  });

test.each([
  ['wss://a.test/ws/agent', 443, '/ws/agent'],
  ['wss://a.test:9443/agents', 9443, '/agents'],
  ['ws://a.test/ws/agent', 80, '/ws/agent'],
])('%s', (url, publicPort, path) => {
  expect(typed(url)).toMatchObject({ publicPort, path, kind: 'other', gateways: [{ id: 'gw1' }] });
  expect(typed(url).inferred).toContain('backend.unit');
});

test('programs below /opt/viworks make it an installation of ours', () => {
  const sections = (text: string) => new Sections([{ id: 'unit.state', rc: 0, text, truncated: false }]);
  const view = (text: string) =>
    ({ site: { id: 'be' }, containers: [], round: { sections: sections(text) } }) as unknown as SiteView;
  const topology = typed('wss://a.test/ws/agent');
  expect(refineTopology(topology, [view('ExecStart=/opt/viworks/current/runtime/node')]).kind).toBe('viworks');
  expect(refineTopology(topology, [view('ExecStart=/opt/old/backend')]).kind).toBe('other');
});

test('what viworks up runs has no units, and nginx only where there is one', () => {
  const state = {
    apiPort: 1,
    agentsPort: 2,
    url: new URL('wss://localhost:9443/ws/agent'),
    gatewayId: 'me',
    nginx: false,
  };
  expect(topologyOfLocal(state)).toMatchObject({
    publicPort: 9443,
    nginx: { supervision: 'none' },
    backend: { supervision: 'process', host: { transport: 'local' } },
    gateways: [{ id: 'me', launcherUnit: null }],
  });
});

test('hosts are typed as ssh takes them', async () => {
  const { signal } = new AbortController();
  expect(await targetOfName('op@192.0.2.10:2222', signal)).toMatchObject({
    user: 'op',
    address: '192.0.2.10',
    port: 2222,
    hostKeys: [],
  });
  expect((await targetOfName('192.0.2.10', signal)).port).toBe(22);
});
