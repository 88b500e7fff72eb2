// Releases from inventories: ids follow from content, units restart for what concerns them, nothing secret is in them.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { type InventoryFile, inventorySchema, toInventory } from '../inventory/index.ts';
import { loadTemplates } from '../release/templates.ts';
import { isReleaseId, isSafePath } from './manifest.ts';
import { gatewayUrl, planRelease, type ReleaseInputs } from './release.ts';

const templates = await loadTemplates();
const raw = {
  project: { name: 'acme', server_name: 'agents.example.test' },
  backend: { host: 'be1' },
  gateways: [{ id: 'gw-1', host: 'gw1', labels: { site: 'berlin' } }],
  hosts: { be1: { address: '192.0.2.10' }, gw1: { address: '192.0.2.20' } },
};
const inventoryOf = (changes: object = {}) =>
  toInventory(inventorySchema.parse({ ...raw, ...changes }) as InventoryFile, '/tmp/viworks.toml');
const inputs = (changes: Partial<ReleaseInputs> = {}): ReleaseInputs => ({
  inventory: inventoryOf(),
  host: 'be1',
  templates,
  version: '1.0.0',
  revision: 'abc1234',
  committedAt: '2026-11-20T17:15:02+00:00',
  app: { digest: 'a'.repeat(64), digestOf: (path) => `digest of ${path}` },
  runtime: 'b'.repeat(64),
  certificate: { pem: 'CERTIFICATE\n', keyName: 'tls.key.1' },
  trust: 'TRUST\n',
  seen: { nginxVersion: '1.22.1', ipv6: true },
  sha256: (content) => createHash('sha256').update(content).digest('hex'),
  ...changes,
});
const gatewayInputs = (changes: Partial<ReleaseInputs> = {}): ReleaseInputs =>
  inputs({ host: 'gw1', certificate: undefined, ...changes });
const fingerprints = (made: ReturnType<typeof planRelease>) =>
  Object.fromEntries(made.manifest.units.map((unit) => [unit.name, unit.fingerprint]));

test('the same content gives the same id, another content another one', () => {
  const first = planRelease(inputs());
  expect(first.manifest.id).toMatch(/^20261120T171502Z-[0-9a-f]{12}$/);
  expect(isReleaseId(first.manifest.id)).toBe(true);
  expect(planRelease(inputs())).toEqual(first);
  const other = planRelease(inputs({ inventory: inventoryOf({ backend: { host: 'be1', heartbeat_seconds: 9 } }) }));
  expect(other.manifest.id).not.toBe(first.manifest.id);
  expect(planRelease(inputs({ runtime: 'c'.repeat(64) })).manifest.id).not.toBe(first.manifest.id);
});

test('a backend host: its files, links, account, gates', () => {
  const { manifest, contents } = planRelease(inputs());
  expect(Object.keys(contents).sort()).toEqual([
    'etc/backend.toml',
    'etc/tls.crt',
    'etc/trust.pem',
    'nginx/viworks.conf',
    'units/viworks-backend-agent.service',
    'units/viworks-backend-agents.socket',
    'units/viworks-backend-api.socket',
  ]);
  expect(manifest.files.every((file) => isSafePath(file.path) && file.mode === 0o444)).toBe(true);
  expect(manifest.units.map((unit) => unit.kind)).toEqual(['socket', 'socket', 'service']);
  expect(manifest.outer.map((entry) => entry.path)).toContain('/etc/nginx/conf.d/viworks.conf');
  expect(manifest.outer.map((entry) => entry.path)).toContain(
    '/etc/systemd/system/sockets.target.wants/viworks-backend-api.socket',
  );
  expect(manifest.accounts.map((account) => account.name)).toEqual(['viworks-backend']);
  expect(manifest.gates.backend).toMatchObject({ api: '127.0.0.1:8080', agents: '127.0.0.1:8081', path: '/ws/agent' });
  expect(contents['nginx/viworks.conf']).toContain(`return 200 ${manifest.id};`);
  expect(contents['nginx/viworks.conf']).toContain('listen [::]:443 ssl http2;');
  expect(contents['etc/backend.toml']).toContain(`release_id = "${manifest.id}"`);
});

test('a gateway host: alias, accounts, and a launcher that does not care about the bundle', () => {
  const first = planRelease(gatewayInputs());
  expect(first.manifest.outer).toContainEqual({
    kind: 'link',
    path: '/etc/systemd/system/viworks-agent.service',
    target: '/etc/systemd/system/viworks-gateway-agent.service',
  });
  expect(first.manifest.accounts.map((account) => account.name)).toEqual([
    'viworks-gateway',
    'viworks-launcher',
    'viworks-task',
  ]);
  const updated = planRelease(
    gatewayInputs({ app: { digest: 'd'.repeat(64), digestOf: (path) => `digest of ${path}` } }),
  );
  expect(fingerprints(updated)['viworks-launcher.service']).toBe(fingerprints(first)['viworks-launcher.service']);
  expect(fingerprints(updated)['viworks-gateway-agent.service']).not.toBe(
    fingerprints(first)['viworks-gateway-agent.service'],
  );
});

test('what only nginx says restarts nobody', () => {
  const first = planRelease(inputs());
  const renewed = planRelease(inputs({ certificate: { pem: 'OTHER\n', keyName: 'tls.key.2' } }));
  expect(renewed.manifest.id).not.toBe(first.manifest.id);
  expect(fingerprints(renewed)).toEqual(fingerprints(first));
});

test('another port restarts the socket and the service', () => {
  const first = fingerprints(planRelease(inputs()));
  const moved = fingerprints(
    planRelease(inputs({ inventory: inventoryOf({ backend: { host: 'be1', api: { port: 8090 } } }) })),
  );
  expect(moved['viworks-backend-api.socket']).not.toBe(first['viworks-backend-api.socket']);
  expect(moved['viworks-backend-agents.socket']).toBe(first['viworks-backend-agents.socket']);
  expect(moved['viworks-backend-agent.service']).not.toBe(first['viworks-backend-agent.service']);
});

test('one host may be both', () => {
  const inventory = inventoryOf({ gateways: [{ host: 'be1', task_user: 'root' }] });
  const { manifest } = planRelease(inputs({ inventory }));
  expect(Object.keys(manifest.gates)).toEqual(['backend', 'gateway']);
  expect(manifest.units.map((unit) => unit.part)).toEqual(['backend', 'backend', 'backend', 'gateway', 'gateway']);
  expect(manifest.accounts.map((account) => account.name)).not.toContain('root');
});

test('gateways dial the public name, with its port when it is not the usual one', () => {
  expect(gatewayUrl(inventoryOf())).toBe('wss://agents.example.test/ws/agent');
  const backend = { host: 'be1', nginx: { port: 8443 }, agents: { path: '/ws/x' } };
  expect(gatewayUrl(inventoryOf({ backend }))).toBe('wss://agents.example.test:8443/ws/x');
});
