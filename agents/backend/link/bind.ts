// Binding a server to an address, or to the socket that the service manager handed over. Failing is fatal, with the place named.
import type { Server } from 'node:net';
import { describe, errnoOf } from '../../runtime/index.ts';
import { backendErrors } from '../errors.ts';

/** Where to listen. `fd` wins: then the address is the service manager's business. */
export interface BindOptions {
  readonly what: string;
  readonly bind: string;
  readonly port: number;
  readonly fd?: number | undefined;
}

/** Where a server really listens. */
export interface Bound {
  readonly address: string;
  readonly port: number;
}

/** Listens; throws VW_BACKEND_BIND. The backlog takes a thousand gateways that come back at once. */
export async function bindServer(server: Server, options: BindOptions, signal: AbortSignal): Promise<Bound> {
  signal.throwIfAborted();
  const { what, bind, port, fd } = options;
  const place = fd === undefined ? { host: bind, port, backlog: 4096 } : { fd };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(place, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    const reason = errnoOf(error) === 'EADDRINUSE' ? 'the port is in use' : describe(error);
    throw backendErrors.create('VW_BACKEND_BIND', { what, address: bind, port, reason }, error);
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return { address: bind, port };
  return { address: bound.address, port: bound.port };
}

/** An address under which a bound server can be dialled from this machine. */
export function dialable(bound: Bound): string {
  const host = bound.address === '0.0.0.0' ? '127.0.0.1' : bound.address === '::' ? '::1' : bound.address;
  return host.includes(':') ? `[${host}]:${bound.port}` : `${host}:${bound.port}`;
}
