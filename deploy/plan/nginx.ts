// The vhost in front of the backend, for a managed host and for a private nginx of an ordinary user. Pure.
import { render, type Templates } from './render.ts';
import { block, flag, text, type Value } from './template.ts';

/** What the vhost needs to know. */
export interface VhostConfig {
  readonly releaseId: string;
  readonly serverName: string;
  /** `address:port` or `port`, one `listen` each. */
  readonly listen: readonly string[];
  /** How this nginx spells HTTP/2: with the listener before 1.25.1, as a directive from there on (else it warns). */
  readonly http2: 'listener' | 'directive' | 'off';
  readonly certificate: string;
  readonly key: string;
  /** `address:port` of the API and of the gateways' listener. */
  readonly api: string;
  readonly agents: string;
}

/** Renders the vhost with its two locations: what goes into the http block. */
export function renderVhost(templates: Templates, config: VhostConfig): string {
  const options = config.http2 === 'listener' ? ' ssl http2' : ' ssl';
  return render(templates, 'nginx/viworks.conf.tmpl', {
    release: text(config.releaseId),
    listen: block(config.listen.map((address) => `    listen ${listenAddress(address)}${options};`).join('\n')),
    http2_directive: flag(config.http2 === 'directive'),
    server_name: text(config.serverName),
    certificate: text(config.certificate),
    key: text(config.key),
    ws: block(render(templates, 'nginx/viworks-ws.conf.tmpl', { agents: text(config.agents) })),
    api: block(render(templates, 'nginx/viworks-api.conf.tmpl', { api: text(config.api) })),
  });
}

/** Renders the one line that an own vhost adds to the host's nginx. */
export function renderNginxInclude(templates: Templates, directory: string): string {
  return render(templates, 'nginx/include.conf.tmpl', { files: block(`${directory}/*.conf`) });
}

/** Renders a whole nginx.conf for `viworks up`: foreground, everything below one directory, errors on stderr. */
export function renderNginxPrivate(
  templates: Templates,
  config: VhostConfig & { readonly directory: string; readonly asRoot: boolean },
): string {
  const vhost = renderVhost(templates, config);
  const indented = vhost.replace(/^(?=.)/gm, '    ');
  const below = (name: string): Value => text(`${config.directory}/${name}`);
  return render(templates, 'nginx/private.conf.tmpl', {
    // Started by root its workers would become another user, who may not enter the private directory.
    user: block(config.asRoot ? 'user root;' : ''),
    pid: below('nginx.pid'),
    client_body: below('client-body'),
    proxy: below('proxy'),
    fastcgi: below('fastcgi'),
    uwsgi: below('uwsgi'),
    scgi: below('scgi'),
    vhost: block(indented),
  });
}

/** How an nginx of this version spells HTTP/2. */
export function http2Spelling(version: string | undefined, wanted: boolean): VhostConfig['http2'] {
  if (!wanted) return 'off';
  const [major = 1, minor = 22, patch = 0] = (version ?? '').split('.').filter(Boolean).map(Number);
  const at = major * 1_000_000 + minor * 1_000 + patch;
  return at >= 1_025_001 ? 'directive' : 'listener';
}

/** `address:port` as nginx and systemd write it; IPv6 in brackets. */
export function hostPort(bind: string, port: number): string {
  return bind.includes(':') ? `[${bind}]:${port}` : `${bind}:${port}`;
}

function listenAddress(address: string): string {
  if (!/^[0-9a-fA-F.:[\]]+$/.test(address)) throw new Error(`${address} is not an address to listen on`);
  return address;
}
