// The gates of a host: does what was started really work, seen from this host? Each gate is tried until its deadline, and a
// failure says which leg failed and how.
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { type Clock, describe } from '../../agents/runtime/index.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { HostState, Manifest } from '../plan/manifest.ts';
import { run } from './tools.ts';
import { type ProbeTarget, probeSession } from './websocket.ts';

/** Which part of a release is looked at. */
export type Part = 'backend' | 'gateway';

/** What gates need besides the manifest. */
export interface GateContext {
  readonly clock: Clock;
  readonly state: HostState;
  /** Told about each gate that is passed. */
  note(step: string, detail: string): void;
  /** A token that may send probe frames; without one the coded refusal has to do. */
  readonly token: string | undefined;
}

/** Why a gate stayed shut. */
export class GateError extends Error {
  readonly gate: string;
  constructor(gate: string, reason: string) {
    super(`${gate}: ${reason}`);
    this.name = 'GateError';
    this.gate = gate;
  }
}

const GATE_MS = 20_000;
const POLL_MS = 100;
const ONE_TRY_MS = 5_000;

/** A gate: its name, and one attempt to pass it, which says how it was passed. */
export type Gate = readonly [name: string, attempt: () => Promise<string>];

/** The gates of one part of a release, in the order in which they make sense. */
export async function gatesOf(manifest: Manifest, part: Part, context: GateContext): Promise<readonly Gate[]> {
  return part === 'backend' ? backendGates(manifest, context) : gatewayGates(manifest, context);
}

/** Passes gates one after the other, each by its deadline, or throws a GateError. */
export async function passGates(gates: readonly Gate[], context: Pick<GateContext, 'clock' | 'note'>): Promise<void> {
  for (const [name, attempt] of gates) {
    const detail = await insist(name, attempt, context.clock);
    context.note(name, detail);
  }
}

async function insist(name: string, attempt: () => Promise<string>, clock: Clock): Promise<string> {
  const end = clock.monotonicMs() + GATE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (clock.monotonicMs() > end) throw new GateError(name, describe(error));
      await clock.sleep(POLL_MS);
    }
  }
}

async function backendGates(manifest: Manifest, context: GateContext): Promise<Gate[]> {
  const backend = manifest.gates.backend;
  if (!backend) return [];
  const service = 'viworks-backend-agent.service';
  const release = context.state.started[service]?.release ?? manifest.id;
  const ca = backend.tls.trust === null ? undefined : await readFile(join(LAYOUT.current, backend.tls.trust), 'utf8');
  const [agentsAddress = '', agentsPort = ''] = split(backend.agents);
  const direct: ProbeTarget = {
    address: agentsAddress,
    port: Number(agentsPort),
    path: backend.path,
    hostHeader: backend.agents,
    protocol: backend.protocol,
    ms: ONE_TRY_MS,
  };
  const tls = { serverName: backend.tls.serverName, ca };
  const through: ProbeTarget = {
    ...direct,
    address: '127.0.0.1',
    port: backend.tls.port,
    hostHeader: tls.serverName,
    tls,
  };
  const front = { port: backend.tls.port, ...tls };
  return [
    ['unit', () => unitIsUp(service)],
    ['API health', () => healthy(`http://${backend.api}/health`, release)],
    ['WebSocket port health', () => healthy(`http://${backend.agents}/health`, release)],
    ['WebSocket directly', () => hello(direct, release, context)],
    ...(manifest.nginx
      ? ([
          ['nginx release', () => releaseOf(front, manifest.id)],
          ['API through nginx', () => healthThroughFront(front, release)],
          ['WebSocket through nginx', () => hello(through, release, context)],
        ] as const)
      : []),
  ];
}

function gatewayGates(manifest: Manifest, context: GateContext): Gate[] {
  const gateway = manifest.gates.gateway;
  if (!gateway) return [];
  const service = 'viworks-gateway-agent.service';
  return [
    ['launcher', () => unitIsUp('viworks-launcher.service')],
    ['unit', () => unitIsUp(service)],
    // Healthy there means that the link to the backend is up: name, TLS, nginx, upgrade, HELLO and WELCOME from this host.
    [
      'link',
      () => healthy(`http://${gateway.localApi}/api/v1/health`, context.state.started[service]?.release, 'linked'),
    ],
  ];
}

async function unitIsUp(unit: string): Promise<string> {
  const { stdout } = await run(['systemctl', 'show', '-p', 'ActiveState,SubState,Result', '--value', '--', unit]);
  const [result = '', active = '', sub = ''] = stdout.trim().split('\n');
  const states = [result, active, sub];
  if (states.includes('active') && states.includes('running')) return 'running';
  const journal = await run(['journalctl', '-u', unit, '-n', '15', '--no-pager', '-o', 'cat']);
  throw new Error(`${unit} is ${states.join(', ')}\n${journal.stdout.trim().replace(/^/gm, '    ')}`);
}

async function healthy(url: string, release: string | undefined, said = 'healthy'): Promise<string> {
  const answer = await get(url);
  return judgeHealth(answer, release, said);
}

function judgeHealth(answer: Answer, release: string | undefined, said: string): string {
  const body = parseHealth(answer.body);
  if (answer.status !== 200 || body.status !== 'healthy') {
    const down = Object.entries(body.parts ?? {}).filter(([, part]) => part.state !== 'up');
    const parts = down
      .map(([name, part]) => `${name} ${part.state}${part.message ? ` (${part.message})` : ''}`)
      .join(', ');
    throw new Error(
      `answered ${answer.status} ${body.status ?? answer.body.slice(0, 200)}${parts ? `: ${parts}` : ''}`,
    );
  }
  if (release !== undefined && body.releaseId && body.releaseId !== release) {
    throw new Error(`another release answers: ${body.releaseId}, not ${release}`);
  }
  return said;
}

async function healthThroughFront(front: Front, release: string): Promise<string> {
  return judgeHealth(await getFront(front, '/health'), release, 'healthy');
}

async function hello(target: ProbeTarget, release: string, context: GateContext): Promise<string> {
  const frame = {
    type: 'session.probe',
    protocol: 1,
    ...(context.token === undefined ? {} : { token: context.token }),
  };
  const answer = await probeSession(target, frame);
  if (answer.type === 'session.probed') {
    if (answer.releaseId && answer.releaseId !== release)
      throw new Error(`another release answers: ${answer.releaseId}`);
    return '101 + HELLO';
  }
  // Without a token the server loop proves itself by refusing in its own words.
  if (answer.type === 'session.refused' && context.token === undefined) return '101 + CHALLENGE';
  throw new Error(`the probe was answered with ${answer.type}${answer.message ? ` (${answer.message})` : ''}`);
}

async function releaseOf(front: Front, release: string): Promise<string> {
  const answer = await getFront(front, '/.viworks/release');
  const seen = answer.body.trim();
  if (answer.status !== 200 || seen !== release)
    throw new Error(`nginx answers ${answer.status} ${seen.slice(0, 80)}, not ${release}`);
  return 'answers with the new release';
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

interface Front {
  readonly port: number;
  readonly serverName: string;
  readonly ca: string | undefined;
}

function get(url: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(url, { agent: false, timeout: ONE_TRY_MS }, (answer) => {
      collect(answer).then(resolve, reject);
    });
    asked.once('timeout', () => asked.destroy(new Error(`no answer within ${ONE_TRY_MS} ms`)));
    asked.once('error', reject).end();
  });
}

function getFront(front: Front, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port, serverName, ca } = front;
    const options = {
      host: '127.0.0.1',
      port,
      path,
      servername: serverName,
      headers: { host: serverName },
      agent: false as const,
    };
    const asked = httpsRequest({ ...options, timeout: ONE_TRY_MS, ...(ca === undefined ? {} : { ca }) }, (answer) => {
      collect(answer).then(resolve, reject);
    });
    asked.once('timeout', () => asked.destroy(new Error(`no answer within ${ONE_TRY_MS} ms`)));
    asked.once('error', reject).end();
  });
}

async function collect(answer: AsyncIterable<Buffer> & { readonly statusCode?: number | undefined }): Promise<Answer> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part);
  return { status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') };
}

interface Health {
  readonly status?: string;
  readonly releaseId?: string;
  readonly parts?: Readonly<Record<string, { readonly state: string; readonly message?: string }>>;
}

function parseHealth(text: string): Health {
  try {
    return JSON.parse(text) as Health;
  } catch {
    return {};
  }
}

function split(address: string): [string, string] {
  const at = address.lastIndexOf(':');
  return [address.slice(0, at).replace(/[[\]]/g, ''), address.slice(at + 1)];
}
