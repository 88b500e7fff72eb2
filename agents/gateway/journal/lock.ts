// One agent per state directory. The lock is an abstract unix socket named after the directory: the kernel drops it with the
// process, so there is no stale lock after a crash and no guessing whether a process id is still the same.
import { mkdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { describe, errnoOf } from '../../runtime/index.ts';
import { gatewayErrors } from '../errors.ts';

/** Takes the lock or throws VW_GATEWAY_ALREADY_RUNNING. */
export async function lockDirectory(dir: string, signal: AbortSignal): Promise<AsyncDisposable> {
  signal.throwIfAborted();
  const info = await mkdir(dir, { recursive: true, mode: 0o700 })
    .then(() => stat(dir))
    .catch((error: unknown) => {
      throw gatewayErrors.create('VW_GATEWAY_STATE_UNUSABLE', { dir, reason: describe(error) }, error);
    });
  const server = createServer((socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error) =>
    reject(
      errnoOf(error) === 'EADDRINUSE'
        ? gatewayErrors.create('VW_GATEWAY_ALREADY_RUNNING', { dir })
        : gatewayErrors.create('VW_GATEWAY_STATE_UNUSABLE', { dir, reason: describe(error) }, error),
    ),
  );
  server.listen(`\0viworks-gateway:${info.dev}:${info.ino}`, resolve);
  await promise;
  server.unref();
  return {
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}
