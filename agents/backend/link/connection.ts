// One socket of a gateway, from CHALLENGE to close: runs the reducer of session.ts and carries out its effects.
import { createPublicKey, randomBytes, randomUUID, verify } from 'node:crypto';
import type { WebSocket } from 'ws';
import {
  CLOSE,
  type CloseName,
  closeByCode,
  decodeFrame,
  decodeOutput,
  type FrameOf,
  helloPayload,
  limits,
  OLDEST_ACCEPTED_VERSION,
  PROTOCOL_VERSION,
} from '../../protocol/index.ts';
import { BUILD, type Clock, fromUnknown, type Logger } from '../../runtime/index.ts';
import type { TaskFrame, Work } from '../commands/work.ts';
import type { Tokens } from '../identity/tokens.ts';
import { MESSAGES } from '../messages.ts';
import type { Metrics } from '../metrics.ts';
import type { GatewayLink } from '../registry/link.ts';
import type { Registry } from '../registry/registry.ts';
import type { GatewayRecord } from '../storage/records.ts';
import { createOutbox } from './outbox.ts';
import { createSession, reduceSession, type SessionEffect, type SessionEvent } from './session.ts';

/** What connections share. */
export interface ConnectionDeps {
  readonly registry: Registry;
  readonly work: Work;
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly heartbeatMs: number;
  readonly maxConnections: number;
  readonly releaseId: string;
  /** Whether the store takes writes; a session without it could promise nothing. */
  storeAvailable(): boolean;
  /** Told of a HELLO with a wrong signature, by address. */
  onBadHello(address: string): void;
}

/** A connection as the listener sees it. */
export interface Connection {
  /** Called twice a second. */
  tick(at: number): void;
  goaway(reason: string, spreadMs: number): void;
  close(name: CloseName, message: string): void;
  readonly isOpen: boolean;
}

/** How long a peer may take to answer our close. */
const CLOSE_MS = 2_000;

/** Takes over a socket. `quiet`: our own self-check, not worth a line. */
export function createConnection(
  deps: ConnectionDeps,
  socket: WebSocket,
  peer: { readonly address: string; readonly quiet: boolean },
): Connection {
  const { clock, registry, work, metrics } = deps;
  const { logger } = deps;
  const remote = peer.address;
  const serverNonce = randomBytes(32).toString('base64url');
  const outbox = createOutbox(socket);
  let state = createSession({ at: clock.monotonicMs(), heartbeatMs: deps.heartbeatMs });
  let link: GatewayLink | undefined;
  let closedAs: { code: number; name: string } | undefined;

  function dispatch(event: SessionEvent): void {
    const [next, effects] = reduceSession(state, event);
    state = next;
    for (const effect of effects) perform(effect);
  }

  function perform(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'send':
        outbox.send(effect.frame);
        return;
      case 'identify':
        void guarded(identify(effect.hello));
        return;
      case 'probe':
        void guarded(answerProbe(effect.token));
        return;
      case 'deliver':
        deliver(effect.frame as TaskFrame | FrameOf<'telemetry.samples'>);
        return;
      case 'skipped':
        metrics.unknownFrames.inc();
        logger.debug(MESSAGES.unknownFrame, { remote, type: effect.type });
        return;
      case 'close':
        closeSocket(effect.name, effect.message);
    }
  }

  function closeSocket(name: CloseName | undefined, message: string): void {
    const code = name === undefined ? 1000 : CLOSE[name].code;
    closedAs = { code, name: name ?? 'normal' };
    if (name === 'protocol_error') metrics.protocolErrors.inc();
    if (name === 'probe_refused') {
      // The doctor's probes carry no token: for them the refusal is the answer.
      logger.info(MESSAGES.probeRefused, { remote, detail: message });
    } else if (name !== undefined && !link) {
      metrics.helloRejected.inc({ code: String(code) });
      logger.warn(MESSAGES.sessionRefused, { remote, closeCode: code, reason: name, detail: message });
    }
    socket.close(code, (name ?? message).slice(0, 120));
    const impatience = clock.after(CLOSE_MS, () => socket.terminate());
    socket.once('close', () => impatience.cancel());
    // At once: a session that was told to go must not be given work while its socket closes.
    closed(code);
  }

  async function guarded(step: Promise<void>): Promise<void> {
    try {
      await step;
    } catch (error) {
      const failure = fromUnknown(error);
      const stored = failure.code === 'VW_BACKEND_STORAGE_UNAVAILABLE';
      if (!stored) logger.failure(MESSAGES.sessionRefused, failure, { remote });
      dispatch({ kind: 'refuse', name: stored ? 'storage_unavailable' : 'stale_state', message: failure.message });
    }
  }

  async function identify(hello: FrameOf<'session.hello'>): Promise<void> {
    const { gatewayId } = hello;
    const refuse = (name: CloseName, message: string): void => dispatch({ kind: 'refuse', name, message });
    if (!deps.storeAvailable()) return refuse('storage_unavailable', 'the backend cannot write its store');
    const record = registry.get(gatewayId) ?? (await registry.refresh(gatewayId));
    if (!record || record.revokedAt !== undefined)
      return refuse('not_enrolled', `the gateway ${gatewayId} is not enrolled here, or was revoked`);
    if (!signatureHolds(record, hello, serverNonce)) {
      deps.onBadHello(peer.address);
      return refuse('bad_signature', 'the signature does not fit the enrolled key');
    }
    const before = registry.link(gatewayId);
    if (!before && registry.size >= deps.maxConnections)
      return refuse('too_many', `there are ${deps.maxConnections} gateways already`);
    const { version, revision, incarnation, labels, verbs, kernel, fingerprint } = hello;
    const attached = await registry.attach({
      gatewayId,
      fingerprint,
      remoteAddress: peer.address,
      hello: { version, revision, incarnation, labels, verbs, kernel },
    });
    if ('refused' in attached) {
      if (attached.refused === 'identity_conflict') {
        metrics.identityConflicts.inc();
        logger.error(MESSAGES.identityConflict, { remote, gateway: gatewayId });
        registry.link(gatewayId)?.close('identity_conflict', 'another machine uses the same id');
      }
      return refuse(attached.refused, 'the session could not be attached');
    }
    await open(hello, attached.epoch);
  }

  async function open(hello: FrameOf<'session.hello'>, epoch: number): Promise<void> {
    const { gatewayId } = hello;
    const replaced = registry.link(gatewayId);
    if (replaced) {
      metrics.sessionTakeovers.inc();
      logger.info(MESSAGES.sessionSuperseded, { gateway: gatewayId });
      replaced.close('superseded', 'a newer session took over');
    }
    const tasks = await work.resume(gatewayId, hello.tasks);
    if (state.phase !== 'identifying') return;
    if (registry.get(gatewayId)?.sessionEpoch !== epoch)
      return dispatch({ kind: 'refuse', name: 'superseded', message: 'a newer session took over' });
    const sessionId = randomUUID();
    link = {
      gatewayId,
      sessionEpoch: epoch,
      send: (frame) => (state.phase === 'open' ? outbox.send(frame) : undefined),
      ack: (taskId, position) => (state.phase === 'open' ? outbox.ack(taskId, position) : undefined),
      close: (name, message) => closeNow(name, message),
    };
    registry.open(link);
    allowLargeFrames(socket);
    dispatch({ kind: 'attached', at: clock.monotonicMs() });
    outbox.send({
      type: 'session.welcome',
      protocol: Math.min(hello.protocol, PROTOCOL_VERSION),
      sessionId,
      sessionEpoch: epoch,
      heartbeatMs: deps.heartbeatMs,
      maxFrameBytes: limits.MAX_FRAME_BYTES,
      taskCreditBytes: limits.TASK_CREDIT_BYTES,
      serverTime: clock.now(),
      version: BUILD.version,
      revision: BUILD.revision,
      tasks,
    });
    const fields = {
      remote,
      gateway: gatewayId,
      session: sessionId,
      epoch,
      version: hello.version,
      tasks: tasks.length,
    };
    logger.info(MESSAGES.helloAccepted, fields);
    work.attached(link, new Set(hello.tasks.map(({ taskId }) => taskId)));
  }

  async function answerProbe(token: string | undefined): Promise<void> {
    const known = await deps.tokens.require(token, 'probe').catch((error: unknown) => fromUnknown(error));
    if (known instanceof Error) return dispatch({ kind: 'refuse', name: 'probe_refused', message: known.message });
    outbox.send({
      type: 'session.probed',
      protocol: PROTOCOL_VERSION,
      version: BUILD.version,
      revision: BUILD.revision,
      releaseId: deps.releaseId,
      serverTime: clock.now(),
      remoteAddress: peer.address,
    });
    logger.info(MESSAGES.probeAnswered, { remote, by: known.name });
    dispatch({ kind: 'gone' });
    closeSocket(undefined, 'probed');
  }

  function deliver(frame: TaskFrame | FrameOf<'telemetry.samples'>): void {
    if (!link) return;
    registry.seen(link.gatewayId);
    if (frame.type === 'telemetry.samples') {
      const newest = frame.samples.at(-1);
      if (newest) registry.sampled(link.gatewayId, newest);
      return;
    }
    judge(work.frame(link, frame));
  }

  function judge(breach: string | undefined): void {
    if (breach !== undefined) dispatch({ kind: 'refuse', name: 'protocol_error', message: breach });
  }

  // The reducer is bypassed by nobody: this only decides what kind of event a message is.
  function receive(data: Buffer, isBinary: boolean): void {
    const at = clock.monotonicMs();
    if (!isBinary) {
      const decoded = decodeFrame(data.toString());
      if (decoded.ok) dispatch({ kind: 'frame', at, frame: decoded.frame, bytes: data.length });
      else dispatch({ kind: 'undecodable', at, failure: decoded.error });
      return;
    }
    const chunk = decodeOutput(data);
    if (!chunk) {
      judge('a binary frame is not output');
      return;
    }
    dispatch({ kind: chunk.bytes.length === 0 ? 'noise' : 'output', at });
    if (link && state.phase === 'open') judge(work.output(link, chunk));
  }

  function closeNow(name: CloseName, message: string): void {
    dispatch({ kind: 'refuse', name, message });
  }

  // Once, at our own close or at the peer's, whichever comes first.
  function closed(code: number): void {
    dispatch({ kind: 'gone' });
    if (!link) return;
    const gone = link;
    link = undefined;
    const as = closedAs ?? { code, name: closeByCode(code)?.name ?? 'lost' };
    registry.closed(gone, as);
    work.detached(gone);
    metrics.sessionLosses.inc({ code: String(as.code) });
    logger.info(MESSAGES.sessionLost, { remote, gateway: gone.gatewayId, closeCode: as.code, reason: as.name });
  }

  socket.on('message', (data, isBinary) => receive(data as Buffer, isBinary));
  socket.on('ping', () => dispatch({ kind: 'noise', at: clock.monotonicMs() }));
  socket.on('error', (error) => logger.debug(MESSAGES.linkError, { remote, reason: error.message }));
  socket.on('close', (code) => closed(code));
  if (!peer.quiet) logger.info(MESSAGES.linkOpened, { remote });
  outbox.send({
    type: 'session.challenge',
    nonce: serverNonce,
    serverTime: clock.now(),
    protocolMin: OLDEST_ACCEPTED_VERSION,
    protocolMax: PROTOCOL_VERSION,
  });

  return {
    tick(at) {
      if (outbox.overflowing) dispatch({ kind: 'refuse', name: 'slow', message: 'the gateway does not read' });
      // Ten thousand sessions at rest are looked at twice a second: most need nothing, and that must cost nothing.
      if (state.phase !== 'open' || state.ping || at >= state.nextPingAt) dispatch({ kind: 'tick', at });
    },
    goaway(reason, spreadMs) {
      if (state.phase === 'open') outbox.send({ type: 'session.goaway', reason, spreadMs });
    },
    close: closeNow,
    get isOpen() {
      return link !== undefined;
    },
  };
}

function signatureHolds(record: GatewayRecord, hello: FrameOf<'session.hello'>, serverNonce: string): boolean {
  const { protocol, gatewayId, nonce, spkiSeen, incarnation } = hello;
  const payload = helloPayload({ protocol, gatewayId, serverNonce, nonce, spkiSeen, incarnation });
  try {
    const key = createPublicKey({ key: Buffer.from(record.publicKey, 'base64'), format: 'der', type: 'spki' });
    return verify(null, Buffer.from(payload), key, Buffer.from(hello.signature, 'base64url'));
  } catch {
    return false; // A signature of the wrong length is as wrong as any other.
  }
}

// ws takes one limit for the life of a socket, but a stranger may not make us hold 2 MiB. The receiver's own field is the only
// way to raise it after HELLO; a test shows that it works with the pinned version.
function allowLargeFrames(socket: WebSocket): void {
  const { _receiver: receiver } = socket as unknown as { readonly _receiver?: { _maxPayload: number } };
  if (receiver) receiver._maxPayload = limits.MAX_FRAME_BYTES;
}
