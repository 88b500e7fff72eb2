// Inventories, good and bad: each complaint with its place and remedy, all of them at once.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadInventory } from './inventory.ts';

const directory = mkdtempSync(join(tmpdir(), 'viworks-inventory-'));
afterAll(() => rmSync(directory, { recursive: true }));

const KEY = `SHA256:${'A'.repeat(43)}`;
const GOOD = `[project]
name = "acme"
server_name = "agents.example.test"

[backend]
host = "be1"
api = { port = 8080 }
agents = { port = 8081 }

[[gateways]]
id = "gw-berlin-1"
host = "gw1"
labels = { site = "berlin" }

[hosts.be1]
address = "192.0.2.10"
host_key = "${KEY}"

[hosts.gw1]
address = "192.0.2.20"
host_key = "${KEY}"
identity_file = "keys/id"
`;

const load = (text: string, options = {}) => {
  const file = join(directory, 'viworks.toml');
  writeFileSync(file, text);
  return loadInventory(file, options);
};
const complaint = async (text: string): Promise<string> => {
  const error = await load(text).then(
    () => Promise.reject(new Error('it was accepted')),
    (thrown) => thrown,
  );
  expect(error).toMatchObject({ code: 'VW_RUNTIME_CONFIG', exitCode: 64 });
  return (error as Error).message.replaceAll(`${directory}/`, '');
};

test('defaults are filled in and paths made absolute', async () => {
  const inventory = await load(GOOD);
  expect(inventory.backend).toMatchObject({
    api: { bind: '127.0.0.1', port: 8080 },
    agents: { bind: '127.0.0.1', port: 8081, path: '/ws/agent', maxConnections: 10_000 },
    nginx: { mode: 'own-vhost', install: false, port: 443, http2: true, clientCertificates: 'off' },
  });
  expect(inventory.gateways[0]).toMatchObject({ id: 'gw-berlin-1', taskUser: 'viworks-task', verbs: ['core'] });
  expect(inventory.tls).toEqual({ source: 'built-in-ca', caDir: join(directory, '.viworks/ca') });
  expect(inventory.hosts.gw1).toMatchObject({ port: 22, user: 'root', identityFile: join(directory, 'keys/id') });
});

test('a gateway without an id is called like its host', async () => {
  expect((await load(GOOD.replace('id = "gw-berlin-1"\n', ''))).gateways[0]?.id).toBe('gw1');
});

test.each([
  [
    'a port used twice',
    [/port = 8080/, 'port = 8081'],
    /^viworks\.toml:7:16 {2}backend\.api\.port: 8081 is also backend\.agents\.port \(line 8\)\n {2}remedy: give the API another port, 8080 by default$/,
  ],
  [
    'an unknown host',
    [/host = "gw1"/, 'host = "gw2"'],
    /^viworks\.toml:12:8 {2}gateways\.0\.host: there is no \[hosts\.gw2\]\n {2}remedy: add \[hosts\.gw2\] .* be1, gw1$/,
  ],
  ['a misspelt key', [/server_name/, 'sever_name'], /viworks\.toml:3:1 {2}project\.sever_name: unknown key/],
  ['a wrong type', [/port = 8080/, 'port = "8080"'], /viworks\.toml:7:16 {2}backend\.api\.port: expected/],
  [
    'a placeholder for the key',
    [new RegExp(KEY.replaceAll('+', '\\+')), 'SHA256:…'],
    /hosts\.be1\.host_key: expected a fingerprint.*\n {2}remedy: viworks deploy trust be1/,
  ],
  [
    'a bind that is a name',
    [/api = \{ port = 8080 \}/, 'api = { bind = "localhost" }'],
    /backend\.api\.bind: expected an IP address/,
  ],
  ['TOML that is none', [/\[backend\]/, '[backend'], /viworks\.toml:5:/],
] as const)('%s', async (_name, [from, to], expected) => {
  expect(await complaint(GOOD.replace(from, to))).toMatch(expected);
});

test('all problems are told at once', async () => {
  const text = GOOD.replace('"agents.example.test"', '"not a name"').replace(
    'host = "gw1"',
    'host = "gw1"\ncolour = 1',
  );
  const said = await complaint(text);
  expect(said.split('\n').filter((line) => line.startsWith('viworks.toml:'))).toHaveLength(2);
});

test('gateways: one id once, one host once', async () => {
  const second = '\n[[gateways]]\nid = "gw-berlin-1"\nhost = "gw1"\n';
  const said = await complaint(GOOD.replace('\n[hosts.be1]', `${second}\n[hosts.be1]`));
  expect(said).toContain('gateways.1.id: gw-berlin-1 is also the id of another gateway (line 11)');
  expect(said).toContain('gateways.1.host: gw1 has a gateway already (line 12)');
});

test('a gateway beside the backend must not take its ports', async () => {
  const said = await complaint(GOOD.replace('host = "gw1"', 'host = "be1"\nlocal_api = { port = 443 }'));
  expect(said).toContain('backend.nginx.port: 443 is also gateways.0.local_api.port');
});

test('waves name what exists', async () => {
  expect(await complaint(`${GOOD}\n[deploy]\nwaves = [["gw-paris"], "*"]\n`)).toContain(
    'deploy.waves.0.0: gw-paris is neither a gateway nor a host',
  );
});

test('for trust, a missing pin is no obstacle', async () => {
  const inventory = await load(GOOD.replace(KEY, 'SHA256:…'), { unpinned: true });
  expect(inventory.hosts.be1?.address).toBe('192.0.2.10');
});

test('the certificate files are named relative to the inventory', async () => {
  const inventory = await load(`${GOOD}\n[tls]\nsource = "files"\ncertificate = "a.pem"\nkey = "/etc/b.pem"\n`);
  expect(inventory.tls).toMatchObject({ certificate: join(directory, 'a.pem'), key: '/etc/b.pem', chain: undefined });
});
