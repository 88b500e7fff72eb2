// Bytes to a stream of this process: written as they come, and no further ahead than the reader takes them.
import type { Writable } from 'node:stream';
import { cliErrors } from '../errors.ts';

/** Writes and waits until there is room again. Rejects with VW_CLI_BROKEN_PIPE when the reader went away. */
export async function writeThrough(stream: Writable, bytes: Buffer | string): Promise<void> {
  if (stream.destroyed) throw cliErrors.create('VW_CLI_BROKEN_PIPE');
  if (stream.write(bytes)) return;
  await new Promise<void>((resolve, reject) => {
    const done = (): void => {
      stream.off('drain', onDrain);
      stream.off('close', onGone);
      stream.off('error', onGone);
    };
    const onDrain = (): void => {
      done();
      resolve();
    };
    const onGone = (): void => {
      done();
      reject(cliErrors.create('VW_CLI_BROKEN_PIPE'));
    };
    stream.once('drain', onDrain).once('close', onGone).once('error', onGone);
  });
}
