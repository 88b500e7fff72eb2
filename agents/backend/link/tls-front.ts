// A TLS front in this process, for machines without nginx: the agent path goes to the WebSocket server, the rest to the API.
import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { describe } from '../../runtime/index.ts';
import { backendErrors } from '../errors.ts';

/** Where the two kinds of traffic go. */
export interface TlsFrontOptions {
  readonly certificate: string;
  readonly key: string;
  readonly request: RequestListener;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Creates the server; throws VW_BACKEND_TLS_FILES. */
export function createTlsFront(options: TlsFrontOptions): Server {
  const { certificate, key } = options;
  try {
    const server = createServer(
      { cert: readFileSync(certificate), key: readFileSync(key), headersTimeout: 5_000, requestTimeout: 30_000 },
      options.request,
    );
    server.on('upgrade', (request, socket, head) => options.upgrade(request, socket, head));
    return server;
  } catch (error) {
    throw backendErrors.create('VW_BACKEND_TLS_FILES', { file: certificate, reason: describe(error) }, error);
  }
}
