// Which installation is meant: reads the inventory, the options, or what `viworks up` left in its state directory; and the operator's token.
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { operatorDirectory, ProbeCredential, parseToml, whyUnread } from '../../../agents/runtime/index.ts';
import { type Inventory, loadInventory } from '../../../deploy/inventory/index.ts';
import type { RemoteTarget } from '../../../deploy/remote/index.ts';
import type { Topology } from '../../engine/index.ts';
import { doctorErrors } from '../../errors.ts';
import { parseAgentConfig } from '../../probes/agent-config.ts';
import type { Trust } from '../../probes/dial.ts';
import type { NoCredential } from '../../probes/peer.ts';
import { type Hints, noHints } from '../collecting/index.ts';
import type { DoctorOptions } from './options.ts';
import { targetOfName, targetOfPlan } from './targets.ts';
import { topologyOfInventory, topologyOfLocal, topologyOfOptions } from './topology.ts';

type Env = Readonly<Record<string, string | undefined>>;

export interface Installation {
  readonly topology: Topology;
  readonly hints: Hints;
  readonly targets: ReadonlyMap<string, RemoteTarget>;
  readonly operatorTrust: Trust;
  readonly credential: ProbeCredential | NoCredential;
  /** Where the inventory names a host's key, as `file:line:column`, by host; empty without an inventory. */
  readonly keyPlaces: ReadonlyMap<string, string>;
}

export interface Finding {
  readonly options: DoctorOptions;
  readonly env: Env;
  readonly signal: AbortSignal;
}

const roots: Trust = { bundle: undefined, name: 'the roots of the operator' };

export async function findInstallation(finding: Finding): Promise<Installation> {
  const found = await locate(finding);
  const file = finding.options.trustFile;
  return file === undefined ? found : { ...found, operatorTrust: { bundle: await readNamed(file), name: file } };
}

async function locate(finding: Finding): Promise<Installation> {
  const { options } = finding;
  if (options.local) return await localInstallation(finding);
  if (options.backend !== undefined && options.url)
    return await typedInstallation(finding, options.backend, options.url);
  const file = options.inventory ?? (await defaultInventory(finding.env));
  // Nothing named and nothing described, but something of `viworks up` here: that is meant.
  if (file === undefined) return await localInstallation(finding);
  const inventory = await loadInventory(file);
  const topology = topologyOfInventory(inventory);
  return {
    topology,
    hints: noHints,
    targets: new Map(Object.values(inventory.hosts).map((host) => [host.name, targetOfPlan(host)])),
    operatorTrust: await trustOfInventory(inventory),
    credential: await findCredential(finding, topology),
    keyPlaces: await keyPlacesOf(file, Object.keys(inventory.hosts)),
  };
}

async function keyPlacesOf(file: string, hosts: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const parsed = parseToml((await readText(file)) ?? '');
  if (!parsed.ok) return new Map();
  return new Map(
    hosts.flatMap((host) => {
      const place = parsed.document.keyPlaceOf(['hosts', host, 'identity_file']);
      return place ? [[host, `${file}:${place.line}:${place.column}`] as const] : [];
    }),
  );
}

/** The inventory that is meant when none is named; undefined when `viworks up` is all there is. */
async function defaultInventory(env: Env): Promise<string | undefined> {
  const home = env.HOME ?? homedir();
  const places = ['viworks.toml', join(env.XDG_CONFIG_HOME ?? join(home, '.config'), 'viworks', 'viworks.toml')];
  for (const place of places) if ((await readText(place)) !== undefined) return place;
  if ((await readText(join(upDir(env), 'backend.toml'))) !== undefined) return undefined;
  throw doctorErrors.create('VW_DOCTOR_NO_TOPOLOGY', { tried: places.join(' or ') });
}

async function trustOfInventory({ tls }: Inventory): Promise<Trust> {
  const file =
    tls.source === 'built-in-ca' ? join(tls.caDir, 'ca.crt') : tls.source === 'files' ? tls.trust : undefined;
  const bundle =
    file === undefined ? undefined : ((await readText(file)) ?? (await readText(file.replace(/\.crt$/, '.pem'))));
  return bundle === undefined || file === undefined ? roots : { bundle, name: file };
}

async function typedInstallation(finding: Finding, backend: string, url: URL): Promise<Installation> {
  const { options, signal } = finding;
  const names = [backend, ...options.gateways];
  const reached = await Promise.all(names.map((name) => targetOfName(name, signal)));
  const [first, ...rest] = reached as [RemoteTarget, ...RemoteTarget[]];
  const topology = topologyOfOptions({ backend: first, gateways: rest, url });
  return {
    topology,
    hints: noHints,
    targets: new Map(reached.map((target) => [target.name, target])),
    operatorTrust: roots,
    credential: await findCredential(finding, topology),
    keyPlaces: new Map(),
  };
}

/** Where `viworks up` keeps its state. */
function upDir(env: Env): string {
  return join(env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state'), 'viworks', 'up');
}

async function localInstallation(finding: Finding): Promise<Installation> {
  const dir = upDir(finding.env);
  const files = { backend: join(dir, 'backend.toml'), gateway: join(dir, 'gateway.toml') };
  const [backendText, gatewayText] = [await readText(files.backend), await readText(files.gateway)];
  if (backendText === undefined || gatewayText === undefined)
    throw doctorErrors.create('VW_DOCTOR_LOCAL_NONE', { dir });
  const backend = parseAgentConfig(`--file - ${files.backend}\n${backendText}`, 'backend');
  const gateway = parseAgentConfig(`--file - ${files.gateway}\n${gatewayText}`, 'gateway');
  const url = URL.parse(gateway.url ?? '') ?? new URL('wss://localhost:9443/ws/agent');
  const nginxEntry = join(dir, 'nginx', 'nginx.conf');
  const nginx = (await readText(nginxEntry)) !== undefined;
  const bundle = await readText(join(dir, 'ca.pem'));
  const topology = topologyOfLocal({
    apiPort: backend.apiPort ?? 8080,
    agentsPort: backend.agentsPort ?? 8081,
    url,
    gatewayId: gateway.gatewayId ?? 'this-machine',
    nginx,
  });
  return {
    topology,
    hints: {
      nginxEntry: nginx ? nginxEntry : null,
      backendConfig: files.backend,
      gatewayConfig: files.gateway,
      gatewayApiPort: Number(gateway.values['local_api.port'] ?? 8443),
    },
    targets: new Map(),
    operatorTrust: bundle === undefined ? roots : { bundle, name: join(dir, 'ca.pem') },
    credential: await findCredential(finding, topology),
    keyPlaces: new Map(),
  };
}

const BY_HAND =
  'sudo viworks backend token create --role probe --name doctor on the backend host, then --token-file FILE';

/**
 * The token that was named, else the doctor's own of the context which belongs to this installation; never one that may do more than probe. None
 * is no error: registry and canary are then left out.
 */
async function findCredential({ options, env }: Finding, topology: Topology): Promise<ProbeCredential | NoCredential> {
  if (options.tokenFile !== undefined) return namedCredential(options.tokenFile);
  const dir = operatorDirectory(env);
  const contexts = await readText(join(dir, 'contexts.json'));
  const context = contexts === undefined ? undefined : contextOf(contexts, topology);
  if (!context) return { why: `the doctor has no token: ${BY_HAND}` };
  const named = context.probeTokenFile;
  const again = topology.backend.host.transport === 'local' ? 'viworks up' : 'viworks deploy apply';
  if (named === undefined)
    return { why: `the context "${context.name}" holds no token for the doctor: ${again} adds one` };
  const file = isAbsolute(named) ? named : join(dir, named);
  const text = await readText(file);
  if (text === undefined) return { why: `${file} cannot be read: ${BY_HAND}` };
  return ProbeCredential.of(text) ?? { why: `${file} holds no token of the role probe: ${again} makes one` };
}

async function namedCredential(file: string): Promise<ProbeCredential> {
  const credential = ProbeCredential.of(await readNamed(file));
  if (credential) return credential;
  throw doctorErrors.create('VW_DOCTOR_NO_PROBE_TOKEN', { file });
}

interface Named {
  readonly name: string;
  readonly probeTokenFile: string | undefined;
}

function contextOf(text: string, topology: Topology): Named | undefined {
  const contexts = record(record(safeJson(text)).contexts);
  const names = ['this-machine', 'local', 'up'];
  const [name, context] =
    Object.entries(contexts).find(([key, value]) => {
      const url = URL.parse(String(record(value).url ?? ''));
      if (topology.backend.host.transport === 'local') return key === topology.name || names.includes(key);
      // Two installations may have one name: a context of this name with another address belongs to the other one.
      if (!url) return key === topology.name;
      return url.hostname === topology.serverName || url.hostname === topology.backend.host.address;
    }) ?? [];
  if (name === undefined) return undefined;
  const file = record(context).probeTokenFile;
  return { name, probeTokenFile: typeof file === 'string' ? file : undefined };
}

/** A file that was named on the command line has to be there. */
async function readNamed(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw doctorErrors.create('VW_DOCTOR_FILE_UNREADABLE', { file, reason: whyUnread(error) }, error);
  }
}

function readText(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
