// A backend for tests of its clients: the real HTTP shapes over a real socket, running the commands right here.
// It fails on sentinel input, so that the same failure can be shown by hand: environment `FAKE_CUT=N` cuts every stream after N bytes of
// output, `FAKE_LOSE_FIRST_ANSWER=1` drops the answer of the first POST, gateways named `offline`, `away` (offline, and waited for),
// `unknown`, `denied`, `failing`, `silent` (never answers) do what they say.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { http } from '../../agents/protocol/index.ts';

/** A running fake. */
export interface FakeBackend extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly tasks: ReadonlyMap<string, FakeTask>;
  /** Requests so far, as `METHOD path`. */
  readonly requests: readonly string[];
  /** Breaks every open connection, as a killed process would. */
  breakConnections(): void;
  /** Stops listening and breaks everything; `listen` brings it back on the same port with its tasks. */
  stop(): Promise<void>;
  listen(): Promise<void>;
}

type Stream = 'out' | 'err';

/** A task of the fake: a real process group. */
export interface FakeTask {
  body: http.TaskBody;
  readonly chunks: { stream: Stream; offset: number; bytes: Buffer }[];
  readonly watchers: Set<() => void>;
  child: ChildProcess | undefined;
  cancelled: boolean;
  timedOut: boolean;
  readonly cutAfter: number;
}

const TOKEN = 'fake-token';

/** Starts a fake backend on a free port of the loopback. */
export async function startFakeBackend(): Promise<FakeBackend> {
  const tasks = new Map<string, FakeTask>();
  const byKey = new Map<string, FakeTask>();
  const requests: string[] = [];
  const sockets = new Set<{ destroy(): void }>();
  let server: Server | undefined;
  let port = 0;
  let loseAnswer = true;

  function handle(request: IncomingMessage, response: ServerResponse, body: string): unknown {
    const url = new URL(request.url ?? '/', 'http://fake');
    requests.push(`${request.method} ${url.pathname}`);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      return fail(response, 401, 'VW_BACKEND_UNAUTHORISED', 'the token is not known');
    }
    const [, , , kind = '', id = '', action = ''] = url.pathname.split('/');
    if (kind === 'gateways') return answer(response, 200, gateways(id));
    if (kind === 'commands' && request.method === 'POST') return post(request, response, body);
    if (kind === 'tasks' && id === '')
      return answer(response, 200, { tasks: [...tasks.values()].map((task) => task.body).reverse() });
    const task = tasks.get(id);
    if (kind !== 'tasks' || !task) return fail(response, 404, 'VW_BACKEND_UNKNOWN_TASK', `there is no task ${id}`);
    if (action === '') return answer(response, 200, task.body);
    if (action === 'cancel') {
      const finished = task.body.state === 'finished';
      if (!finished) cancel(task);
      return answer(response, 200, { result: finished ? 'already_finished' : 'requested', task: task.body });
    }
    const from = { out: Number(url.searchParams.get('out') ?? 0), err: Number(url.searchParams.get('err') ?? 0) };
    sse(response);
    stream(response, task, { from, follow: url.searchParams.get('follow') === '1' });
  }

  function post(request: IncomingMessage, response: ServerResponse, body: string): unknown {
    const parsed = http.commandRequest.safeParse(JSON.parse(body));
    if (!parsed.success) return fail(response, 400, 'VW_BACKEND_INVALID', parsed.error.message);
    const spec = parsed.data;
    const [gateway = ''] = spec.gateways;
    if (gateway === 'unknown') return fail(response, 404, 'VW_BACKEND_UNKNOWN_GATEWAY', 'there is no gateway unknown');
    if (gateway === 'silent') return;
    if (gateway === 'failing') return fail(response, 507, 'VW_BACKEND_STORAGE', 'the disk is full');
    const key = String(request.headers['idempotency-key']);
    const task = byKey.get(key) ?? startTask(spec, gateway);
    byKey.set(key, task);
    tasks.set(task.body.taskId, task);
    if (spec.env.FAKE_LOSE_FIRST_ANSWER === '1' && loseAnswer) {
      loseAnswer = false;
      request.socket.destroy();
      return;
    }
    const command = {
      commandId: task.body.commandId,
      verb: spec.verb,
      createdAt: task.body.createdAt,
      tasks: [task.body],
    };
    if (!request.headers.accept?.includes('event-stream')) return answer(response, 201, command);
    sse(response);
    event(response, 'command', command);
    stream(response, task, { from: { out: 0, err: 0 }, follow: true });
  }

  const fake: FakeBackend = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    token: TOKEN,
    tasks,
    requests,
    breakConnections: () =>
      sockets.forEach((socket) => {
        socket.destroy();
      }),
    async stop() {
      const closed = new Promise((resolve) => server?.close(resolve));
      this.breakConnections();
      await closed;
      server = undefined;
    },
    async listen() {
      server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => handle(request, response, Buffer.concat(chunks).toString()));
      });
      server.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
      });
      await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
      port = (server.address() as AddressInfo).port;
    },
    async [Symbol.asyncDispose]() {
      for (const task of tasks.values()) cancel(task);
      if (server) await this.stop();
    },
  };
  await fake.listen();
  return fake;
}

function startTask(spec: ReturnType<typeof http.commandRequest.parse>, gateway: string): FakeTask {
  const now = Date.now();
  const body: http.TaskBody = {
    taskId: randomUUID(),
    commandId: randomUUID(),
    gatewayId: gateway,
    verb: spec.verb,
    args: spec.args,
    state: 'running',
    fence: 1,
    createdAt: now,
    startedAt: now,
    expiresAt: now + spec.ttlMs,
    out: { stored: 0 },
    err: { stored: 0 },
    createdBy: 'test',
  };
  const task: FakeTask = {
    body,
    chunks: [],
    watchers: new Set(),
    child: undefined,
    cancelled: false,
    timedOut: false,
    cutAfter: Number(spec.env.FAKE_CUT ?? Number.POSITIVE_INFINITY),
  };
  if (gateway === 'offline')
    finish(task, { outcome: 'expired', message: `${gateway} was offline for ${spec.ttlMs} ms` });
  else if (gateway === 'away') {
    task.body = { ...body, state: 'queued', startedAt: undefined };
    setTimeout(() => finish(task, { outcome: 'expired', message: 'nobody was there' }), spec.ttlMs).unref();
  } else if (gateway === 'denied')
    finish(task, { outcome: 'refused', refusal: 'denied', message: 'the policy does not allow it' });
  else launch(task, spec);
  return task;
}

function launch(task: FakeTask, spec: ReturnType<typeof http.commandRequest.parse>): void {
  const argv = spec.verb === 'shell' ? ['sh', '-c', String(spec.args.script)] : (spec.args.argv as string[]);
  const [file = 'false', ...args] = argv;
  const hash = { out: createHash('sha256'), err: createHash('sha256') };
  const child = spawn(file, args, {
    detached: true,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', ...spec.env },
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
  });
  task.child = child;
  const keep = (stream: Stream, bytes: Buffer): void => {
    task.chunks.push({ stream, offset: task.body[stream].stored, bytes });
    task.body = { ...task.body, [stream]: { stored: task.body[stream].stored + bytes.length } };
    hash[stream].update(bytes);
    for (const wake of task.watchers) wake();
  };
  child.stdout.on('data', (bytes: Buffer) => keep('out', bytes));
  child.stderr.on('data', (bytes: Buffer) => keep('err', bytes));
  child.stdin.on('error', () => {});
  child.stdin.end(spec.stdin === undefined ? undefined : Buffer.from(spec.stdin, 'base64'));
  child.on('error', (error) => finish(task, { outcome: 'refused', refusal: 'start_failed', message: error.message }));
  const limit = spec.timeoutMs > 0 ? setTimeout(() => timeOut(task), spec.timeoutMs) : undefined;
  child.on('close', (code, signal) => {
    clearTimeout(limit);
    const total = (stream: Stream) => ({ bytes: task.body[stream].stored, sha256: hash[stream].digest('hex') });
    const outcome = task.cancelled ? 'cancelled' : task.timedOut ? 'timed_out' : signal ? 'signalled' : 'exited';
    finish(task, {
      outcome,
      ...(code === null ? {} : { code }),
      ...(signal === null ? {} : { signal }),
      out: total('out'),
      err: total('err'),
      durationMs: Date.now() - task.body.createdAt,
      leftovers: 0,
      killMode: 'none',
      escalated: false,
      oomKilled: false,
    });
  });
}

function finish(task: FakeTask, end: http.TaskEnd): void {
  if (task.body.state === 'finished') return;
  task.body = { ...task.body, state: 'finished', finishedAt: Date.now(), end };
  for (const wake of task.watchers) wake();
}

function cancel(task: FakeTask): void {
  if (task.body.state === 'finished') return;
  task.cancelled = true;
  kill(task);
}

function timeOut(task: FakeTask): void {
  task.timedOut = true;
  kill(task);
}

function kill(task: FakeTask): void {
  if (task.child?.pid === undefined) return;
  try {
    process.kill(-task.child.pid, 'SIGTERM');
  } catch {
    // It has just ended by itself.
  }
}

function stream(
  response: ServerResponse,
  task: FakeTask,
  options: { from: Record<Stream, number>; follow: boolean },
): void {
  let next = 0;
  let sent = 0;
  let paused = false;
  const pump = (): void => {
    while (!paused && next < task.chunks.length) {
      const chunk = task.chunks[next++];
      if (!chunk || chunk.offset + chunk.bytes.length <= options.from[chunk.stream]) continue;
      const data = {
        taskId: task.body.taskId,
        stream: chunk.stream,
        offset: chunk.offset,
        data: chunk.bytes.toString('base64'),
      };
      paused = !event(response, 'output', data);
      sent += chunk.bytes.length;
      if (sent > task.cutAfter) {
        response.destroy();
        return;
      }
    }
    if (paused) return;
    if (task.body.state === 'finished') {
      event(response, 'exit', { task: task.body });
      response.end();
    } else if (!options.follow) response.end();
  };
  response.on('drain', () => {
    paused = false;
    pump();
  });
  response.on('close', () => task.watchers.delete(pump));
  task.watchers.add(pump);
  pump();
}

function sse(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
}

function event(response: ServerResponse, name: string, data: unknown): boolean {
  return response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function fail(response: ServerResponse, status: number, code: string, ...[message = '']: string[]): void {
  answer(response, status, {
    code,
    message,
    hint: 'look at the sentinel',
    retry: status >= 500 ? 'later' : 'never',
    detail: {},
  });
}

function gateways(id: string): unknown {
  const gateway: http.GatewayBody = {
    gatewayId: 'gw1',
    state: 'connected',
    labels: { site: 'test' },
    version: '0.1.0',
    revision: 'abc1234',
    verbs: [{ name: 'exec', schemaHash: '0', matches: true }],
    remoteAddress: '192.0.2.7',
    sessionEpoch: 3,
    enrolledAt: 0,
    connectedAt: Date.now() - 60_000,
    lastSeenAt: Date.now(),
    runningTasks: 1,
  };
  if (id === 'away') return { ...gateway, gatewayId: id, state: 'disconnected', lastSeenAt: Date.now() - 200_000 };
  return id === '' ? { gateways: [gateway], total: 1 } : gateway;
}
