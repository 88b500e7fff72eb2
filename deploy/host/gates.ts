// The gates of a host: does what was started really work, seen from this host? Each gate is tried until its deadline, and a
// failure says which leg failed and how.
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type Clock, describe, ViworksError } from '../../agents/runtime/index.ts';
import { askBackend, connectBackend } from '../peer.ts';
import { LAYOUT } from '../plan/layout.ts';
import type { HostState, Manifest } from '../plan/manifest.ts';
import { BACKEND_UNIT } from './backend-tools.ts';
import { run } from './tools.ts';
import { type Front, openFront, type ProbeTarget, probeSession } from './websocket.ts';

/** Which part of a release is looked at. */
export type Part = 'backend' | 'gateway';

/** What gates need besides the manifest. */
export interface GateContext {
  readonly clock: Clock;
  readonly state: HostState;
  /** Told about each gate that is passed. */
  note(step: string, detail: string): void;
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

/** Passes gates one after the other, each by its deadline, or throws a GateError, or VW_DEPLOY_PEER where a stranger holds a port. */
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
      if (clock.monotonicMs() > end) throw error instanceof ViworksError ? error : new GateError(name, describe(error));
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
  const { path, protocol } = backend;
  const front = { port: backend.tls.port, serverName: backend.tls.serverName, ca };
  const agents = { bind: backend.agents, owner: BACKEND_UNIT, ms: ONE_TRY_MS };
  const direct = async (): Promise<string> =>
    hello((await connectBackend(agents)).stream, { path, protocol, hostHeader: backend.agents, ms: ONE_TRY_MS });
  const through = async (): Promise<string> =>
    hello(await openFront(front, ONE_TRY_MS), { path, protocol, hostHeader: front.serverName, ms: ONE_TRY_MS });
  return [
    ['unit', () => unitIsUp(service)],
    ['API health', () => backendHealthy(backend.api, release)],
    ['WebSocket port health', () => backendHealthy(backend.agents, release)],
    ['WebSocket directly', direct],
    ...(manifest.nginx
      ? ([
          ['nginx release', () => releaseOf(front, manifest.id)],
          ['API through nginx', () => healthThroughFront(front, release)],
          ['WebSocket through nginx', through],
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

// Whoever else holds the port may answer as it likes: only the backend's own process is believed.
async function backendHealthy(bind: string, release: string): Promise<string> {
  const answer = await askBackend({ bind, owner: BACKEND_UNIT, ms: ONE_TRY_MS }, { path: '/health' });
  return judgeHealth(await collect(answer), release, 'healthy');
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

// No token: through nginx nobody knows who stands behind it. The loop of the server proves itself by refusing in its own words.
async function hello(socket: Duplex, target: ProbeTarget): Promise<string> {
  const answer = await probeSession(socket, target, { type: 'session.probe', protocol: 1 });
  if (answer.type === 'session.refused') return '101 + CHALLENGE';
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
