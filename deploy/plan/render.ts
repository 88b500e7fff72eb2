// The configuration of both agents, rendered from typed values. Pure; the units and nginx have files of their own.
import {
  argument,
  block,
  type Dialect,
  flag,
  number,
  renderTemplate,
  type Template,
  text,
  texts,
  tomlTable,
  type Value,
} from './template.ts';

/** Names of every template below templates/. */
export const TEMPLATE_NAMES = [
  'agents/backend.toml.tmpl',
  'agents/gateway.toml.tmpl',
  'agents/launcher.toml.tmpl',
  'nginx/include.conf.tmpl',
  'nginx/private.conf.tmpl',
  'nginx/viworks-api.conf.tmpl',
  'nginx/viworks-ws.conf.tmpl',
  'nginx/viworks.conf.tmpl',
  'systemd/hardening.tmpl',
  'systemd/viworks-backend-agent.service.tmpl',
  'systemd/viworks-backend-agents.socket.tmpl',
  'systemd/viworks-backend-api.socket.tmpl',
  'systemd/viworks-gateway-agent.service.tmpl',
  'systemd/viworks-launcher.service.tmpl',
] as const;
export type TemplateName = (typeof TEMPLATE_NAMES)[number];

/** The texts of all templates, read by whoever does I/O. */
export type Templates = Readonly<Record<TemplateName, string>>;

/** Renders one template by name. */
export function render(templates: Templates, name: TemplateName, values: Readonly<Record<string, Value>>): string {
  const template: Template = { name, text: templates[name] };
  const dialect: Dialect = name.startsWith('nginx/') ? 'nginx' : name.startsWith('systemd/') ? 'systemd' : 'toml';
  return renderTemplate(template, dialect, values);
}

/** What backend.toml says. */
export interface BackendConfig {
  readonly stateDir: string;
  readonly releaseId: string;
  readonly logLevel: string;
  readonly maxConnections: number;
  readonly heartbeatSeconds: number;
  readonly retention: { readonly days: number; readonly storeMib: number };
  readonly api: { readonly bind: string; readonly port: number };
  readonly agents: { readonly bind: string; readonly port: number; readonly path: string };
  /** Only where the backend terminates TLS itself (no nginx). */
  readonly tls?:
    | { readonly certificate: string; readonly key: string; readonly bind: string; readonly port: number }
    | undefined;
}

/** Renders backend.toml. */
export function renderBackendToml(templates: Templates, config: BackendConfig): string {
  const { api, agents, tls } = config;
  return render(templates, 'agents/backend.toml.tmpl', {
    log_level: text(config.logLevel),
    state_dir: text(config.stateDir),
    release: text(config.releaseId),
    max_connections: number(config.maxConnections),
    api_bind: text(api.bind),
    api_port: number(api.port),
    agents_bind: text(agents.bind),
    agents_port: number(agents.port),
    agents_path: text(agents.path),
    heartbeat_seconds: number(config.heartbeatSeconds),
    retention_days: number(config.retention.days),
    retention_store_mib: number(config.retention.storeMib),
    tls: flag(tls !== undefined),
    tls_certificate: text(tls?.certificate ?? ''),
    tls_key: text(tls?.key ?? ''),
    tls_bind: text(tls?.bind ?? ''),
    tls_port: number(tls?.port ?? 0),
  });
}

/** What gateway.toml says. */
export interface GatewayConfig {
  readonly gatewayId: string;
  /** Shown in the gateway's health; empty where there are no releases. */
  readonly releaseId?: string | undefined;
  readonly url: string;
  readonly logLevel: string;
  readonly stateDir: string;
  readonly trustFile?: string | undefined;
  readonly enrolmentTokenFile?: string | undefined;
  readonly launcherSocket: string;
  readonly tasksDir: string;
  readonly maxConcurrentTasks: number;
  readonly localApi: { readonly bind: string; readonly port: number };
  readonly labels: Readonly<Record<string, string>>;
  readonly verbs: readonly string[];
}

/** Renders gateway.toml. */
export function renderGatewayToml(templates: Templates, config: GatewayConfig): string {
  return render(templates, 'agents/gateway.toml.tmpl', {
    gateway: text(config.gatewayId),
    release: text(config.releaseId ?? ''),
    url: text(config.url),
    log_level: text(config.logLevel),
    state_dir: text(config.stateDir),
    trust: flag(config.trustFile !== undefined),
    trust_file: text(config.trustFile ?? ''),
    enrolment: flag(config.enrolmentTokenFile !== undefined),
    enrolment_token_file: text(config.enrolmentTokenFile ?? ''),
    launcher_socket: text(config.launcherSocket),
    tasks_dir: text(config.tasksDir),
    max_tasks: number(config.maxConcurrentTasks),
    local_bind: text(config.localApi.bind),
    local_port: number(config.localApi.port),
    labels: tomlTable(config.labels),
    verbs: texts(config.verbs),
  });
}

/** What launcher.toml says. */
export interface LauncherConfig {
  readonly socket: string;
  readonly tasksDir: string;
  readonly agentUser: string;
  readonly taskUser: string;
}

/** Renders launcher.toml. */
export function renderLauncherToml(templates: Templates, config: LauncherConfig): string {
  return render(templates, 'agents/launcher.toml.tmpl', {
    socket: text(config.socket),
    tasks_dir: text(config.tasksDir),
    agent_user: text(config.agentUser),
    task_user: text(config.taskUser),
  });
}

/** Where the programs of a release lie, seen from a unit. */
export interface UnitPaths {
  readonly notify: string;
  readonly node: string;
  /** Options of `node` for the agents. */
  readonly nodeFlags: readonly string[];
  readonly program: string;
  readonly configDirectory: string;
}

/** Renders the units of a backend host, by file name. */
export function renderBackendUnits(
  templates: Templates,
  paths: UnitPaths,
  listen: { readonly api: string; readonly agents: string },
): Record<string, string> {
  return {
    'viworks-backend-agent.service': render(templates, 'systemd/viworks-backend-agent.service.tmpl', {
      ...programValues(paths, 'backend'),
      hardening: hardening(templates),
    }),
    'viworks-backend-api.socket': render(templates, 'systemd/viworks-backend-api.socket.tmpl', {
      address: text(listen.api),
    }),
    'viworks-backend-agents.socket': render(templates, 'systemd/viworks-backend-agents.socket.tmpl', {
      address: text(listen.agents),
    }),
  };
}

/** Renders the units of a gateway host, by file name. */
export function renderGatewayUnits(
  templates: Templates,
  paths: UnitPaths,
  gateway: { readonly id: string; readonly enrolmentToken: string },
): Record<string, string> {
  return {
    'viworks-gateway-agent.service': render(templates, 'systemd/viworks-gateway-agent.service.tmpl', {
      ...programValues(paths, 'gateway'),
      gateway: text(gateway.id),
      enrolment_token: text(gateway.enrolmentToken),
      hardening: hardening(templates),
    }),
    'viworks-launcher.service': render(templates, 'systemd/viworks-launcher.service.tmpl', {
      node: argument(paths.node),
      program: argument(paths.program),
      config: argument(`${paths.configDirectory}/launcher.toml`),
    }),
  };
}

function programValues(paths: UnitPaths, name: string): Record<string, Value> {
  return {
    notify: argument(paths.notify),
    node: argument(paths.node),
    node_flags: texts(paths.nodeFlags),
    program: argument(paths.program),
    config: argument(`${paths.configDirectory}/${name}.toml`),
  };
}

function hardening(templates: Templates): Value {
  return block(render(templates, 'systemd/hardening.tmpl', {}));
}
