// What must hold across the keys of an inventory. Pure: gives complaints, which the loader places in the file.
import type { ConfigComplaint } from '../../agents/runtime/index.ts';
import type { InventoryFile } from './schema.ts';

type Path = readonly (string | number)[];

/** Everything that is wrong with an inventory although each key alone is well-formed. */
export function checkInventory(inventory: InventoryFile): ConfigComplaint[] {
  return [
    ...checkHosts(inventory),
    ...checkPorts(inventory),
    ...checkGateways(inventory),
    ...checkWaves(inventory),
    ...checkHostKeys(inventory),
  ];
}

function checkHosts(inventory: InventoryFile): ConfigComplaint[] {
  const names = Object.keys(inventory.hosts);
  const uses: { path: Path; name: string }[] = [
    { path: ['backend', 'host'], name: inventory.backend.host },
    ...inventory.gateways.map((gateway, index) => ({ path: ['gateways', index, 'host'], name: gateway.host })),
  ];
  return uses
    .filter(({ name }) => !Object.hasOwn(inventory.hosts, name))
    .map(({ path, name }) => ({
      path,
      message: `there is no [hosts.${name}]`,
      remedy: `add [hosts.${name}] with its address, or name one of: ${names.join(', ') || '(none yet)'}`,
    }));
}

interface PortUse {
  readonly path: Path;
  readonly host: string;
  readonly port: number;
  readonly bind: string;
  readonly what: string;
  readonly usual: number;
}

function checkPorts(inventory: InventoryFile): ConfigComplaint[] {
  const { backend } = inventory;
  const uses: PortUse[] = [
    { path: ['backend', 'api', 'port'], host: backend.host, ...backend.api, what: 'the API', usual: 8080 },
    {
      path: ['backend', 'agents', 'port'],
      host: backend.host,
      bind: backend.agents.bind,
      port: backend.agents.port,
      what: 'the gateways',
      usual: 8081,
    },
    {
      path: ['backend', 'nginx', 'port'],
      host: backend.host,
      port: backend.nginx.port,
      bind: '0.0.0.0',
      what: 'nginx',
      usual: 443,
    },
    ...inventory.gateways.map((gateway, index) => ({
      path: ['gateways', index, 'local_api', 'port'],
      host: gateway.host,
      ...gateway.local_api,
      what: 'the local API',
      usual: 8443,
    })),
  ];
  return uses.flatMap((use, index) =>
    uses.slice(index + 1).flatMap((other) =>
      clash(use, other)
        ? [
            {
              path: use.path,
              also: other.path,
              message: `${use.port} is also ${other.path.join('.')}`,
              remedy: `give ${use.what} another port, ${use.usual} by default`,
            },
          ]
        : [],
    ),
  );
}

function clash(a: PortUse, b: PortUse): boolean {
  const wild = (bind: string): boolean => bind === '0.0.0.0' || bind === '::';
  return a.host === b.host && a.port === b.port && (a.bind === b.bind || wild(a.bind) || wild(b.bind));
}

function checkGateways(inventory: InventoryFile): ConfigComplaint[] {
  const ids = inventory.gateways.map((gateway) => gateway.id ?? gateway.host);
  const hosts = inventory.gateways.map((gateway) => gateway.host);
  const complaints: ConfigComplaint[] = [];
  for (const [index, id] of ids.entries()) {
    const first = ids.indexOf(id);
    if (first < index && inventory.gateways[index]?.id !== undefined) {
      complaints.push({
        path: ['gateways', index, 'id'],
        also: ['gateways', first, inventory.gateways[first]?.id === undefined ? 'host' : 'id'],
        message: `${id} is also the id of another gateway`,
        remedy: 'give each gateway an id of its own',
      });
    }
    const firstHost = hosts.indexOf(hosts[index] as string);
    if (firstHost < index) {
      complaints.push({
        path: ['gateways', index, 'host'],
        also: ['gateways', firstHost, 'host'],
        message: `${hosts[index]} has a gateway already`,
        remedy: 'a host runs one gateway: merge the two or name another host',
      });
    }
  }
  return complaints;
}

function checkWaves(inventory: InventoryFile): ConfigComplaint[] {
  const names = new Set<string>([
    inventory.backend.host,
    ...inventory.gateways.flatMap((gateway) => [gateway.id ?? gateway.host, gateway.host]),
  ]);
  return inventory.deploy.waves.flatMap((wave, index) =>
    wave === '*'
      ? []
      : wave.flatMap((name, item) =>
          names.has(name)
            ? []
            : [
                {
                  path: ['deploy', 'waves', index, item],
                  message: `${name} is neither a gateway nor a host of this inventory`,
                  remedy: `name one of: ${[...names].join(', ')}`,
                },
              ],
        ),
  );
}

/** A fingerprint as ssh-keygen prints it: SHA-256 in base64 without padding. */
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}=?$/;

function checkHostKeys(inventory: InventoryFile): ConfigComplaint[] {
  return Object.entries(inventory.hosts).flatMap(([name, host]) => {
    const keys = host.host_key === undefined ? [] : [host.host_key].flat();
    return keys
      .filter((key) => !FINGERPRINT.test(key))
      .map(() => ({
        path: ['hosts', name, 'host_key'],
        message: 'expected a fingerprint, SHA256: and 43 characters',
        remedy: `viworks deploy trust ${name}   (shows the key of the host and writes it after asking)`,
      }));
  });
}
