// A backend for tests of the gateway: the real wire over a real socket, with its memory kept here while links come and go.
// It checks what a backend may rely on (signature, offsets without holes or repetition) and keeps complaints in `faults`.
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  AGENT_PATH,
  decodeFrame,
  decodeOutput,
  encodeFrame,
  type Frame,
  type FrameOf,
  helloPayload,
  http,
  limits,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
  type TaskResult,
} from '../../agents/protocol/index.ts';

/** A task as the fake remembers it. */
export interface FakeLinkTask {
  readonly run: FrameOf<'task.run'>;
  readonly out: Buffer[];
  readonly err: Buffer[];
  stored: { out: number; err: number };
  accepted: boolean;
  started: FrameOf<'task.started'> | undefined;
  startedTimes: number;
  result: TaskResult | undefined;
  refusal: FrameOf<'task.refused'> | undefined;
  cancelling: string | undefined;
  settled: boolean;
}

/** A running fake. */
export interface FakeBackendLink extends AsyncDisposable {
  /** WebSocket URL for gateway.toml. */
  readonly url: string;
  readonly tasks: ReadonlyMap<string, FakeLinkTask>;
  readonly hellos: readonly FrameOf<'session.hello'>[];
  readonly frames: readonly Frame[];
  /** Everything that a real backend would have refused. */
  readonly faults: readonly string[];
  /** Whether a session is open. */
  readonly connected: boolean;
  run(frame: Partial<FrameOf<'task.run'>> & { taskId: string; verb: string }): void;
  send(frame: Frame): void;
  /** Breaks the link as a killed backend does; what is on the way is lost. */
  breakLink(): void;
  /** Refuses connections until `listen`. */
  stop(): Promise<void>;
  listen(): Promise<void>;
  /** Resolves when `done` holds; it is asked after every frame. */
  until(what: string, done: () => boolean, ms?: number): Promise<void>;
  output(taskId: string): { out: Buffer; err: Buffer };
  /** False: output is stored but not acknowledged. */
  acknowledging: boolean;
}

/** Starts a fake on a free port of the loopback. `POST /api/v1/enrol` takes the token `good-token`. */
export async function startFakeBackendLink(options: { creditBytes?: number } = {}): Promise<FakeBackendLink> {
  const creditBytes = options.creditBytes ?? limits.TASK_CREDIT_BYTES;
  const tasks = new Map<string, FakeLinkTask>();
  const hellos: FrameOf<'session.hello'>[] = [];
  const frames: Frame[] = [];
  const faults: string[] = [];
  const keys = new Map<string, string>();
  const watchers = new Set<() => void>();
  let server: Server | undefined;
  let link: WebSocket | undefined;
  let open = false;
  let epoch = 0;
  let port = 0;
  const changed = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  const send = (frame: Frame): void => link?.send(encodeFrame(frame));

  function settleIfWhole(task: FakeLinkTask): void {
    const { result, run, stored } = task;
    const final = task.refusal && task.refusal.code !== 'conflict' && task.refusal.code !== 'not_started';
    if (final) send({ type: 'task.settled', taskId: run.taskId });
    if (!result || stored.out < result.out.bytes || stored.err < result.err.bytes) return;
    for (const stream of ['out', 'err'] as const) {
      const hash = createHash('sha256').update(Buffer.concat(task[stream])).digest('hex');
      if (hash !== result[stream].sha256) faults.push(`${run.taskId} ${stream}: hash differs`);
    }
    task.settled = true;
    send({ type: 'task.settled', taskId: run.taskId });
  }

  function onOpen(socket: WebSocket): void {
    const nonce = randomBytes(32).toString('base64url');
    const refs = new Map<number, FakeLinkTask>();
    let sequence = 0;
    link = socket;
    open = false;
    send({ type: 'session.challenge', nonce, serverTime: 0, protocolMin: 1, protocolMax: PROTOCOL_VERSION });
    socket.on('close', () => {
      if (link === socket) {
        link = undefined;
        open = false;
      }
      changed();
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (link !== socket) return;
      if (isBinary) {
        const chunk = decodeOutput(data);
        const task = chunk && refs.get(chunk.taskRef);
        if (!chunk || !task) faults.push('output without a task');
        else {
          if (chunk.sequence !== sequence++) faults.push(`sequence ${chunk.sequence}`);
          const have = task.stored[chunk.stream];
          if (chunk.offset > have) faults.push(`${task.run.taskId} ${chunk.stream}: hole at ${have}`);
          const fresh = chunk.bytes.subarray(Math.max(0, have - chunk.offset));
          task[chunk.stream].push(Buffer.from(fresh));
          task.stored[chunk.stream] += fresh.length;
          if (fake.acknowledging) {
            const { out, err } = task.stored;
            send({ type: 'task.ack', taskId: task.run.taskId, out, err, credit: out + err + creditBytes });
          }
          settleIfWhole(task);
        }
        changed();
        return;
      }
      const decoded = decodeFrame(data.toString());
      if (!decoded.ok) faults.push(`bad frame ${JSON.stringify(decoded.error)}`);
      else onFrame(decoded.frame, { nonce, refs });
      changed();
    });
  }

  function onFrame(frame: Frame, session: { nonce: string; refs: Map<number, FakeLinkTask> }): void {
    frames.push(frame);
    if (frame.type === 'session.hello') {
      welcome(frame, session.nonce);
      return;
    }
    if (frame.type === 'session.ping') send({ type: 'session.pong', nonce: frame.nonce });
    if (!('taskId' in frame)) return;
    const task = tasks.get(frame.taskId);
    if (!task) {
      faults.push(`${frame.type} for an unknown task`);
      return;
    }
    if (frame.type === 'task.accepted') task.accepted = true;
    if (frame.type === 'task.started') {
      if (task.started && task.started.streamEpoch !== frame.streamEpoch) faults.push(`${frame.taskId}: started twice`);
      task.started = frame;
      task.startedTimes += 1;
      session.refs.set(frame.taskRef, task);
    }
    if (frame.type === 'task.refused') task.refusal = frame;
    if (frame.type === 'task.cancelling') task.cancelling = frame.phase;
    if (frame.type === 'task.exit') task.result = frame.result;
    if (frame.type === 'task.exit' || frame.type === 'task.refused') settleIfWhole(task);
  }

  function welcome(hello: FrameOf<'session.hello'>, nonce: string): void {
    hellos.push(hello);
    const key = keys.get(hello.gatewayId);
    const payload = helloPayload({ ...hello, serverNonce: nonce });
    const spki =
      key === undefined ? undefined : createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' });
    if (!spki || !verify(null, Buffer.from(payload), spki, Buffer.from(hello.signature, 'base64url'))) {
      link?.close(4101, 'bad signature');
      return;
    }
    open = true;
    send({
      type: 'session.welcome',
      protocol: PROTOCOL_VERSION,
      sessionId: `session-${++epoch}`,
      sessionEpoch: epoch,
      heartbeatMs: limits.HEARTBEAT_MS,
      maxFrameBytes: limits.MAX_FRAME_BYTES,
      taskCreditBytes: creditBytes,
      serverTime: 0,
      version: 'fake',
      revision: 'fake',
      tasks: hello.tasks.map(({ taskId }) => {
        const task = tasks.get(taskId);
        if (!task) return { taskId, action: 'unknown' as const, out: 0, err: 0, graceMs: 100 };
        return { taskId, action: task.settled ? ('settled' as const) : ('resume' as const), ...task.stored };
      }),
    });
    const held = new Set(hello.tasks.map(({ taskId }) => taskId));
    for (const task of tasks.values()) {
      if (!held.has(task.run.taskId) && !task.settled && !task.result && !task.refusal) send(task.run);
    }
  }

  async function listen(): Promise<void> {
    const sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: limits.MAX_FRAME_BYTES,
    });
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => {
        body += part.toString();
      });
      request.on('end', () => {
        const asked = http.enrolRequest.safeParse(JSON.parse(body));
        const good = asked.success && /^good-token-(.+)$/.exec(asked.data.token);
        if (!good || !asked.success) {
          const error = { code: 'VW_FAKE', message: 'the token is not valid', hint: 'x', retry: 'never', detail: {} };
          response.writeHead(403).end(JSON.stringify(error));
          return;
        }
        keys.set(good[1] as string, asked.data.publicKey);
        response.end(JSON.stringify({ gatewayId: good[1], serverTime: 0 }));
      });
    });
    server.on('upgrade', (request, socket, head) => {
      if (request.url !== AGENT_PATH || request.headers['sec-websocket-protocol'] !== SUBPROTOCOL) {
        socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot here\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, onOpen);
    });
    await new Promise<void>((resolve, reject) => {
      server?.once('error', reject);
      server?.listen(port, '127.0.0.1', resolve);
    });
    port = (server.address() as AddressInfo).port;
  }

  async function stop(): Promise<void> {
    link?.terminate();
    const closing = server;
    server = undefined;
    await new Promise<void>((resolve) => (closing ? closing.close(() => resolve()) : resolve()));
  }

  await listen();
  const fake: FakeBackendLink = {
    url: `ws://127.0.0.1:${port}${AGENT_PATH}`,
    tasks,
    hellos,
    frames,
    faults,
    acknowledging: true,
    get connected() {
      return open;
    },
    run(given) {
      const run = {
        type: 'task.run',
        fence: 1,
        args: {},
        env: {},
        timeoutMs: 0,
        graceMs: 1_000,
        ttlMs: 60_000,
        ...given,
      } as const;
      if (!tasks.has(run.taskId)) {
        const stored = { out: 0, err: 0 };
        tasks.set(run.taskId, {
          run,
          out: [],
          err: [],
          stored,
          accepted: false,
          started: undefined,
          startedTimes: 0,
          result: undefined,
          refusal: undefined,
          cancelling: undefined,
          settled: false,
        });
      }
      if (open) send(run);
    },
    send,
    breakLink: () => link?.terminate(),
    stop,
    listen,
    until(what, done, ms = 20_000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          watchers.delete(look);
          reject(new Error(`waited ${ms} ms in vain for: ${what}; faults: ${faults.join(', ')}`));
        }, ms);
        function look(): void {
          if (!done()) return;
          clearTimeout(timer);
          watchers.delete(look);
          resolve();
        }
        watchers.add(look);
        look();
      });
    },
    output(taskId) {
      const task = tasks.get(taskId);
      return { out: Buffer.concat(task?.out ?? []), err: Buffer.concat(task?.err ?? []) };
    },
    [Symbol.asyncDispose]: stop,
  };
  return fake;
}
