// A gateway of a test's own: the real protocol over a real socket, with every frame in the test's hands.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { WebSocket } from 'ws';
import {
  BUILT_IN_VERBS,
  type BuiltInVerb,
  decodeFrame,
  encodeFrame,
  encodeOutput,
  type Frame,
  type FrameOf,
  type FrameType,
  helloPayload,
  PROTOCOL_VERSION,
  type StreamName,
  SUBPROTOCOL,
  schemaHash,
  type TaskResult,
} from '../../agents/protocol/index.ts';

/** A gateway's key pair and id. */
export interface FakeIdentity {
  readonly gatewayId: string;
  readonly privateKey: KeyObject;
  /** Ed25519 SPKI DER, base64: what enrolment takes. */
  readonly publicKey: string;
}

/** Makes a key pair. */
export function createIdentity(gatewayId: string): FakeIdentity {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { gatewayId, privateKey, publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') };
}

/** One link to the backend. */
export interface FakeLink {
  readonly socket: WebSocket;
  /** The next frame of a type that was not taken yet; others stay in line. Rejects when the link closes first. */
  next<T extends FrameType>(type: T): Promise<FrameOf<T>>;
  /** Everything received so far. */
  readonly seen: readonly Frame[];
  send(frame: Frame): void;
  output(chunk: { taskRef: number; stream: StreamName; offset: number; bytes: Uint8Array }): void;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  close(): Promise<void>;
}

/** Opens a socket to the agent path; no HELLO yet. */
export async function dial(url: string, options: { headers?: Record<string, string> } = {}): Promise<FakeLink> {
  const socket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false, ...options });
  const seen: Frame[] = [];
  const line: Frame[] = [];
  const waiting: { type: FrameType; resolve(frame: Frame): void; reject(error: Error): void }[] = [];
  let sequence = 0;
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      for (const waiter of waiting.splice(0)) waiter.reject(new Error(`closed ${code} before ${waiter.type}`));
      resolve({ code, reason: reason.toString() });
    });
  });
  socket.on('message', (data) => {
    const decoded = decodeFrame(String(data));
    if (!decoded.ok) throw new Error(`the backend sent ${JSON.stringify(decoded.error)}`);
    seen.push(decoded.frame);
    const at = waiting.findIndex((waiter) => waiter.type === decoded.frame.type);
    if (at >= 0) waiting.splice(at, 1)[0]?.resolve(decoded.frame);
    else line.push(decoded.frame);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  return {
    socket,
    seen,
    closed,
    next: <T extends FrameType>(type: T) =>
      new Promise<FrameOf<T>>((resolve, reject) => {
        const at = line.findIndex((frame) => frame.type === type);
        const found = at >= 0 ? line.splice(at, 1)[0] : undefined;
        if (found) resolve(found as FrameOf<T>);
        else if (socket.readyState > WebSocket.OPEN) reject(new Error(`closed before ${type}`));
        else waiting.push({ type, resolve: (frame) => resolve(frame as FrameOf<T>), reject });
      }),
    send: (frame) => socket.send(encodeFrame(frame)),
    output(chunk) {
      socket.send(encodeOutput({ ...chunk, sequence: sequence++ }));
    },
    async close() {
      socket.close();
      await closed;
    },
  };
}

/** What may differ from an ordinary HELLO. */
export type HelloChanges = Partial<Omit<FrameOf<'session.hello'>, 'type' | 'gatewayId'>>;

/** A signed HELLO for a challenge. */
export function signedHello(
  identity: FakeIdentity,
  serverNonce: string,
  changes: HelloChanges = {},
): FrameOf<'session.hello'> {
  const fields = {
    protocol: PROTOCOL_VERSION,
    incarnation: 1,
    bootId: 'boot-1',
    fingerprint: 'machine-1',
    version: '0.0.0-test',
    revision: 'test',
    nonce: randomBytes(32).toString('base64url'),
    spkiSeen: '',
    labels: {},
    verbs: Object.fromEntries(
      (Object.keys(BUILT_IN_VERBS) as BuiltInVerb[]).map((name) => [
        name,
        { schemaHash: schemaHash(BUILT_IN_VERBS[name].args), idempotent: BUILT_IN_VERBS[name].idempotent },
      ]),
    ),
    kernel: { cgroup: 'none' as const, subreaper: false, limits: [] },
    maxConcurrentTasks: 100,
    tasks: [],
    ...changes,
  };
  const { gatewayId } = identity;
  const payload = helloPayload({ ...fields, gatewayId, serverNonce });
  const signature = sign(null, Buffer.from(payload), identity.privateKey).toString('base64url');
  return { type: 'session.hello', gatewayId, signature, ...fields };
}

/** Opens a session: CHALLENGE, HELLO, WELCOME. Answers pings from then on. */
export async function connectGateway(
  url: string,
  identity: FakeIdentity,
  changes: HelloChanges = {},
): Promise<FakeLink & { readonly welcome: FrameOf<'session.welcome'> }> {
  const link = await dial(url);
  const challenge = await link.next('session.challenge');
  link.send(signedHello(identity, challenge.nonce, changes));
  const welcome = await link.next('session.welcome');
  link.socket.on('message', (data) => {
    const decoded = decodeFrame(String(data));
    if (decoded.ok && decoded.frame.type === 'session.ping')
      link.send({ type: 'session.pong', nonce: decoded.frame.nonce });
  });
  return { ...link, welcome };
}

/** A result as a gateway reports it for the given streams. */
export function resultOf(streams: { out?: Uint8Array; err?: Uint8Array; code?: number }): TaskResult {
  const total = (bytes: Uint8Array = new Uint8Array(0)): { bytes: number; sha256: string } => ({
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  return {
    outcome: 'exited',
    code: streams.code ?? 0,
    out: total(streams.out),
    err: total(streams.err),
    durationMs: 1,
    leftovers: 0,
    killMode: 'none',
    escalated: false,
    oomKilled: false,
  };
}

/** Takes every `task.run` of `exec echo …` and answers it whole, at once, as a gateway with no work of its own would. */
export function serveEcho(link: FakeLink): void {
  let taskRef = 0;
  link.socket.on('message', (data) => {
    const decoded = decodeFrame(String(data));
    if (!decoded.ok || decoded.frame.type !== 'task.run') return;
    const { taskId, fence, args } = decoded.frame;
    const out = Buffer.from(`${((args.argv as string[] | undefined) ?? []).slice(1).join(' ')}\n`);
    taskRef += 1;
    link.send({ type: 'task.accepted', taskId, fence });
    link.send({ type: 'task.started', taskId, taskRef, streamEpoch: 'e1', startedAt: Date.now() });
    link.output({ taskRef, stream: 'out', offset: 0, bytes: out });
    link.send({ type: 'task.exit', taskId, fence, result: resultOf({ out }) });
  });
}
