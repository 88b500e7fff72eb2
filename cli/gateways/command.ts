// `viworks gateways`: who is there, and one of them in detail.
import type { http } from '../../agents/protocol/index.ts';
import { type CommandSpec, type Invocation, resolveTarget, ViworksError } from '../../agents/runtime/index.ts';
import { type ApiClient, createClient, noticeOn } from '../api/client.ts';
import { CLIENT_EXIT_CODES, TARGET_OPTIONS } from '../api/options.ts';
import { renderSpan } from '../duration.ts';
import { cliErrors } from '../errors.ts';
import { renderTable } from '../table.ts';

export const gatewaysCommand: CommandSpec = {
  name: 'gateways',
  summary: 'list the gateways, or show one of them',
  arguments: [{ name: 'gateway', help: 'show this one in detail', optional: true }],
  options: [{ flags: '--json', help: 'the answer of the API, as JSON' }, ...TARGET_OPTIONS],
  examples: [
    { command: 'viworks gateways', does: 'all of them, connected or not' },
    { command: 'viworks gateways gw-berlin-1', does: 'one, with its verbs and its last contact' },
    { command: 'viworks gateways --json | jq -r ".gateways[].gatewayId"', does: 'for scripts' },
  ],
  seeAlso: ['viworks run', 'viworks doctor', 'viworks enroll'],
  exitCodes: [{ code: 0, means: 'shown' }, { code: 1, means: 'there is no such gateway' }, ...CLIENT_EXIT_CODES],
  run: showGateways,
};

async function showGateways(invocation: Invocation): Promise<number> {
  const { args, options, terminal, signal, clock } = invocation;
  const client = createClient(await resolveTarget(options, invocation.env), noticeOn(terminal));
  const [id] = args;
  if (id !== undefined) {
    const gateway = await knownGateway(client, id, signal);
    terminal.stdout.write(options.json === true ? `${JSON.stringify(gateway)}\n` : renderGateway(gateway, clock.now()));
    return 0;
  }
  const list = await client.json<GatewayList>({ method: 'GET', path: '/api/v1/gateways', signal });
  terminal.stdout.write(options.json === true ? `${JSON.stringify(list)}\n` : renderGateways(list, clock.now()));
  return 0;
}

/** One gateway; throws VW_CLI_UNKNOWN_GATEWAY. */
export async function knownGateway(client: ApiClient, gateway: string, signal: AbortSignal): Promise<http.GatewayBody> {
  try {
    return await client.json({ method: 'GET', path: `/api/v1/gateways/${encodeURIComponent(gateway)}`, signal });
  } catch (error) {
    const unknown = error instanceof ViworksError && error.code === 'VW_CLI_REFUSED' && error.detail.status === 404;
    throw unknown ? cliErrors.create('VW_CLI_UNKNOWN_GATEWAY', { gateway }, error) : error;
  }
}

interface GatewayList {
  readonly gateways: readonly http.GatewayBody[];
  readonly total: number;
}

/** The table of all gateways. */
export function renderGateways(list: GatewayList, now: number): string {
  if (list.gateways.length === 0) return 'no gateways yet; make one with: viworks enroll --help\n';
  const rows = list.gateways.map((gateway) => [
    gateway.gatewayId,
    gateway.state,
    contact(gateway, now),
    String(gateway.runningTasks),
    gateway.version === undefined ? '-' : `${gateway.version} (${gateway.revision ?? '?'})`,
    gateway.remoteAddress ?? '-',
    labels(gateway),
  ]);
  return renderTable(['GATEWAY', 'STATE', 'SINCE', 'TASKS', 'VERSION', 'ADDRESS', 'LABELS'], rows);
}

/** One gateway, a fact a line. */
export function renderGateway(gateway: http.GatewayBody, now: number): string {
  const skewed = gateway.verbs.filter((verb) => !verb.matches).map((verb) => verb.name);
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['gateway', gateway.gatewayId],
    ['state', `${gateway.state}, ${contact(gateway, now)}`],
    ['version', gateway.version && `${gateway.version} (${gateway.revision ?? '?'})`],
    ['address', gateway.remoteAddress],
    ['labels', labels(gateway)],
    ['verbs', gateway.verbs.map((verb) => verb.name).join(' ') || '-'],
    ['skew', skewed.length > 0 ? `${skewed.join(' ')}: other arguments than this backend expects` : undefined],
    ['tasks', `${gateway.runningTasks} running`],
    ['session', `epoch ${gateway.sessionEpoch}, incarnation ${gateway.incarnation ?? '-'}`],
    [
      'kernel',
      gateway.kernel && `cgroup ${gateway.kernel.cgroup}; limits ${gateway.kernel.limits.join(' ') || 'none'}`,
    ],
    [
      'last close',
      gateway.lastClose && `${gateway.lastClose.code} ${gateway.lastClose.name}, ${ago(gateway.lastClose.at, now)}`,
    ],
  ];
  return renderTable(
    ['', ''],
    facts.filter((fact): fact is [string, string] => fact[1] !== undefined && fact[1] !== ''),
  ).trimStart();
}

function contact(gateway: http.GatewayBody, now: number): string {
  if (gateway.state === 'connected')
    return gateway.connectedAt === undefined ? '-' : renderSpan(now - gateway.connectedAt);
  return gateway.lastSeenAt === undefined ? '-' : ago(gateway.lastSeenAt, now);
}

function ago(at: number, now: number): string {
  return `${renderSpan(Math.max(0, now - at))} ago`;
}

function labels(gateway: http.GatewayBody): string {
  return Object.entries(gateway.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}
