// From an inventory to the release of one host: every file, link, unit, account and gate, with an id that follows from the
// content. Pure: digests come from a function that is handed in.

import { LAUNCHER_FILES, NODE_FLAGS } from '../../agents/runtime/index.ts';
import type { GatewayPlan, Inventory } from '../inventory/index.ts';
import { ACCOUNTS, LAYOUT } from './layout.ts';
import type { Manifest, OuterEntry, ReleaseAccount, ReleaseGates, ReleaseParcel, ReleaseUnit } from './manifest.ts';
import { hostPort, http2Spelling, renderNginxInclude, renderVhost } from './nginx.ts';
import {
  renderBackendToml,
  renderBackendUnits,
  renderGatewayToml,
  renderGatewayUnits,
  renderLauncherToml,
  type Templates,
  type UnitPaths,
} from './render.ts';

/** What a release is made of besides the inventory. */
export interface ReleaseInputs {
  readonly inventory: Inventory;
  readonly host: string;
  readonly templates: Templates;
  readonly version: string;
  readonly revision: string;
  readonly committedAt: string;
  readonly app: { readonly digest: string; digestOf(path: string): string };
  readonly runtime: string;
  /** Certificate chain for nginx and the name under which its key is kept; absent on hosts without nginx. */
  readonly certificate?: { readonly pem: string; readonly keyName: string } | undefined;
  /** What gateways trust; absent: their system's roots. */
  readonly trust?: string | undefined;
  readonly seen: { readonly nginxVersion: string | undefined; readonly ipv6: boolean };
  sha256(content: string): string;
}

// Stands for the id while the id is still being computed from the rest.
const NO_ID = '00000000T000000Z-000000000000';
const FILE_MODE = 0o444;

/** Plans the release of one host. */
export function planRelease(inputs: ReleaseInputs): ReleaseParcel {
  const draft = build(inputs, NO_ID);
  const stable = JSON.stringify([{ ...draft.manifest, files: undefined, digest: undefined }, draft.contents]);
  const digest = inputs.sha256(stable);
  const id = `${inputs.committedAt.replace(/\.\d+|[-:]/g, '').slice(0, 15)}Z-${digest.slice(0, 12)}`;
  const made = build(inputs, id);
  return { manifest: { ...made.manifest, digest }, contents: made.contents };
}

/** The gateway that an inventory puts on a host. */
export function gatewayOn(inventory: Inventory, host: string): GatewayPlan | undefined {
  return inventory.gateways.find((gateway) => gateway.host === host);
}

function build(inputs: ReleaseInputs, id: string): ReleaseParcel {
  const { inventory, host } = inputs;
  const gateway = gatewayOn(inventory, host);
  const parts = [
    ...(inventory.backend.host === host ? [backendPart(inputs, id)] : []),
    ...(gateway ? [gatewayPart(inputs, gateway, id)] : []),
  ];
  const contents: Record<string, string> = Object.assign({}, ...parts.map((part) => part.contents));
  const units = parts.flatMap((part) => part.units);
  const manifest: Manifest = {
    schema: 1,
    id,
    digest: '',
    version: inputs.version,
    revision: inputs.revision,
    app: inputs.app.digest,
    runtime: inputs.runtime,
    files: Object.keys(contents)
      .sort()
      .map((path) => ({ path, sha256: inputs.sha256(contents[path] as string), mode: FILE_MODE })),
    outer: [...units.flatMap((unit) => unitLinks(unit)), ...parts.flatMap((part) => part.outer), COMMAND],
    units,
    accounts: parts.flatMap((part) => part.accounts),
    secrets: parts.flatMap((part) => part.secrets),
    nginx: parts.some((part) => part.nginx),
    gates: Object.assign({}, ...parts.map((part) => part.gates)) as ReleaseGates,
  };
  return { manifest, contents };
}

interface ReleasePart {
  readonly contents: Readonly<Record<string, string>>;
  readonly outer: readonly OuterEntry[];
  readonly units: readonly ReleaseUnit[];
  readonly accounts: readonly ReleaseAccount[];
  readonly secrets: readonly string[];
  readonly nginx: boolean;
  readonly gates: ReleaseGates;
}

const PATHS: UnitPaths = {
  notify: `${LAYOUT.current}/app/notify.pl`,
  node: `${LAYOUT.current}/runtime/node`,
  nodeFlags: NODE_FLAGS,
  program: `${LAYOUT.current}/app/dist/main.js`,
  configDirectory: `${LAYOUT.current}/etc`,
};

function backendPart(inputs: ReleaseInputs, id: string): ReleasePart {
  const { inventory, templates, certificate, seen, sha256 } = inputs;
  const { backend, project } = inventory;
  const api = hostPort(backend.api.bind, backend.api.port);
  const agents = hostPort(backend.agents.bind, backend.agents.port);
  const toml = (releaseId: string): string =>
    renderBackendToml(templates, {
      stateDir: `${LAYOUT.state}/backend`,
      releaseId,
      logLevel: backend.logLevel,
      maxConnections: backend.agents.maxConnections,
      heartbeatSeconds: backend.heartbeatSeconds,
      retention: backend.retention,
      api: backend.api,
      agents: backend.agents,
    });
  const units = renderBackendUnits(templates, PATHS, { api, agents });
  const program = sha256([inputs.app.digest, inputs.runtime, toml(NO_ID)].join('\n'));
  const contents: Record<string, string> = { 'etc/backend.toml': toml(id), ...below('units', units) };
  if (certificate) {
    contents['etc/tls.crt'] = certificate.pem;
    contents['nginx/viworks.conf'] = renderVhost(templates, {
      releaseId: id,
      serverName: project.serverName,
      listen: [String(backend.nginx.port), ...(seen.ipv6 ? [`[::]:${backend.nginx.port}`] : [])],
      http2: http2Spelling(seen.nginxVersion, backend.nginx.http2),
      certificate: `${LAYOUT.current}/etc/tls.crt`,
      key: `${LAYOUT.credentials}/${certificate.keyName}`,
      api,
      agents,
    });
  }
  if (inputs.trust !== undefined) contents['etc/trust.pem'] = inputs.trust;
  const include = renderNginxInclude(templates, `${LAYOUT.current}/nginx`);
  return {
    contents,
    outer: certificate ? [{ kind: 'file', path: LAYOUT.nginxInclude, content: include, mode: 0o644 }] : [],
    units: Object.entries(units)
      // Sockets first: the service is started with their descriptors.
      .sort(([a], [b]) => Number(b.endsWith('.socket')) - Number(a.endsWith('.socket')))
      .map(([name, text]) => ({
        name,
        part: 'backend',
        kind: name.endsWith('.socket') ? 'socket' : 'service',
        fingerprint: sha256(name.endsWith('.socket') ? text : `${text}\n${program}`),
      })),
    accounts: [{ name: ACCOUNTS.backend, home: `${LAYOUT.state}/backend`, groupOnly: false }],
    secrets: certificate ? [certificate.keyName] : [],
    nginx: certificate !== undefined,
    gates: {
      backend: {
        api,
        agents,
        path: backend.agents.path,
        protocol: 'viworks.agent.v1',
        tls: {
          port: backend.nginx.port,
          serverName: project.serverName,
          trust: inputs.trust === undefined ? null : 'etc/trust.pem',
        },
      },
    },
  };
}

/** Where gateways dial. */
export function gatewayUrl(inventory: Inventory): string {
  const { backend, project } = inventory;
  const port = backend.nginx.port === 443 ? '' : `:${backend.nginx.port}`;
  return `wss://${project.serverName}${port}${backend.agents.path}`;
}

/** The name under which a gateway's one-time token lies among the credentials. */
export const ENROLMENT_SECRET = 'enrolment-token';

function gatewayPart(inputs: ReleaseInputs, gateway: GatewayPlan, id: string): ReleasePart {
  const { inventory, templates, trust, sha256 } = inputs;
  const toml = (releaseId: string): string =>
    renderGatewayToml(templates, {
      gatewayId: gateway.id,
      releaseId,
      url: gatewayUrl(inventory),
      logLevel: gateway.logLevel,
      stateDir: `${LAYOUT.state}/gateway`,
      trustFile: trust === undefined ? undefined : `${LAYOUT.current}/etc/trust.pem`,
      launcherSocket: LAYOUT.launcherSocket,
      tasksDir: LAYOUT.tasks,
      maxConcurrentTasks: gateway.maxConcurrentTasks,
      localApi: gateway.localApi,
      labels: gateway.labels,
      verbs: gateway.verbs,
    });
  const launcherToml = renderLauncherToml(templates, {
    socket: LAYOUT.launcherSocket,
    tasksDir: LAYOUT.tasks,
    agentUser: ACCOUNTS.gateway,
    taskUser: gateway.taskUser,
  });
  const units = renderGatewayUnits(templates, PATHS, {
    id: gateway.id,
    enrolmentToken: `${LAYOUT.credentials}/${ENROLMENT_SECRET}`,
  });
  // The launcher is perl: a new agent bundle is no reason to restart it.
  const launcher = [
    ...LAUNCHER_FILES.map((name) => inputs.app.digestOf(`dist/${name}`)),
    inputs.app.digestOf('notify.pl'),
    launcherToml,
  ].join('\n');
  const program = [inputs.app.digest, inputs.runtime, toml(NO_ID), trust ?? ''].join('\n');
  const user = (name: string, groupOnly = false): ReleaseAccount => ({
    name,
    home: name === ACCOUNTS.gateway ? `${LAYOUT.state}/gateway` : '/nonexistent',
    groupOnly,
  });
  return {
    contents: {
      'etc/gateway.toml': toml(id),
      'etc/launcher.toml': launcherToml,
      ...(trust === undefined ? {} : { 'etc/trust.pem': trust }),
      ...below('units', units),
    },
    outer: [
      {
        kind: 'link',
        path: `${LAYOUT.units}/viworks-agent.service`,
        target: `${LAYOUT.units}/viworks-gateway-agent.service`,
      },
    ],
    units: ['viworks-launcher.service', 'viworks-gateway-agent.service'].map((name) => ({
      name,
      part: 'gateway',
      kind: 'service',
      fingerprint: sha256(`${units[name]}\n${name === 'viworks-launcher.service' ? launcher : program}`),
    })),
    accounts: [
      user(ACCOUNTS.gateway),
      user(ACCOUNTS.launcher, true),
      ...(gateway.taskUser === 'root' ? [] : [user(gateway.taskUser)]),
    ],
    secrets: [ENROLMENT_SECRET],
    nginx: false,
    gates: { gateway: { id: gateway.id, localApi: hostPort(gateway.localApi.bind, gateway.localApi.port) } },
  };
}

function below(directory: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${directory}/${name}`, content]));
}

// Remedies name commands to be run on the host. Nothing depends on the link, so an operator's own file of that name stays.
const COMMAND: OuterEntry = {
  kind: 'link',
  path: LAYOUT.command,
  target: `${LAYOUT.current}/app/viworks`,
  yields: true,
};

// Enabled by links of our own: `systemctl enable` would be a second thing to undo.
function unitLinks(unit: ReleaseUnit): OuterEntry[] {
  const target = unit.kind === 'socket' ? 'sockets.target.wants' : 'multi-user.target.wants';
  return [
    { kind: 'link', path: `${LAYOUT.units}/${unit.name}`, target: `${LAYOUT.current}/units/${unit.name}` },
    { kind: 'link', path: `${LAYOUT.units}/${target}/${unit.name}`, target: `${LAYOUT.units}/${unit.name}` },
  ];
}
