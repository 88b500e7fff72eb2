// Asks the launcher over its unix socket: one connection per request, one deadline for each.
import { connect } from 'node:net';
import { type Clock, describe, errnoOf } from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';
import {
  decodeReply,
  type Evidence,
  encodeRequest,
  type LauncherAbilities,
  type LauncherRequest,
  parseEvidence,
  parseList,
  type StartRequest,
} from './launcher-protocol.ts';

/**
 * The launcher as the agent sees it. Every call may reject with VW_GATEWAY_LAUNCHER_ABSENT: nobody heard it; or with
 * VW_GATEWAY_LAUNCHER_UNREACHABLE: it may have been carried out or not, and only `seal` tells.
 */
export interface Launcher {
  ping(signal: AbortSignal): Promise<LauncherAbilities>;
  start(request: StartRequest, signal: AbortSignal): Promise<Evidence>;
  status(taskId: string, signal: AbortSignal): Promise<Evidence>;
  statusAll(signal: AbortSignal): Promise<ReadonlyMap<string, Evidence>>;
  /** As `status`, and what has not started by now never will. */
  seal(taskId: string, signal: AbortSignal): Promise<Evidence>;
  end(
    request: { taskId: string; reason: 'cancelled' | 'timed_out'; graceMs: number },
    signal: AbortSignal,
  ): Promise<Evidence>;
  hold(taskId: string, held: boolean, signal: AbortSignal): Promise<Evidence>;
  forget(taskId: string, signal: AbortSignal): Promise<Evidence>;
}

const DEADLINE_MS = 10_000; // a loaded machine may take seconds to fork; a launcher that says nothing for ten is gone

// What connect(2) says when there is no socket, or nobody behind it: nothing was handed over.
const ABSENT = new Set(['ENOENT', 'ECONNREFUSED']);

/** A client of the launcher that listens on `socketPath`. */
export function createLauncher(options: { readonly socketPath: string; readonly clock: Clock }): Launcher {
  const ask = (request: LauncherRequest, signal: AbortSignal): Promise<readonly (readonly [string, string])[]> =>
    exchange(options, encodeRequest(request), signal);
  const about = async (request: LauncherRequest, signal: AbortSignal): Promise<Evidence> =>
    parseEvidence(await ask(request, signal));
  return {
    async ping(signal) {
      const get = new Map(await ask({ op: 'ping' }, signal));
      if (get.get('state') !== 'ok') {
        throw gatewayErrors.create('VW_GATEWAY_LAUNCHER_REFUSED', {
          socket: options.socketPath,
          reason: get.get('message') ?? 'it gave no reason',
        });
      }
      const cgroup = get.get('cgroup');
      return {
        cgroup: cgroup === 'kill' || cgroup === 'group' ? cgroup : 'none',
        subreaper: get.get('subreaper') === '1',
        bootId: get.get('boot') ?? '',
        tasksDir: get.get('tasks_dir') ?? '',
        spool: get.get('spool') ?? '',
      };
    },
    start: (request, signal) => about({ op: 'start', ...request }, signal),
    status: (taskId, signal) => about({ op: 'status', taskId }, signal),
    statusAll: async (signal) => parseList(await ask({ op: 'status' }, signal)),
    seal: (taskId, signal) => about({ op: 'seal', taskId }, signal),
    end: (request, signal) => about({ op: 'end', ...request }, signal),
    hold: (taskId, held, signal) => about({ op: held ? 'pause' : 'resume', taskId }, signal),
    forget: (taskId, signal) => about({ op: 'forget', taskId }, signal),
  };
}

function exchange(
  options: { readonly socketPath: string; readonly clock: Clock },
  request: Uint8Array,
  signal: AbortSignal,
): Promise<readonly (readonly [string, string])[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly (readonly [string, string])[]>();
  const socket = connect(options.socketPath);
  let connected = false;
  socket.on('connect', () => {
    connected = true;
  });
  const fail = (cause: unknown): void => {
    const absent = !connected && ABSENT.has(errnoOf(cause) ?? '');
    const code = absent ? 'VW_GATEWAY_LAUNCHER_ABSENT' : 'VW_GATEWAY_LAUNCHER_UNREACHABLE';
    reject(gatewayErrors.create(code, { socket: options.socketPath, reason: describe(cause) }, cause));
  };
  const abort = (): void => reject(signal.reason);
  const timer = options.clock.after(DEADLINE_MS, () => fail(new Error(`no answer within ${DEADLINE_MS} ms`)));
  let received: Buffer = Buffer.alloc(0);
  socket.on('data', (part) => {
    received = received.length === 0 ? part : Buffer.concat([received, part]);
    const fields = decodeReply(received);
    if (fields) resolve(fields);
  });
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('it closed the connection without an answer')));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  else socket.write(request);
  return promise.finally(() => {
    timer.cancel();
    signal.removeEventListener('abort', abort);
    socket.destroy();
  });
}
