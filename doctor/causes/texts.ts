// Pieces of text and small signs that several layers of the catalogue share.
import { type Remedy, type Sign, sign, signs, type View } from '../engine/index.ts';

const { parts } = signs;

/** Commands to be typed on one of the hosts, each with its host in front. */
export function on(view: View, seat: 'be' | 'gw', ...commands: readonly string[]): readonly string[] {
  const host = parts.hostOf(view, seat);
  return commands.map((command) => `${host}# ${command}`);
}

export function remedy(text: string, commands: readonly string[] = []): Remedy {
  return { text, commands };
}

export function backendUnit(view: View): string {
  return view.topology.backend.unit ?? 'viworks-backend-agent.service';
}

export function gatewayUnit(view: View): string {
  return view.gateway?.unit ?? 'viworks-gateway-agent.service';
}

/** Restart or start of the backend however it is kept running. */
export function backendCommand(view: View, verb: 'start' | 'restart'): string {
  const { supervision, container } = view.topology.backend;
  return supervision === 'docker'
    ? `docker ${verb} ${container ?? 'backend'}`
    : `systemctl ${verb} ${backendUnit(view)}`;
}

export function nginxCommand(view: View, verb: 'start' | 'reload'): string {
  const { supervision, container, unit } = view.topology.nginx;
  if (supervision !== 'docker' || container === null)
    return verb === 'reload' ? 'nginx -t && nginx -s reload' : `systemctl start ${unit ?? 'nginx'}`;
  return verb === 'reload' ? `docker exec ${container} nginx -s reload` : `docker start ${container}`;
}

/** The proxy block that routes agents, as it should be. */
export function agentsLocation(view: View): readonly string[] {
  const { backend } = view.topology;
  return [
    'location /ws/ {',
    `    proxy_pass http://127.0.0.1:${backend.agentsPort};`,
    '    proxy_http_version 1.1;',
    '    proxy_set_header Upgrade $http_upgrade;',
    '    proxy_set_header Connection $connection_upgrade;',
    '    proxy_set_header Host $host;',
    '    proxy_read_timeout 3600s;',
    '    proxy_send_timeout 3600s;',
    '}',
  ];
}

/** A sign that is open, not refuted, when the thing is not seen: for evidence that a second fault can hide. */
export function ifVisible(of: Sign): Sign {
  return sign(of.claim, (view) => (of.holds(view) === 'yes' ? 'yes' : 'unknown'));
}
