// Pieces of text and small signs that several layers of the catalogue share.
import { type Claim, type Remedy, type Sign, sign, signs, type View } from '../engine/index.ts';

const { parts } = signs;

/** Commands to be typed on one of the hosts, each with its host in front. */
export function on(view: View, seat: 'be' | 'gw', ...commands: readonly string[]): readonly string[] {
  const host = parts.hostOf(view, seat);
  return commands.map((command) => `${host}# ${command}`);
}

export function remedy(text: string, commands: readonly string[] = []): Remedy {
  return { text, commands };
}

/** Whether viworks installed this part: only then is there a `viworks` on its host, and a release to look into. */
export function isManaged(view: View, place: typeof parts.gatewayPart): boolean {
  const { seat, part } = place;
  const command = view.value('unit.state', seat, part)?.execStart ?? '';
  const file = part === 'backend' || part === 'gateway' ? (view.value('agent.config', seat, part)?.path ?? '') : '';
  return [command, file].some((text) => text.includes('/opt/viworks/'));
}

/** What puts back what belongs there; nothing where nobody wrote an inventory to put it back from. */
export function deployAgain(view: View, seat: 'be' | 'gw', ...checks: readonly string[]): readonly string[] {
  const hasInventory = view.topology.kind === 'viworks' && !view.topology.inferred.includes('kind');
  return [...(hasInventory ? ['viworks deploy apply'] : []), ...on(view, seat, ...checks)];
}

/** How a gateway's configuration is judged without starting the agent; another make of agent only says it in its log. */
export function checkConfig(view: View): string {
  const file = view.value('agent.config', 'gw', 'gateway')?.path;
  return file !== undefined && isManaged(view, parts.gatewayPart)
    ? `viworks gateway --check --config ${file}`
    : `journalctl -u ${gatewayUnit(view)} -n 20`;
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

/** A sign that is open, never refuted, when the thing is not seen: for evidence that a second fault can hide. */
export function ifVisible(of: Claim): Sign {
  return sign([of.claim, of.claim], (view) => (of.holds(view) === 'yes' ? 'yes' : 'unknown'));
}
