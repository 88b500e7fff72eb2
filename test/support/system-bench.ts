// The whole spine on this machine, as processes that can be killed: the real backend, launcher and gateway, and a client of the API.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { createEnrolment } from '../../agents/backend/identity/enrolment.ts';
import { createTokens } from '../../agents/backend/identity/tokens.ts';
import { openSqliteStore } from '../../agents/backend/storage/sqlite.ts';
import { markEnrolled, openIdentity } from '../../agents/gateway/identity/identity.ts';
import type { http } from '../../agents/protocol/index.ts';
import { systemClock } from '../../agents/runtime/index.ts';
import { createGatewayBench, type GatewayBench } from './gateway-bench.ts';
import { collectOutput, readEvents } from './sse.ts';

/** Everything that a finished task left. */
export interface Finished {
  readonly task: http.TaskBody;
  readonly out: Buffer;
  readonly err: Buffer;
}

/** A running system. */
export interface SystemBench extends AsyncDisposable {
  readonly gateway: GatewayBench;
  readonly api: string;
  /** An operator's, for other clients of the API. */
  readonly token: string;
  readonly backendPid: number;
  backendLog(): string;
  startBackend(): Promise<void>;
  endBackend(signal: NodeJS.Signals): Promise<void>;
  /** Sends a command; gives the task's id. Repeats until the backend has confirmed it. */
  submit(request: http.CommandRequest, key?: string): Promise<string>;
  /** The same, with the live stream of the answer. */
  stream(request: http.CommandRequest): Promise<Finished>;
  task(taskId: string): Promise<http.TaskBody>;
  /** Waits until the task is finished, and fetches all that is stored of it. */
  finished(taskId: string): Promise<Finished>;
  cancel(taskId: string, graceMs: number): Promise<http.TaskBody>;
  /** Waits until the registry shows the gateway as connected. */
  connected(): Promise<void>;
}

const ROOT = resolve(import.meta.dirname, '../..');
const { signal } = new AbortController();
const LOOK_MS = 20;

/** Starts backend, launcher and gateway, and waits for the session. */
export async function startSystem(
  options: { cgroup?: boolean; tasksDir?: string; extra?: string } = {},
): Promise<SystemBench> {
  const [apiPort, agentsPort] = [await freePort(), await freePort()];
  const gateway = createGatewayBench({ ...options, url: `ws://127.0.0.1:${agentsPort}/ws/agent` });
  const state = join(gateway.dir, 'backend');
  const config = join(gateway.dir, 'backend.toml');
  writeFileSync(config, `state_dir = "${state}"\n[api]\nport = ${apiPort}\n[agents]\nport = ${agentsPort}\n`);
  mkdirSync(state);
  const token = await seed(state, join(gateway.dir, 'state'));
  const api = `http://127.0.0.1:${apiPort}`;
  let log = '';
  let backend: ChildProcess | undefined;

  async function call(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...(init.headers as object),
    };
    return fetch(api + path, { ...init, headers });
  }

  // A backend that is being restarted refuses connections, or breaks one in the middle: asked again, it answers.
  async function insist<T>(ask: () => Promise<T | undefined>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await ask();
        if (answer !== undefined) return answer;
      } catch (error) {
        if (attempt > 3_000 || !(error instanceof TypeError)) throw error;
      }
      await systemClock.sleep(LOOK_MS);
    }
  }

  const json = async <T>(path: string, init?: RequestInit): Promise<T> =>
    insist(async () => {
      const response = await call(path, init);
      const body: unknown = await response.json();
      if (response.status >= 500) return undefined;
      if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
      return body as T;
    });

  const system: SystemBench = {
    gateway,
    api,
    token,
    get backendPid() {
      return backend?.pid ?? 0;
    },
    backendLog: () => log,
    async startBackend() {
      const from = log.length;
      const child = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), 'backend', '--config', config], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH, HOME: gateway.dir },
      });
      backend = child;
      await new Promise<void>((done, fail) => {
        for (const stream of [child.stdout, child.stderr]) {
          stream.on('data', (part: Buffer) => {
            log += part.toString();
            if (log.includes('"backend ready"', from)) done();
          });
        }
        child.once('exit', (code, killed) =>
          fail(new Error(`backend ended with ${code ?? killed}:\n${log.slice(from)}`)),
        );
      });
    },
    async endBackend(name) {
      if (!backend || backend.exitCode !== null || backend.signalCode !== null) return;
      const gone = new Promise((done) => backend?.once('exit', done));
      backend.kill(name);
      await gone;
    },
    async submit(request, key = randomUUID()) {
      const body = await json<http.CommandBody>('/api/v1/commands', {
        method: 'POST',
        headers: { 'idempotency-key': key },
        body: JSON.stringify(request),
      });
      return body.tasks[0]?.taskId ?? '';
    },
    async stream(request) {
      const response = await call('/api/v1/commands', {
        method: 'POST',
        headers: { accept: 'text/event-stream' },
        body: JSON.stringify(request),
      });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      const { out, err, task } = await collectOutput(readEvents(response));
      return { out, err, task: task as unknown as http.TaskBody };
    },
    task: (taskId) => json(`/api/v1/tasks/${taskId}`),
    async finished(taskId) {
      const task = await insist(async () => {
        const seen = await system.task(taskId);
        return seen.state === 'finished' ? seen : undefined;
      });
      return insist(async () => {
        const response = await call(`/api/v1/tasks/${taskId}/output?out=0&err=0&follow=1`);
        if (!response.ok) return undefined;
        const { out, err } = await collectOutput(readEvents(response));
        return { task, out, err };
      });
    },
    async cancel(taskId, graceMs) {
      const body = JSON.stringify({ graceMs });
      return (await json<{ task: http.TaskBody }>(`/api/v1/tasks/${taskId}/cancel`, { method: 'POST', body })).task;
    },
    connected: () =>
      insist(async () => {
        const { state: seen } = await json<http.GatewayBody>('/api/v1/gateways/gw1');
        return seen === 'connected' ? seen : undefined;
      }).then(() => undefined),
    async [Symbol.asyncDispose]() {
      await gateway.endGateway('SIGKILL');
      await system.endBackend('SIGKILL');
      await gateway[Symbol.asyncDispose]();
    },
  };
  try {
    await Promise.all([gateway.startLauncher(), system.startBackend()]);
    await gateway.startGateway();
    await system.connected();
  } catch (error) {
    await system[Symbol.asyncDispose]();
    throw error;
  }
  return system;
}

// An operator's token and an enrolled gateway, straight into the stores of both sides.
async function seed(backendState: string, gatewayState: string): Promise<string> {
  mkdirSync(gatewayState, { recursive: true });
  const identity = await openIdentity({ stateDir: gatewayState, gatewayId: 'gw1' }, signal);
  await using store = openSqliteStore({ directory: backendState, clock: systemClock });
  const enrolment = createEnrolment({ store, clock: systemClock });
  const { token } = await enrolment.createToken({ gatewayId: 'gw1', ttlSeconds: 60 });
  await enrolment.enrol({ token, publicKey: identity.publicKey, fingerprint: 'bench' });
  await markEnrolled(gatewayState, systemClock.now(), signal);
  return (await createTokens({ store, clock: systemClock }).create({ name: 'operator', role: 'operator' })).token;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address ? address.port : 0;
}
